"""Extracts text from files that are not plain text: HTML, PDF and Word."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvisperf.rag.errors import DocumentError, missing_package

if TYPE_CHECKING:
    from pathlib import Path

_pdfium_lock = threading.Lock()  # PDFium is not thread-safe (its documentation)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file.

    Attributes:
        text: Markdown for HTML and Word; plain text, page by page, for PDF.
        pages: The offset of each page in the text; empty if there are no pages.
    """

    text: str
    pages: tuple[int, ...] = ()


def extract_html(path: Path) -> Extracted:
    """Convert an HTML file to Markdown, without scripts and styles.

    The encoding is that of the byte order mark, else the declared one, else UTF-8, else Windows-1252 (as in browsers;
    WHATWG HTML, "Determining the character encoding").

    Raises:
        MissingPackageError: markdownify is not installed.
        DocumentError: The file is damaged.
    """
    return Extracted(_markdown_of(_decoded(path.read_bytes()), path))


def extract_docx(path: Path) -> Extracted:
    """Convert a Word file to Markdown.

    Raises:
        MissingPackageError: mammoth or markdownify is not installed.
        DocumentError: The file is damaged, or not a Word file.
    """
    try:
        import mammoth
    except ImportError as error:
        raise missing_package("mammoth", "docx") from error
    with path.open("rb") as file:
        try:
            html = mammoth.convert_to_html(file).value
        except Exception as error:  # errors of zipfile, the XML parser and mammoth
            raise DocumentError(f"{path} is not a readable Word file: {' '.join(str(error).split())}") from error
    return Extracted(_markdown_of(html, path))


def extract_pdf(path: Path) -> Extracted:
    """Extract the text of a PDF, page by page.

    Raises:
        MissingPackageError: pypdfium2 is not installed.
        DocumentError: The file is damaged, protected, or contains no text.
    """
    try:
        import pypdfium2
    except ImportError as error:
        raise missing_package("pypdfium2") from error
    pages: list[str] = []
    with _pdfium_lock:
        try:
            with pypdfium2.PdfDocument(path) as document:
                for page in document:
                    pages.append(page.get_textpage().get_text_bounded().replace("\r\n", "\n"))  # noqa: PERF401
        except pypdfium2.PdfiumError as error:
            raise DocumentError(f"{path} is not a readable PDF: {error}") from error
    if not any(page.strip() for page in pages):
        raise DocumentError(f"{path} contains no text: if its pages are scanned, run OCR on it first")
    starts: list[int] = []
    text = ""
    for page in pages:
        starts.append(len(text))
        text += f"{page.strip()}\n\n"
    return Extracted(text, tuple(starts))


def _decoded(html: bytes) -> str:
    try:
        from bs4.dammit import EncodingDetector
    except ImportError as error:
        raise missing_package("markdownify") from error
    content, marked = EncodingDetector.strip_byte_order_mark(html)
    # By default Beautiful Soup guesses before it tries UTF-8, and guesses wrong for short texts.
    for encoding in (marked, EncodingDetector.find_declared_encoding(content, is_html=True), "utf-8"):
        try:
            if encoding:
                return content.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    return content.decode("cp1252", errors="replace")


def _markdown_of(html: str, path: Path) -> str:
    try:
        from bs4 import BeautifulSoup
        from bs4.builder import ParserRejectedMarkup
        from markdownify import MarkdownConverter
    except ImportError as error:
        raise missing_package("markdownify") from error
    try:
        soup = BeautifulSoup(html, "html.parser")
    except ParserRejectedMarkup as error:
        raise DocumentError(f"{path} is not readable HTML: {' '.join(str(error).split())}") from error
    for tag in soup(["script", "style", "template", "noscript"]):
        tag.decompose()
    body = soup.body or soup
    try:
        return str(MarkdownConverter(heading_style="ATX").convert_soup(body))
    except RecursionError:  # nested hundreds of levels deep: fall back to the bare text
        return str(body.get_text("\n"))
