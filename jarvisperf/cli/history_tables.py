"""Tables of `jarvisperf history`: the changes of all benchmarks, and the runs of one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from jarvisperf.cli.run_tables import aligned
from jarvisperf.history.change_points import FEWEST_RUNS
from jarvisperf.measure.metrics import TIME
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.headline import counted
from jarvisperf.report.shared.names import label, short_names, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.history.model import History, LevelChange, Series

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*#@"
SPARK_WIDTH = 60
NAME = "benchmark"
SHORTEST_NAME_COLUMNS = 24  # names are shortened to this before the medians are left out


def changes_table(chosen: Sequence[Series], history: History, columns: int, *, unicode: bool) -> list[str]:
    """Show the changes of all benchmarks, the latest first.

    Args:
        chosen: The series to show.
        history: The stored runs.
        columns: The width of the terminal.
        unicode: Whether the terminal shows more than ASCII.
    """
    from rich.cells import cell_len

    first = f"{counted(len(history.series), 'benchmark')} in {counted(len(history.occasions), 'run')}"
    found = [(series, change) for series in chosen for change in series.changes]
    if not found:
        return [f"{first}: {_no_change(chosen)}"]
    found.sort(key=lambda pair: (-pair[1].place, -abs(pair[1].ratio - 1)))
    names = short_names(list(history.series))
    rows: list[tuple[str, ...]] = [("since", "commit", "change", "before", "after")]
    rows += [_change_row(series, change, history) for series, change in found]
    shown = [label(names[series.benchmark], series.metric) for series, _ in found]
    if columns - _width(rows) < min(max(map(cell_len, (NAME, *shown))), SHORTEST_NAME_COLUMNS):
        rows = [row[:3] for row in rows]
    short = dict(zip(shown, shortened(shown, columns - _width(rows), "…" if unicode else "..."), strict=True))
    titles = [NAME, *(short[name] for name in shown)]
    table = aligned([(*row, name) for row, name in zip(rows, titles, strict=True)])
    return [*table, "", f"{first}: {counted(len(found), 'change')}"]


def runs_table(series: Series, history: History, columns: int, *, unicode: bool) -> list[str]:
    """Show the runs of one benchmark.

    Args:
        series: Its figures.
        history: The stored runs.
        columns: The width of the terminal.
        unicode: Whether the terminal shows more than ASCII.
    """
    changes = {change.place: change for change in series.changes}
    name = series.benchmark if series.metric == TIME.name else f"{series.benchmark} ({series.metric})"
    head = f"{name}, {counted(len(series.points), 'run')}"
    rows: list[tuple[str, ...]] = [("created (UTC)", "commit", "median", "middle half")]
    notes = [""]
    for point in series.points:
        occasion, change = history.occasions[point.place], changes.get(point.place)
        rows.append(
            (
                f"{occasion.created:%Y-%m-%d %H:%M:%S}",
                occasion.shown,
                units.quantity(point.median, series.unit),
                f"{units.quantity(point.low, series.unit)} to {units.quantity(point.high, series.unit)}",
            )
        )
        notes.append(f"<- {change_words(change.ratio, series.unit).change} since here" if change else "")
    if _width(rows) + max(map(len, notes)) > columns:
        rows = [row[:3] for row in rows]
    table = aligned([(*row, note) for row, note in zip(rows, notes, strict=True)])
    lines = [_sentence(series, change, history) for change in series.changes] or [_no_change([series])]
    note = "changes were searched for after removing the drift that the yardstick explains"
    return [
        head,
        _sparkline(series, unicode=unicode),
        "",
        *table,
        "",
        *([note] if series.yardstick else []),
        *lines,
        "",
    ]


def _no_change(chosen: Sequence[Series]) -> str:
    """Say that no change was found, and if so that there was nothing to search."""
    most = max((len(series.points) for series in chosen), default=0)
    if most < FEWEST_RUNS:
        return f"changes are searched for once there are {FEWEST_RUNS} runs"
    return "no change found"


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return the width of columns, with the gap after each."""
    return sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))


def _change_row(series: Series, change: LevelChange, history: History) -> tuple[str, ...]:
    occasion = history.occasions[change.place]
    return (
        f"{occasion.created:%Y-%m-%d %H:%M}",
        occasion.shown,
        change_words(change.ratio, series.unit).change,
        units.quantity(change.before, series.unit),
        units.quantity(change.after, series.unit),
    )


def _sentence(series: Series, change: LevelChange, history: History) -> str:
    since, commit, words, before, after = _change_row(series, change, history)
    return f"{words} since {since} ({commit}): from {before} to {after}"


def _sparkline(series: Series, *, unicode: bool) -> str:
    values = [point.median for point in series.levels()]
    if len(values) > SPARK_WIDTH:  # each column shows the median of its share of the runs
        edges = [round(step * len(values) / SPARK_WIDTH) for step in range(SPARK_WIDTH + 1)]
        values = [sorted(values[a:b])[(b - a) // 2] for a, b in itertools.pairwise(edges)]
    blocks = BLOCKS if unicode else ASCII_BLOCKS
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(blocks[min(int((value - low) / span * len(blocks)), len(blocks) - 1)] for value in values)
