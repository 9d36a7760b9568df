"""Reads files and splits them into passages along their structure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.extraction import Extracted, extract_docx, extract_html, extract_pdf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSAGE_CHARACTERS = (400, 1000)  # minimum and maximum; 1000 characters of English are about MiniLM's 256 tokens

_MARKDOWN = {".md", ".markdown"}
_PLAIN = {".txt", ".text"}
_RST = {".rst"}
_EXTRACTED: dict[str, Callable[[Path], Extracted]] = {
    ".html": extract_html,
    ".htm": extract_html,
    ".pdf": extract_pdf,
    ".docx": extract_docx,
}
SUFFIXES = frozenset({*_MARKDOWN, *_PLAIN, *_RST, *_EXTRACTED})

_LONGEST_LINE = 20_000  # the splitter's time is quadratic in a line's length: 20 s for 800,000 characters
_LONG_LINE = re.compile(rf"[^\r\n]{{{_LONGEST_LINE + 1},}}")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKDOWN_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*?)(?:[ \t]+#+)?[ \t]*$")
_RST_UNDERLINE = re.compile(r"([!-/:-@\[-`{-~])\1+[ \t]*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a file.

    Attributes:
        text: Its text.
        section: The heading above it, or for example ``page 3`` in a PDF; None before the first heading and in plain
            text.
        position: Its index among the passages of the file, from 0.
    """

    text: str
    section: str | None
    position: int


def read_passages(path: Path) -> list[Passage]:
    """Read a file and split it.

    Args:
        path: A file with one of ``SUFFIXES``; plain text, Markdown and reStructuredText must be UTF-8.

    Raises:
        FileNotFoundError: There is no such file.
        DocumentError: The type is not supported, the file is damaged, or it or its name is not UTF-8.
        MissingPackageError: semantic-text-splitter, or the reader for this type, is not installed.
    """
    try:
        str(path).encode()  # passages are stored with their source
    except UnicodeEncodeError as error:
        raise DocumentError(f"{str(path)!a} is not a name in UTF-8: rename the file or its folder") from error
    suffix = path.suffix.lower()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file")
    if suffix not in SUFFIXES:
        raise DocumentError(
            f"{path} has the unsupported type {suffix or '(none)'}; choose from: {', '.join(sorted(SUFFIXES))}"
        )
    if suffix in _EXTRACTED:
        extracted = _EXTRACTED[suffix](path)
        titles = [(start, f"page {number}") for number, start in enumerate(extracted.pages, 1)]
        if not titles:
            titles = list(_markdown_headings(extracted.text))
        return list(_split(extracted.text, titles, markdown=not extracted.pages))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 (byte {error.start}): convert it first") from error
    return list(_split(text, list(_headings(text, suffix)), markdown=suffix in _MARKDOWN))


def _split(text: str, headings: list[tuple[int, str]], *, markdown: bool) -> Iterator[Passage]:
    try:
        from semantic_text_splitter import MarkdownSplitter, TextSplitter
    except ImportError as error:
        raise missing_package("semantic-text-splitter") from error
    splitter = (MarkdownSplitter if markdown else TextSplitter)(PASSAGE_CHARACTERS)
    section: str | None = None
    following = 0
    found = (
        (start + offset, passage) for start, part in _parts(text) for offset, passage in splitter.chunk_indices(part)
    )
    for position, (start, passage) in enumerate(found):
        # A passage that starts with a heading belongs to it; later headings in the passage are part of its text.
        while following < len(headings) and headings[following][0] <= start:
            section = headings[following][1]
            following += 1
        yield Passage(passage, section, position)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield parts of the text with their offsets; overlong lines are cut, at spaces if possible."""
    start = 0
    for line in _LONG_LINE.finditer(text):
        place = line.start()
        while line.end() - place > _LONGEST_LINE:
            place = text.rfind(" ", place + 1, place + _LONGEST_LINE) + 1 or place + _LONGEST_LINE
            yield start, text[start:place]
            start = place
    yield start, text[start:]


def _headings(text: str, suffix: str) -> Iterator[tuple[int, str]]:
    if suffix in _MARKDOWN:
        yield from _markdown_headings(text)
    elif suffix in _RST:
        yield from _rst_headings(text)


def _markdown_headings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the offsets and titles of ATX headings outside fenced code (CommonMark 0.31, 4.2 and 4.5)."""
    fence = ""
    offset = 0
    for line in text.splitlines(keepends=True):
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and not line[opened.end() :].strip():
                fence = ""
        elif opened:
            fence = opened[1]
        elif (heading := _MARKDOWN_HEADING.match(line.rstrip("\r\n"))) and heading["title"]:
            yield offset, heading["title"]
        offset += len(line)


def _rst_headings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the offsets and titles of lines with an underline at least as long (reStructuredText, Sections)."""
    offset = 0
    before, before_offset = "", 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip()
        title = before.strip()
        if title and _RST_UNDERLINE.match(bare) and len(bare) >= len(title) and not _RST_UNDERLINE.match(title):
            yield before_offset, title
        before, before_offset = line.rstrip(), offset
        offset += len(line)
