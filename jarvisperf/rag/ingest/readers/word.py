"""Reads Word files, by mammoth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.error_text import in_one_line
from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content
from jarvisperf.rag.ingest.readers.web_page import blocks_of_html
from jarvisperf.rag.ingest.readers.word_markup import prepared

if TYPE_CHECKING:
    from pathlib import Path


def read_word(path: Path) -> Content:
    """Read a Word file; what it shows in pictures is not read.

    Raises:
        MissingPackageError: mammoth or beautifulsoup4 is not installed.
        DocumentError: The file is damaged, not a Word file, or contains no text.
    """
    try:
        import mammoth
    except ImportError as error:
        raise missing_package("mammoth", "docx") from error
    with path.open("rb") as file:
        try:
            html = mammoth.convert_to_html(
                prepared(file), convert_image=mammoth.images.img_element(lambda _: {"src": ""})
            ).value
        except Exception as error:  # errors of zipfile, the XML parser and mammoth
            raise DocumentError(f"{path} is not a readable Word file: {in_one_line(error)}") from error
    blocks = [
        Block(block.text, block.kind, block.prefix, block.suffix, block.title, block.code_language)
        for block in blocks_of_html(html, {})  # the lines of the HTML are not in the file
    ]
    if not blocks:
        raise DocumentError(f"{path} contains no text: if its pages are pictures, run OCR on them first")
    return Content(blocks)
