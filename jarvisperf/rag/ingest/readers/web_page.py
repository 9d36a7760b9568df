"""Reads HTML: what a visitor reads, without navigation, by Beautiful Soup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.error_text import in_one_line
from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content, code, table
from jarvisperf.rag.ingest.encoding import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_UNSEEN: Final = ("head", "script", "style", "template", "noscript", "svg", "iframe", "object", "select", "button")
_NAVIGATION: Final = (
    "nav, [role=navigation], [role=search], [role=banner], [role=contentinfo], [hidden], [aria-hidden=true],"
    " body > header, body > footer, .sphinxsidebar, .related, .headerlink, .breadcrumb, .breadcrumbs, .skip-link,"
    " .toc, #toc, .mw-editsection, .md-sidebar, .linenos, .lineno"
)
_PERMALINK: Final = re.compile(r"^\s*[¶#§🔗\uf0c1]?\s*$")
_HEADING: Final = re.compile(r"h[1-6]$")
_INLINE: Final = frozenset(
    re.findall(
        r"\w+",
        "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label mark q rp rt ruby s samp"
        " small span strike strong sub sup time tt u var wbr",
    )
)
_LANGUAGE: Final = re.compile(r"(?:^|\s)(?:language|lang|highlight|highlight-source|brush:)[-\s]?([\w+#-]+)")
_IN_LAYOUT: Final = ["table", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"]  # such a table arranges a page
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
        raise DocumentError(f"{path} contains no text: if a script renders the page, save it from a browser first")
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
    for tag in [*soup(list(_UNSEEN)), *soup.select(_NAVIGATION)]:
        tag.decompose()
    for tag in soup.select("h1 a, h2 a, h3 a, h4 a, h5 a, h6 a, dt a"):
        if _PERMALINK.match("".join(tag.strings)) and tag.find("img") is None:
            tag.decompose()
    return _Walk(place).blocks(_main(soup))


def _main(soup: Any) -> Any:
    """Return the part that the page marks as its main content, unless most of the text is elsewhere."""
    found = soup.select("main, [role=main]") or soup.select("article")
    if len(found) != 1:
        return soup
    inside, whole = (sum(map(len, part.stripped_strings)) for part in (found[0], soup))
    return found[0] if inside > whole * _MOST_IN_MAIN else soup


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
                    self._text.append(f" {node.get('alt') or ''} ")
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
            return (
                [Block(f"{'#' * int(node.name[1])} {title}", "heading", title=title, place=self._where())]
                if title
                else []
            )
        if node.name == "pre":
            text = node.get_text().strip("\n").rstrip()
            return [code(text, _language(node), self._where())] if text.strip() else []
        if node.name == "table" and node.find(_IN_LAYOUT) is None:
            return self._table(node)
        return None

    def _table(self, node: Any) -> list[Block] | None:
        """Return a table; None if it has one column, and is a way to arrange text."""
        rows = [row for row in _rows(node) if any(text for _, text in row)]
        if not rows:
            return []
        if max(map(len, rows)) == 1:
            return None
        has_header = len(rows) > 1 and all(name == "th" for name, _ in rows[0])
        cells = [[text for _, text in row] for row in rows]
        caption = node.find("caption")
        above = [Block(_words(caption), place=self._where())] if caption is not None else []
        return [*above, table(cells[0] if has_header else [], cells[has_header:], self._where())]

    def _paragraph(self) -> Iterator[Block]:
        text = "\n".join(filter(None, (" ".join(line.split()) for line in "".join(self._text).split("\n"))))
        self._text = []
        if text:
            item, self._is_item = self._is_item, False
            yield Block(f"- {text}" if item else text, "item" if item else "prose", place=self._where())

    def _where(self) -> Mapping[str, int]:
        return self._place or ({"line": self._line} if self._line else {})


def _rows(node: Any) -> list[list[tuple[str, str]]]:
    """Return the name and text of each cell by row.

    The parser nests cells and rows that are not closed, so a text belongs to the nearest one.
    """
    rows: dict[int, dict[int, tuple[str, list[str]]]] = {}
    places: dict[int, list[str]] = {}
    for cell in node.find_all(["th", "td"]):
        places[id(cell)] = []
        rows.setdefault(id(cell.find_parent("tr")), {})[id(cell)] = (cell.name, places[id(cell)])
    for part in node.descendants:
        if part.name in {None, "br"}:
            texts = places.get(id(part.find_parent(["th", "td"])), [])
            texts.append(" " if part.name else str(part))
    return [[(name, " ".join("".join(texts).split())) for name, texts in row.values()] for row in rows.values()]


def _words(node: Any) -> str:
    return " ".join(node.get_text(" " if node.find("br") else "").split())


def _language(pre: Any) -> str:
    """Return the programming language in the classes of an element, its child or its parents (Pygments, Prism)."""
    for node in (pre.find("code"), pre, pre.parent, pre.parent and pre.parent.parent):
        if node is not None:
            classes = node.get("class") or []
            found = _LANGUAGE.search(" ".join(classes) if isinstance(classes, list) else classes)
            if found and found[1] not in {"default", "none", "text", "notranslate"}:
                return found[1]
    return ""
