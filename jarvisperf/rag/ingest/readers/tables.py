"""Reads tables in .csv and .tsv files; each passage repeats the names of the columns."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, Final

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.blocks import Block, Content, table
from jarvisperf.rag.ingest.encoding import decoded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_DELIMITERS: Final = ",;\t|"
_ROWS_PER_BLOCK: Final = 20  # if some have several lines, each passage knows its line to within this many rows
_MOST_PER_ROW: Final = 200  # characters; longer rows are not written as rows of a table


def read_table(path: Path) -> Content:
    """Read a table whose first row names its columns.

    Raises:
        DocumentError: It is not UTF-8, and has no byte order mark, or a field is longer than the csv module reads.
    """
    text = decoded(path, path.read_bytes())
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DocumentError(f"{path} is not a readable table (line {reader.line_num}): {error}") from error
    if not rows:
        return Content([])
    (first, header), *others = rows
    if not others:
        return Content([table([], [header], {"line": first})])
    characters = sum(len(cell) for _, row in others for cell in row)
    if characters > _MOST_PER_ROW * len(others) or len(delimiter.join(header)) > _MOST_PER_ROW:
        return Content([_record(header, row, line) for line, row in others])
    groups = (others[start : start + _ROWS_PER_BLOCK] for start in range(0, len(others), _ROWS_PER_BLOCK))
    return Content([_part(header, group) for group in groups])


def _part(header: Sequence[str], group: Sequence[tuple[int, list[str]]]) -> Block:
    first, last = group[0][0], group[-1][0]
    has_a_line_each = last - first == len(group) - 1
    return table(header, [row for _, row in group], {"line": first}, 0 if has_a_line_each else None)


def _record(header: Sequence[str], row: Sequence[str], line: int) -> Block:
    """Return a row with the name of each column before its value, for rows of which few fit into a passage."""
    named = itertools.zip_longest(header, row, fillvalue="")
    lines = [f"{name.strip()}: {value.strip()}".removeprefix(": ") for name, value in named if value.strip()]
    return Block("\n".join(lines), place={"line": line})
