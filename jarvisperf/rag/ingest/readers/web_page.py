"""Reads HTML: what a visitor reads, without navigation, by Beautiful Soup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.error_text import in_one_line
from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content, code
from jarvisperf.rag.ingest.encoding import decoded
from jarvisperf.rag.ingest.readers.html.navigation import remove_navigation
from jarvisperf.rag.ingest.readers.html.pictures import description_of
from jarvisperf.rag.ingest.readers.html.table import read_row, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_HEADING: Final = re.compile(r"h[1-6]$")
_INLINE: Final = frozenset(
    re.findall(
        r"\w+",
        "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label mark q rp rt ruby s samp"
        " small span strike strong sub sup time tt u var wbr",
    )
)
_LANGUAGE: Final = re.compile(r"(?:^|\s)(?:language|lang|highlight|highlight-source|brush:)[-\s]?([\w+#-]+)")
_BYLINES: Final = frozenset({"author", "corpauthor", "editor", "editedby", "othercredit", "subtitle"})  # of DocBook
_MOST_IN_MAIN: Final = 0.5


def read_web_page(path: Path) -> Content:
    """Read an HTML file.

    The encoding is that of the byte order mark, else the declared one, else UTF-8, else Windows-1252 (as in browsers;
    WHATWG HTML, "Determining the character encoding").

    Raises:
        MissingPackageError: beautifulsoup4 is not installed.
        DocumentError: The file is damaged, or contains no text.
    """
    try:
        from bs4.dammit import EncodingDetector
    except ImportError as error:
        raise missing_package("beautifulsoup4") from error
    content = path.read_bytes()
    declared = EncodingDetector.find_declared_encoding(content, is_html=True)
    text = decoded(path, content, [declared], "cp1252")
    try:
        blocks = list(blocks_of_html(text, {}))
    except _rejected() as error:
        raise DocumentError(f"{path} is not readable HTML: {in_one_line(error)}") from error
    if not any(block.text.strip() for block in blocks):
        raise DocumentError(
            f"{path} contains no text outside its menus: if a script renders the page, save it from a browser first"
        )
    return Content(blocks)


def blocks_of_html(html: str, place: Mapping[str, int]) -> Iterator[Block]:
    """Yield the blocks of a page or a part of one.

    Args:
        html: The markup.
        place: Where it is in the file; if empty, each block has its line.

    Raises:
        MissingPackageError: beautifulsoup4 is not installed.
        bs4.builder.ParserRejectedMarkup: The markup cannot be parsed.
    """
    try:
        from bs4 import BeautifulSoup
    except ImportError as error:
        raise missing_package("beautifulsoup4") from error
    soup = BeautifulSoup(html, "html.parser")
    remove_navigation(soup)
    return _Walk(place).blocks(_main(soup))


def _main(soup: Any) -> Any:
    """Return the part that the page marks as its main content, with its title; the page if most text is elsewhere."""
    found = soup.select("main, [role=main]") or soup.select("article")
    if len(found) != 1:
        return soup
    inside, whole = (sum(map(len, part.stripped_strings)) for part in (found[0], soup))
    if inside <= whole * _MOST_IN_MAIN:
        return soup
    titles = [title for title in soup("h1") if title.get_text().strip()]
    if len(titles) == 1 and all(part is not found[0] for part in titles[0].parents):
        found[0].insert(0, titles[0].extract())
    return found[0]


def _rejected() -> type[Exception]:
    from bs4.builder import ParserRejectedMarkup

    return ParserRejectedMarkup


class _Walk:
    """Walks a tree without recursion, because pages are nested hundreds of levels deep."""

    def __init__(self, place: Mapping[str, int]) -> None:
        self._place = place
        self._line = 0
        self._text: list[str] = []
        self._is_item = False

    def blocks(self, root: Any) -> Iterator[Block]:
        from bs4.element import NavigableString, PreformattedString, Tag

        stack: list[Any] = [root]
        while stack:
            node = stack.pop()
            if node is None:  # the end of a block
                yield from self._paragraph()
            elif isinstance(node, PreformattedString):  # a comment or a declaration
                continue
            elif isinstance(node, NavigableString):
                self._text.append(re.sub(r"\s+", " ", node))
            elif isinstance(node, Tag):
                if node.name == "br":
                    self._text.append("\n")
                elif node.name == "img":
                    self._text.append(f" {description_of(node)} ")
                elif node.name in _INLINE or not node.name or node is root:
                    stack.extend(reversed(node.contents))
                else:
                    yield from self._paragraph()
                    self._line = node.sourceline or self._line
                    whole = self._whole(node)
                    if whole is not None:
                        yield from whole
                        continue
                    self._is_item = node.name == "li" or (self._is_item and node.name in {"p", "div"})
                    stack += [None, *reversed(node.contents)]
        yield from self._paragraph()

    def _whole(self, node: Any) -> list[Block] | None:
        """Return the block of an element that is not walked through; None if it is."""
        if _HEADING.match(node.name):
            title = _words(node)
            if not title:
                return []
            if not _BYLINES.isdisjoint(_classes(node)):
                return [Block(title, place=self._where())]
            return [Block(f"{'#' * int(node.name[1])} {title}", "heading", title=title, place=self._where())]
        if node.name == "pre":
            return self._code(node)
        if node.name == "table":
            return read_table(node, self._where(), _INLINE)
        row = read_row(node, _INLINE) if node.name == "tr" else None
        return None if row is None else [Block(row, "item", place=self._where())]

    def _code(self, pre: Any) -> list[Block]:
        """Return the code of an element; it may contain the same in several languages."""
        several = [part for part in pre.children if part.name == "code"]
        is_apart = all(part.name == "code" or not part.get_text() for part in pre.children)
        parts = several if len(several) > 1 and is_apart else [pre]
        blocks: list[Block] = []
        for part in parts:
            text = part.get_text().rstrip()
            lines_before = len(text) - len(text.lstrip("\n"))
            if text.strip():
                blocks.append(code(text.lstrip("\n"), _language(part), self._where(), lines_before))
        return blocks

    def _paragraph(self) -> Iterator[Block]:
        text = "\n".join(filter(None, (" ".join(line.split()) for line in "".join(self._text).split("\n"))))
        self._text = []
        if text:
            item, self._is_item = self._is_item, False
            yield Block(f"- {text}" if item else text, "item" if item else "prose", place=self._where())

    def _where(self) -> Mapping[str, int]:
        return self._place or ({"line": self._line} if self._line else {})


def _words(node: Any) -> str:
    return " ".join(node.get_text(" " if node.find("br") else "").split())


def _language(pre: Any) -> str:
    """Return the programming language in the classes of an element, its child or its parents (Pygments, Prism)."""
    for node in (pre.find("code"), pre, pre.parent, pre.parent and pre.parent.parent):
        if node is not None:
            found = _LANGUAGE.search(" ".join(_classes(node)))
            if found and found[1] not in {"default", "none", "text", "notranslate"}:
                return found[1]
    return ""


def _classes(node: Any) -> list[str]:
    found: list[str] | str = node.get("class") or []
    return found.split() if isinstance(found, str) else found
