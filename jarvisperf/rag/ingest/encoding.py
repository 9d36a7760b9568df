"""Decodes files: by byte order mark, by what they declare, else as UTF-8. Nothing is guessed from letters."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, TypeGuard

from jarvisperf.rag.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MARKS: Final = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_FOR_DOCUMENTS: Final = frozenset(
    {
        *("base64", "bz2", "hex", "quopri", "rot-13", "uu", "zlib"),
        *("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"),
    }
)
"""Codecs of Python that turn bytes into bytes, or write domain names and literals."""
_SAMPLE_BYTES: Final = 4096
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # without ESC, which colours logs


def decoded(path: Path, content: bytes, declared: Sequence[str | None] = (), last: str | None = None) -> str:
    """Return the text of a file, with line ends as newlines.

    Args:
        path: The file, for the message.
        content: Its bytes.
        declared: The encodings that it declares, tried before UTF-8.
        last: The encoding of bytes that nothing else decodes; None rejects them.

    Raises:
        DocumentError: It cannot be decoded, or holds control characters that no text has.
    """
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    candidates = [marked, _utf16_without_mark(content), *declared, "utf-8", last]
    place = 0
    for name in filter(_is_known, candidates):
        try:
            text = content.decode(name)
        except UnicodeDecodeError as error:
            place = error.start
        else:
            break
    else:
        raise DocumentError(f"{path} is not UTF-8 (byte {place}): convert it first")
    if len(_CONTROL.findall(text)) > 1 + len(text) // 100:
        raise DocumentError(f"{path} contains control characters: it is not text, or does not declare its encoding")
    return text.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")


def _is_known(name: str | None) -> TypeGuard[str]:
    """Return whether an encoding exists and writes documents."""
    if not name:
        return False
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: its name contains NUL
        return False
    return codec.name not in _NOT_FOR_DOCUMENTS


def _utf16_without_mark(content: bytes) -> str | None:
    """Return the encoding of text in UTF-16: every other byte of Latin letters and spaces is NUL."""
    sample = content[:_SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) // 20 or max(even, odd) < 2 or min(even, odd) > max(even, odd) // 10:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"
