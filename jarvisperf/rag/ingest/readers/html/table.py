"""Reads the tables of a web page: each row with a cell for each column, also where cells span rows or columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.rag.ingest.blocks import Block, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ARRANGING: Final = ["table", "pre", "h1", "h2", "h3", "h4", "h5", "h6"]  # a table with these arranges a page
_LISTS: Final = ["ul", "ol"]  # so does one with these, unless it names its columns
_MOST_COLUMNS: Final = 100  # that a cell spans; a page may say anything


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
    rows = [row for row in _rows(node, inline) if any(cell.text for cell in row)]
    if not rows:
        return []
    has_header = len(rows) > 1 and all(cell.is_header for cell in rows[0])
    if max(map(len, rows)) == 1 or (not has_header and node.find(_LISTS) is not None):
        return None
    cells = list(_grid(rows))
    caption = node.find("caption")
    title = " ".join(caption.get_text().split()) if caption is not None else ""
    above = [Block(title, place=place)] if title else []
    return [*above, table(cells[0] if has_header else [], cells[has_header:], place)]


def read_row(node: Any, inline: frozenset[str]) -> str | None:
    """Return a row of a table that arranges a page as a line; None if it has one cell, or more than words in a cell."""
    cells = node.find_all(["td", "th"], recursive=False)
    if any(part.name not in inline and part.name != "br" for cell in cells for part in cell.find_all(True)):
        return None
    texts = [" ".join(cell.get_text(" " if cell.find("br") else "").split()) for cell in cells]
    return f"| {' | '.join(texts)} |" if len(list(filter(None, texts))) > 1 else None


def _rows(node: Any, inline: frozenset[str]) -> list[list[_Cell]]:
    """Return the cells of each row.

    The parser nests cells and rows that are not closed, so a text belongs to the nearest one.
    """
    rows: dict[int, list[Any]] = {}
    texts: dict[int, list[str]] = {}
    for cell in node.find_all(["th", "td"]):
        texts[id(cell)] = []
        rows.setdefault(id(cell.find_parent("tr")), []).append(cell)
    for part in node.descendants:
        if part.name is None or part.name not in inline:
            before = getattr(part.previous_sibling, "name", None)
            is_apart = part.name is not None or (before is not None and before not in inline)
            text = "" if part.name is not None else str(part)
            texts.get(id(part.find_parent(["th", "td"])), []).append(f" {text}" if is_apart else text)
    return [[_cell(cell, "".join(texts[id(cell)])) for cell in row] for row in rows.values()]


def _cell(cell: Any, text: str) -> _Cell:
    columns, rows = _span(cell, "colspan"), _span(cell, "rowspan")
    return _Cell(cell.name == "th", " ".join(text.split()), min(columns, _MOST_COLUMNS), rows)


def _span(cell: Any, name: str) -> int:
    found = str(cell.get(name) or "").strip()
    return max(1, int(found)) if found.isascii() and found.isdigit() and len(found) < len("100000") else 1


def _grid(rows: Sequence[Sequence[_Cell]]) -> Iterator[list[str]]:
    """Yield rows whose cells are in their columns: a cell that spans rows is repeated, so that each row says all."""
    above: dict[int, tuple[str, int]] = {}  # text of a cell that spans more rows, and how many, by column
    for row in rows:
        line: list[str] = []
        below: dict[int, tuple[str, int]] = {}

        def put(text: str, rows_left: int, line: list[str] = line, below: dict[int, tuple[str, int]] = below) -> None:
            if rows_left > 0:
                below[len(line)] = text, rows_left
            line.append(text)

        for cell in row:
            while len(line) in above:
                text, left = above[len(line)]
                put(text, left - 1)
            for column in range(cell.columns):
                put("" if column else cell.text, cell.rows - 1)
        while len(line) in above:
            text, left = above[len(line)]
            put(text, left - 1)
        above = below
        yield line
