"""Reads PDF files page by page, by pypdfium2, and joins the lines and words that the layout broke."""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content

if TYPE_CHECKING:
    from pathlib import Path

_lock = threading.Lock()  # PDFium is not thread-safe (its documentation)
renew_lock_when_forked(sys.modules[__name__])

# PDFium marks a hyphen at the end of a line that may belong to the word or to the layout as U+0002 or U+FFFE.
_BROKEN_WORD: Final = re.compile(r"(\w+)[ \t]*(?:[\x02\ufffe\xad]|[-\u2010](?=\n))\n?[ \t]*(\w+)")
_ODD: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\xad\ufffe\uffff\ufeff]")
_ENDS_LINE: Final = re.compile(r"[.!?:;\u3002\uff01\uff1f\uff1a\uff1b]['\"\u201d\u2019)\]]*$")
_STARTS_BLOCK: Final = re.compile(r"(?:[\u2022\u25aa\u25e6\u2023*\u2013\u2014-]\s|\(?[0-9]{1,3}[.)]\s|\(?[a-z][.)]\s)")
_FULL: Final = 0.6  # of the longest lines: what is shorter ends on purpose


def read_pdf(path: Path) -> Content:
    """Read a PDF file.

    Raises:
        DocumentError: The file is damaged, protected, or contains no text.
        MissingPackageError: pypdfium2 is not installed.
    """
    try:
        import pypdfium2
    except ImportError as error:
        raise missing_package("pypdfium2") from error
    pages: list[str] = []
    unread: list[str] = []
    with _lock:
        try:
            with pypdfium2.PdfDocument(path) as document:
                for number, page in enumerate(document, 1):
                    text = page.get_textpage().get_text_bounded().replace("\r\n", "\n").replace("\r", "\n")
                    pages.append(text)
                    if not text.strip() and _shows_something(page):
                        unread.append(f"page {number} contains no text: if it is scanned, run OCR on it first")
        except pypdfium2.PdfiumError as error:
            raise DocumentError(f"{path} is not a readable PDF: {error}") from error
    if not any(page.strip() for page in pages):
        raise DocumentError(f"{path} contains no text: if its pages are scanned, run OCR on it first")
    known = set(re.findall(r"\w+(?:-\w+)*", "\n".join(pages).lower()))
    blocks: list[Block] = []
    for number, page in enumerate(pages, 1):
        text = _joined(_BROKEN_WORD.sub(lambda broken: _whole(broken[1], broken[2], known), page))
        if text.strip():
            place = {"page": number}
            blocks.append(Block("", "heading", title=f"page {number}", place=place))
            blocks += [Block(part, place=place) for part in text.split("\n\n")]
    return Content(blocks, unread=unread)


def _shows_something(page: Any) -> bool:
    return next(iter(page.get_objects(max_depth=1)), None) is not None


def _whole(first: str, second: str, known: set[str]) -> str:
    """Join a broken word; keep its hyphen if the document does so elsewhere, or a number or a name follows."""
    hyphenated = f"{first}-{second}"
    keeps = hyphenated.lower() in known and f"{first}{second}".lower() not in known
    return hyphenated if keeps or not second[0].islower() else f"{first}{second}"


def _joined(page: str) -> str:
    """Join lines that the layout wrapped into paragraphs."""
    lines = [" ".join(_ODD.sub("", line).split()) for line in page.split("\n")]
    lengths = sorted(map(len, filter(None, lines)))
    full = _FULL * lengths[len(lengths) * 9 // 10] if lengths else 0
    text = ""
    before = ""
    for line in lines:
        if not line:
            text += "\n\n" if before else ""
        elif not before:
            text += line
        elif _STARTS_BLOCK.match(line) or (len(before) < full and (_ENDS_LINE.search(before) or not line[0].islower())):
            text += f"\n{line}"
        elif ord(before[-1]) > 0x2E7F and ord(line[0]) > 0x2E7F:  # Chinese and Japanese have no spaces
            text += line
        else:
            text += f" {line}"
        before = line
    return text
