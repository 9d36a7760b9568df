"""Reads the tables of a web page: each row with a cell for each column, also where cells span rows or columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.rag.ingest.blocks import Block, table
from jarvisperf.rag.ingest.readers.html.pictures import description_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_ARRANGING: Final = ["table", "pre", "h1", "h2", "h3", "h4", "h5", "h6"]  # a table with these arranges a page
_LISTS: Final = ["ul", "ol"]  # so does one with these, unless it names its columns
_CELLS: Final = ["th", "td"]
_MOST_COLUMNS: Final = 100  # that a cell spans; a page may say anything
_MOST_REPEATED: Final = 10  # times the text of the table: then cells that span rows are not repeated any more


class _Cell(NamedTuple):
    is_header: bool
    text: str
    columns: int
    rows: int


def read_table(node: Any, place: Mapping[str, int], inline: frozenset[str]) -> list[Block] | None:
    """Return the blocks of a table; None if it is a way to arrange a page, and is to be walked through.

    Args:
        node: The element.
        place: Where it is in the file.
        inline: The names of elements that do not separate words.
    """
    if node.find(_ARRANGING) is not None:
        return None
    all_rows, outside = _rows(node, inline)
    rows = list(filter(_has_text, all_rows))
    above = [Block(text, place=place) for text in outside if text]
    if not rows:
        return above
    has_header = len(rows) > 1 and all(cell.is_header for cell in rows[0])
    if max(map(len, rows)) == 1 or (not has_header and node.find(_LISTS) is not None):
        return None
    cells = [line for row, line in zip(all_rows, _grid(all_rows), strict=True) if _has_text(row)]
    return [*above, table(cells[0] if has_header else [], cells[has_header:], place)]


def read_row(node: Any, inline: frozenset[str]) -> str | None:
    """Return a row of a table that arranges a page as a line; None if it has one cell, or more than words in a cell."""
    cells = node.find_all(_CELLS, recursive=False)
    if any(part.name not in inline and part.name != "br" for cell in cells for part in cell.find_all(True)):
        return None
    texts = [" ".join("".join(_text_of(part, inline) for part in cell.descendants).split()) for cell in cells]
    return f"| {' | '.join(texts)} |" if len(list(filter(None, texts))) > 1 else None


def _rows(node: Any, inline: frozenset[str]) -> tuple[list[list[_Cell]], list[str]]:
    """Return the cells of each row, and the text that is in none of them, the caption first.

    The parser nests cells and rows that are not closed, so a text belongs to the nearest one.
    """
    rows: dict[int, list[Any]] = {id(row): [] for row in node("tr")}
    caption: list[str] = []
    elsewhere: list[str] = []
    texts: dict[int, list[str]] = {id(found): caption for found in node("caption")}
    for cell in node.find_all(_CELLS):
        texts[id(cell)] = []
        rows.setdefault(id(cell.find_parent("tr")), []).append(cell)
    for part in node.descendants:
        texts.get(id(part.find_parent([*_CELLS, "caption"])), elsewhere).append(_text_of(part, inline))
    cells = [[_cell(cell, "".join(texts[id(cell)])) for cell in row] for row in rows.values()]
    return cells, [" ".join("".join(parts).split()) for parts in (caption, elsewhere)]


def _has_text(row: Sequence[_Cell]) -> bool:
    return any(cell.text for cell in row)


def _text_of(part: Any, inline: frozenset[str]) -> str:
    """Return the text of a string or a picture; a space for an element that separates words."""
    from bs4.element import PreformattedString

    if part.name == "img":
        return f" {description_of(part)} "
    if part.name is not None:
        return "" if part.name in inline else " "
    if isinstance(part, PreformattedString):  # a comment
        return ""
    before = getattr(part.previous_sibling, "name", None)
    return str(part) if before is None or before in inline else f" {part}"


def _cell(cell: Any, text: str) -> _Cell:
    columns, rows = _span(cell, "colspan"), _span(cell, "rowspan")
    return _Cell(cell.name == "th", " ".join(text.split()), min(columns, _MOST_COLUMNS), rows)


def _span(cell: Any, name: str) -> int:
    found = str(cell.get(name) or "").strip()
    return max(1, int(found)) if found.isascii() and found.isdigit() and len(found) < len("100000") else 1


def _grid(rows: Sequence[Sequence[_Cell]]) -> Iterator[list[str]]:
    """Yield rows whose cells are in their columns: a cell that spans rows is repeated, so that each row says all."""
    above: dict[int, tuple[str, int]] = {}  # text of a cell that spans more rows, and how many, by column
    spare = _MOST_REPEATED * sum(len(cell.text) + cell.columns for row in rows for cell in row)
    for row in rows:
        own = [(cell.text if not column else "", cell.rows - 1) for cell in row for column in range(cell.columns)]
        line = list(_placed(own, above))
        above = {column: (text, left) for column, (text, left) in enumerate(line) if left > 0}
        spare -= sum(len(text) + 1 for text, _ in above.values())
        if spare < 0:
            above = {}
        yield [text for text, _ in line]


def _placed(own: Iterable[tuple[str, int]], above: Mapping[int, tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yield the cells of a row, its own where none from above is, each with the number of rows it has left."""
    column = 0
    for cell in own:
        while column in above:
            text, left = above[column]
            yield text, left - 1
            column += 1
        yield cell
        column += 1
    for further in range(column, max(above, default=-1) + 1):
        text, left = above.get(further, ("", 0))
        yield text, left - 1
