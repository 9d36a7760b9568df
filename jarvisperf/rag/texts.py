"""Checks and normalises texts, and derives ids from their content."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_BYTES = 16
_FRAME_BYTES = 8  # of the length before each part


def content_id(text: str, metadata: Mapping[str, Any] | None = None) -> str:
    """Return the default id of a text: 32 hexadecimal digits, equal for equal texts with equal metadata.

    The metadata is part of it because it says whose text this is: the same sentence from two sources or tenants is two
    passages. The id is the 128-bit BLAKE2b (RFC 7693) of the text in UTF-8, and of the metadata if there is any.
    """
    identified = text.encode()
    if b"\0" in identified[:_FRAME_BYTES]:
        identified = framed(text)  # or it could be the framed form of another text with its metadata
    if metadata:
        stored = {name: value for name, value in metadata.items() if value is not None}  # Chroma stores no None
        identified = framed(text, json.dumps(stored, sort_keys=True))
    return hashlib.blake2b(identified, digest_size=_ID_BYTES).hexdigest()


def framed(*parts: str) -> bytes:
    """Join parts so that different parts never produce the same bytes, by prefixing each with its length."""
    return b"".join([len(encoded).to_bytes(_FRAME_BYTES, "little") + encoded for encoded in map(str.encode, parts)])


def normalise_query(query: str) -> str:
    """Return a query as it is embedded and looked up: in Unicode NFC, with runs of white space collapsed to one space.

    Accents and case are kept because they carry meaning.

    Raises:
        TypeError: The query is not a string.
        ValueError: It is empty, blank, or not valid Unicode.
    """
    if not isinstance(query, str):
        raise TypeError(f"query is of type {type(query).__name__}: give a string")
    check_unicode(query, "query")
    folded = " ".join(unicodedata.normalize("NFC", query).split())
    if not folded:
        raise ValueError(f"query is {query!r}: give at least one word")
    return folded


def check_unicode(text: str, name: str) -> None:
    """Reject lone surrogates, which no store or tokenizer can encode.

    Raises:
        ValueError: The text has one; the message says where.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate, {text[error.start]!r}, at position {error.start}:"
            " decode its bytes with the right encoding"
        ) from error
