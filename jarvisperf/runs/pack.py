"""A stored run's bytes: the JSON of the bounded run in a gzip member (RFC 1952).

gzip ends with a check sum and the length, so half an object is known as such; `zcat` shows it to people.
"""

from __future__ import annotations

import gzip
import re
import zlib

import msgspec

from jarvisperf.runs.bounds import bounded_run
from jarvisperf.runs.files import UnreadableRunError, decode_run, encode_run
from jarvisperf.runs.model import SCHEMA, Run

LARGEST_BYTES = 64 << 20  # of JSON: a damaged or hostile object must not fill the memory

_GZIP_WINDOW = 31  # zlib's way of saying: with gzip's header and trailer
_VERSION = re.compile(r"jarvisperf\.run/([0-9]{1,9})")


def pack(run: Run) -> bytes:
    """Make the bytes of a run; equal runs give equal bytes."""
    return gzip.compress(encode_run(bounded_run(run)), mtime=0)


def unpack(data: bytes, origin: str) -> Run:
    """Read what `pack` made.

    Args:
        data: The bytes.
        origin: Where they came from, for the message.

    Raises:
        UnreadableRunError: They are damaged, no run, or written by a newer version; the message says which.
    """
    text = decompressed(data, origin)
    _refuse_newer(text, origin)
    return decode_run(text, origin)


def decompressed(data: bytes, origin: str) -> bytes:
    """Give the JSON text of a packed run, not yet looked at.

    Args:
        data: The bytes.
        origin: Where they came from, for the message.

    Raises:
        UnreadableRunError: They are damaged or half-written.
    """
    reader = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = reader.decompress(data, LARGEST_BYTES)
    except zlib.error as error:
        raise UnreadableRunError(f"{origin} is damaged or no run: {error}") from error
    if reader.unconsumed_tail:
        raise UnreadableRunError(f"{origin} is no run: it holds more than {LARGEST_BYTES >> 20} MiB")
    if not reader.eof:
        raise UnreadableRunError(f"{origin} is half-written: it ends after {len(data):,} bytes")
    return text


def _refuse_newer(text: bytes, origin: str) -> None:
    try:
        schema = msgspec.json.decode(text, type=_Header).schema
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # reading it whole says better what is wrong
    match = _VERSION.fullmatch(schema)
    if match and int(match[1]) > int(SCHEMA.rpartition("/")[2]):
        raise UnreadableRunError(
            f"{origin} was written by a newer jarvisperf (it has schema {schema!r}, this one reads {SCHEMA!r}): "
            "upgrade jarvisperf to read it"
        )


class _Header(msgspec.Struct):
    schema: str = ""
