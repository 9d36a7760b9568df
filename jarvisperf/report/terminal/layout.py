"""Which columns the table has: as many as leave room for the names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from jarvisperf.report.shared.table import LEFT_ALIGNED, NOTHING
from jarvisperf.report.terminal.interval_bar import WIDTH as BAR_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jarvisperf.report.findings.model import Mode

GAP = "  "
NAME = "benchmark"  # the title above the names, which may all be shorter
BAR = "within threshold?"
INTERVAL = "95% interval"
CHANGE_OF_CHANGED = "change, interval"  # the interval only where something changed
SIGN = " "  # the verdict as a single character
LEFT = LEFT_ALIGNED | {BAR, SIGN}
SHORTEST_NAME_COLUMNS = 20  # names are shortened to this before a column is left out
SHORTEST_ON_NARROW_COLUMNS = 16
DISTINCT_COLUMNS = 32  # up to this, what tells names apart is worth more than the figures of base and head
NARROW_COLUMNS = 80
WIDE_COLUMNS = 100  # narrower terminals show intervals only for what changed
NARROW_BARS = (13, 9)

Cells = dict[str, str]


class TableLayout(NamedTuple):
    """The columns of a table.

    Attributes:
        columns: Their titles, without the benchmark's name.
        name_columns: The width for names.
        bar_columns: The width of bars; 0: no bars.
    """

    columns: tuple[str, ...]
    name_columns: int
    bar_columns: int


def layout_of(rows: Sequence[Cells], width: int, indent: int, mode: Mode) -> TableLayout:
    """Choose the columns.

    Args:
        rows: The cells of each row, by column.
        width: The width of the terminal.
        indent: The columns before a name.
        mode: What the run was compared with.
    """
    longest = max(cell_len(text) for text in (NAME, *(row["benchmark"] for row in rows)))
    shortest = SHORTEST_NAME_COLUMNS if width >= NARROW_COLUMNS else SHORTEST_ON_NARROW_COLUMNS
    distinct = max(shortest, min(_distinct_columns([row["benchmark"] for row in rows]), DISTINCT_COLUMNS))
    layout = TableLayout((), width, 0)
    silent = _silent(rows)
    for wanted, bar in _recording(rows) if mode == "record" else _comparing(rows, width, mode):
        columns = tuple(name for name in wanted if name not in silent)
        room = width - indent - sum(column_width(rows, name, bar) + len(GAP) for name in columns)
        layout = TableLayout(columns, min(room, longest), bar)
        if room >= min(longest, distinct if "base" in columns else shortest):
            break
    return layout


def _distinct_columns(names: Sequence[str]) -> int:
    """Return the width that names need without the beginning that all of them have in common."""
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*set(names), strict=False))
    common = sum(cell_len(letters[0]) for letters in same) if len(set(names)) > 1 else 0
    return max(map(cell_len, names)) - common + 1  # and an ellipsis


def _silent(rows: Sequence[Cells]) -> set[str]:
    """Return the columns in which no row has anything to tell; without any change, bars are among them."""
    silent = {name for name in rows[0] if all(row[name] == NOTHING for row in rows)}
    return silent | {BAR} if "change" in silent else silent


def title(name: str, bar: int) -> str:
    """Return the title that a column shows, given the width of the bars."""
    if name == BAR and bar < len(BAR):
        return "threshold"
    return "change" if name == CHANGE_OF_CHANGED else name


def column_width(rows: Sequence[Cells], name: str, bar: int) -> int:
    """Return the width of a column."""
    return max(bar if name == BAR else len(title(name, bar)), *(cell_len(row[name]) for row in rows))


def _comparing(rows: Sequence[Cells], width: int, mode: Mode) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the columns of a comparison with the width of its bars, in the order of preference."""
    metric = ("metric",) if len({row["metric"] for row in rows} - {NOTHING}) > 1 else ()
    ways = {row["via"] for row in rows} - {NOTHING}
    via = ("via",) if mode == "baseline" and len(ways) > 1 else ()
    figures = ("base", "head")
    if width >= WIDE_COLUMNS:
        yield (*metric, *figures, "change", INTERVAL, BAR, "threshold", "verdict", *via), BAR_WIDTH
        yield (*metric, *figures, "change", INTERVAL, BAR, "verdict", *via), BAR_WIDTH
        yield (*metric, "change", INTERVAL, BAR, "verdict", *via), BAR_WIDTH
    for bar in (BAR_WIDTH, *NARROW_BARS):
        yield (*metric, CHANGE_OF_CHANGED, BAR, "verdict", *via), bar
    for bar in (BAR_WIDTH, *NARROW_BARS):
        yield (*metric, CHANGE_OF_CHANGED, BAR, "verdict"), bar
    for bar in NARROW_BARS:
        yield (*metric, "change", BAR, "verdict"), bar
    yield (*metric, "change", "verdict"), 0
    yield (*metric, "change", SIGN), 0
    yield (*metric, SIGN), 0


def _recording(rows: Sequence[Cells]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the columns of a run that was compared with nothing, all of them first."""
    metric = ("metric",) if len({row["metric"] for row in rows} - {NOTHING}) > 1 else ()
    order = ("median", "limit", "before/after", "spread", "ops/s", "samples")
    known = [name for name in order if name == "median" or any(row[name] != NOTHING for row in rows)]
    for count in range(len(known), 0, -1):
        yield (*metric, *known[:count]), 0
