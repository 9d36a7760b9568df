"""The table of benchmarks, for terminals of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jarvisperf.report.shared.table import LEFT_ALIGNED, NOTHING
from jarvisperf.report.terminal.interval_bar import WIDTH as BAR_WIDTH
from jarvisperf.report.terminal.interval_bar import interval_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from jarvisperf.report.findings.model import BenchmarkFinding
    from jarvisperf.report.shared.report import Report

Row = dict[str, str]  # the cells of one metric of one benchmark, by column

SHORTEST_NAME_COLUMNS = 20
MOST_NAME_LINES = 3
GAP_COLUMNS = 2
INDENT = "  "
BAR = "within threshold?"
LEFT = LEFT_ALIGNED | {BAR}
GROUP_STYLE = "bold cyan"
STYLES = {
    "regressed": "bold red",
    "error": "bold red",
    "missing": "bold red",
    "inconclusive": "yellow",
    "improved": "green",
}


def print_table(console: Console, report: Report, shown: list[BenchmarkFinding], *, unicode: bool) -> None:
    """Print the benchmarks, their names next to the figures if there is room, otherwise above them.

    Args:
        console: The console to print to.
        report: The whole report.
        shown: The benchmarks to show, which have at least one metric.
        unicode: Whether the terminal shows more than ASCII.
    """
    names = list(report.columns[2:])
    rows = [
        row.texts | {BAR: interval_bar(row.metric, unicode=unicode)}
        for finding in shown
        for row in report.rows_by_id[finding.id]
    ]
    figures = sum(_width(name, rows) for name in names)
    room = console.width - figures - GAP_COLUMNS - len(INDENT)
    longest = max(cell_len(row["benchmark"]) for row in rows)
    beside = room >= min(longest, SHORTEST_NAME_COLUMNS) and longest <= MOST_NAME_LINES * room
    if beside:
        room -= min(longest, 2 * SHORTEST_NAME_COLUMNS)
    if report.findings.base is not None and room >= BAR_WIDTH + GAP_COLUMNS:
        names.insert(names.index("threshold"), BAR)
    (_print_beside if beside else _print_above)(console, rows, names)


def _print_beside(console: Console, rows: list[Row], names: Sequence[str]) -> None:
    """Print a line for each metric, starting with the benchmark's name."""
    table = Table(box=None, padding=(0, GAP_COLUMNS, 0, 0), pad_edge=False, header_style="bold")
    # The group is on a separate line above its benchmarks: a column would take up the width that names need.
    table.add_column("group, benchmark", overflow="fold")
    for name in names:
        table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            table.add_row(Text(_group(row), style=GROUP_STYLE))
        cells = [Text(row[name], style=_style(name, row)) for name in names]
        table.add_row(Text(f"{INDENT}{row['benchmark']}"), *cells)
    console.print(table)


def _print_above(console: Console, rows: list[Row], names: Sequence[str]) -> None:
    """Print each name on its own lines, and the figures below it."""
    widths = {name: _width(name, rows) for name in names}
    fits = sum(widths.values()) + 2 * len(INDENT) - GAP_COLUMNS <= console.width
    if fits:
        console.print("group", style=GROUP_STYLE)
        console.print(f"{INDENT}benchmark", style="bold")
        console.print(2 * INDENT + "".join(_padded(name, name, widths[name]) for name in names), style="bold")
    group = benchmark = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            console.print(Text(_group(row), style=GROUP_STYLE, overflow="fold"))
        if row["benchmark"] != benchmark:
            benchmark = row["benchmark"]
            console.print(_indented(Text(benchmark), 1))
        line = Text().join(Text(_padded(name, row[name], widths[name]), style=_style(name, row)) for name in names)
        console.print(_indented(line if fits else _sentence(row, names), 2))


def _sentence(row: Row, names: Sequence[str]) -> Text:
    """Write a row as words that can wrap."""
    words = [Text(row["verdict"], style=_style("verdict", row))] if "verdict" in names else []
    words += [Text(f"{name} {row[name]}") for name in names if name not in {"metric", "verdict", BAR}]
    return Text(f"{row['metric']}: ") + Text(", ").join(words)


def _indented(text: Text, steps: int) -> Padding:
    text.overflow = "fold"
    return Padding(text, (0, 0, 0, steps * len(INDENT)))


def _group(row: Row) -> str:
    return "no group" if row["group"] == NOTHING else row["group"]


def _style(name: str, row: Row) -> str:
    return STYLES.get(row["verdict"], "") if name in {"verdict", BAR} else ""


def _padded(name: str, text: str, width: int) -> str:
    blank = " " * (width - GAP_COLUMNS - cell_len(text))
    return (text + blank if name in LEFT else blank + text) + " " * GAP_COLUMNS


def _width(name: str, rows: list[Row]) -> int:
    return max(len(name), *(cell_len(row[name]) for row in rows)) + GAP_COLUMNS
