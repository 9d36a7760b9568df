"""Text from files that are not plain text: HTML, PDF and Word."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvisperf.rag.errors import DocumentError, missing_package

if TYPE_CHECKING:
    from pathlib import Path

_pdfium_lock = threading.Lock()  # PDFium must not be used by two threads at once (its documentation)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file.

    Attributes:
        text: Markdown for HTML and Word; for PDF the text of one page after the other.
        pages: Where each page begins in the text; empty where there are no pages.
    """

    text: str
    pages: tuple[int, ...] = ()


def extract_html(path: Path) -> Extracted:
    """An HTML file as Markdown, without scripts and styles.

    Its encoding is that of its byte order mark, else the one that it declares, else UTF-8, else Windows-1252 (as
    browsers do; WHATWG HTML, "Determining the character encoding").

    Raises:
        MissingPackageError: markdownify is not installed.
        DocumentError: The file is damaged.
    """
    return Extracted(_markdown_of(_decoded(path.read_bytes()), path))


def extract_docx(path: Path) -> Extracted:
    """A Word file as Markdown.

    Raises:
        MissingPackageError: mammoth or markdownify is not installed.
        DocumentError: The file is damaged, or no Word file.
    """
    try:
        import mammoth
    except ImportError as error:
        raise missing_package("mammoth", "docx") from error
    with path.open("rb") as file:
        try:
            html = mammoth.convert_to_html(file).value
        except Exception as error:  # zipfile's, XML's and mammoth's own
            raise DocumentError(f"{path} is no readable Word file: {' '.join(str(error).split())}") from error
    return Extracted(_markdown_of(html, path))


def extract_pdf(path: Path) -> Extracted:
    """The text of a PDF, page after page.

    Raises:
        MissingPackageError: pypdfium2 is not installed.
        DocumentError: The file is damaged, protected, or holds no text.
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
            raise DocumentError(f"{path} is no readable PDF: {error}") from error
    if not any(page.strip() for page in pages):
        raise DocumentError(f"{path} holds no text: recognise its scanned pages first (OCR)")
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
    # Left to itself, Beautiful Soup guesses before it tries UTF-8, and is wrong about short texts.
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
        raise DocumentError(f"{path} is no readable HTML: {' '.join(str(error).split())}") from error
    for tag in soup(["script", "style", "template", "noscript"]):
        tag.decompose()
    body = soup.body or soup
    try:
        return str(MarkdownConverter(heading_style="ATX").convert_soup(body))
    except RecursionError:  # nested some hundred levels deep: better its text than nothing
        return str(body.get_text("\n"))
