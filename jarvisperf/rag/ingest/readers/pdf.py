"""Reads PDF files page by page, by pypdfium2."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content
from jarvisperf.rag.ingest.readers.pdf_layout import joined, share_without_meaning, text_of

if TYPE_CHECKING:
    from pathlib import Path

_FEW_NAMELESS: Final = 0.1  # of the letters of a page: more are reported
_lock = threading.Lock()  # PDFium is not thread-safe (its documentation)
renew_lock_when_forked(sys.modules[__name__])


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
            with contextlib.closing(pypdfium2.PdfDocument(path)) as document:
                for number, page in enumerate(document, 1):
                    textpage = page.get_textpage()
                    nameless = share_without_meaning(textpage)
                    text = text_of(textpage, marks_breaks=nameless <= _FEW_NAMELESS)
                    pages.append(text)
                    if nameless > _FEW_NAMELESS:
                        unread.append(
                            f"page {number} may be misread: its fonts do not name {nameless:.0%} of its letters:"
                            " run OCR on it"
                        )
                    elif not text.strip() and _shows_something(page):
                        unread.append(f"page {number} contains no text: if it is scanned, run OCR on it first")
        except pypdfium2.PdfiumError as error:
            raise DocumentError(f"{path} is not a readable PDF: {error}") from error
    if not any(page.strip() for page in pages):
        raise DocumentError(f"{path} contains no text: if its pages are scanned, run OCR on it first")
    blocks: list[Block] = []
    for number, paragraphs in enumerate(joined(pages), 1):
        if paragraphs:
            place = {"page": number}
            blocks.append(Block("", "heading", title=f"page {number}", place=place))
            blocks += [Block(part, place=place) for part in paragraphs]
    return Content(blocks, unread=unread)


def _shows_something(page: Any) -> bool:
    return next(iter(page.get_objects(max_depth=1)), None) is not None
