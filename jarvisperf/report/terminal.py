"""The tables at the end of a run, for the terminal and for logs; the last line is for people in a hurry."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from jarvisperf.report.bar import WIDTH as BAR_WIDTH
from jarvisperf.report.bar import interval_bar
from jarvisperf.report.profile_view import reasons
from jarvisperf.report.table import (
    LEFT_ALIGNED,
    NOTHING,
    by_gravity,
    footnote,
    problem_lines,
    row_of,
    short_names,
    summary_line,
    verdict_of,
)
from jarvisperf.report.table import columns as table_columns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from jarvisperf.report.findings import BenchmarkFinding, Findings
    from jarvisperf.report.table import Row

NARROWEST_COLUMNS = 80  # below, names fold into columns that nobody can read; a pipe has no width at all
SHORTEST_NAME_COLUMNS = 20
GAP_COLUMNS = 2
MOST_BENCHMARKS = 100
QUIET = frozenset({"unchanged", "new"})
BAR = "within threshold?"
STYLES = {
    "regressed": "bold red",
    "error": "bold red",
    "missing": "bold red",
    "inconclusive": "yellow",
    "improved": "green",
}


def shows_unicode(encoding: str | None) -> bool:
    """Tell whether an encoding has the characters of the bars."""
    try:
        "┊│━●◂▸".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def render(findings: Findings, *, colour: bool, columns: int, unicode: bool = True) -> str:
    """Write the tables for a terminal or a pipe.

    Args:
        findings: What to show.
        colour: Whether colours may be used; nothing is said by colour alone.
        columns: The width of the terminal in characters.
        unicode: Whether the terminal shows more than ASCII.
    """
    from rich.console import Console
    from rich.text import Text

    stream = io.StringIO()
    console = Console(
        file=stream,
        width=max(columns, NARROWEST_COLUMNS),
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    shown, left_out = _shown(findings)
    if any(finding.metrics for finding in shown):
        _print_table(console, findings, shown, unicode=unicode)
        if left_out:
            console.print(Text(f"and {left_out} more that are {_words(findings)}: the report has them all"))
        console.print()
        console.print(Text(footnote(findings), style="dim"))
    for line in reasons(findings):
        console.print(Text(f"WHY {line}"), soft_wrap=True)
    for line in problem_lines(findings):
        console.print(Text(f"FAILED {line}", style="red"), soft_wrap=True)
    console.print(Text(summary_line(findings), style="bold"), soft_wrap=True)
    return stream.getvalue()


def _shown(findings: Findings) -> tuple[list[BenchmarkFinding], int]:
    """Give the benchmarks to show, and how many quiet ones are left out where there are too many to read."""
    ordered = by_gravity(findings)
    room = max(MOST_BENCHMARKS - sum(verdict_of(finding) not in QUIET for finding in ordered), 0)
    shown = []
    left_out = 0
    for finding in ordered:
        if verdict_of(finding) in QUIET:
            if not room:
                left_out += 1
                continue
            room -= 1
        shown.append(finding)
    return shown, left_out


def _words(findings: Findings) -> str:
    return "unchanged or new" if findings.base else "measured"


def _print_table(console: Console, findings: Findings, shown: list[BenchmarkFinding], *, unicode: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    short = short_names(findings)
    names = table_columns(findings)[2:]
    rows = [
        (row_of(finding, short[finding.id], name, metric), interval_bar(metric, unicode=unicode))
        for finding in shown
        for name, metric in finding.metrics.items()
    ]
    # A row that the terminal breaks can still be read; one without its benchmark's name cannot.
    least = SHORTEST_NAME_COLUMNS + GAP_COLUMNS + sum(_width(name, [row for row, _ in rows]) for name in names)
    longest = max(len(row["benchmark"]) for row, _ in rows) + 2
    barred = findings.base is not None and console.width >= least + BAR_WIDTH + GAP_COLUMNS + min(
        longest - SHORTEST_NAME_COLUMNS, SHORTEST_NAME_COLUMNS
    )
    table = Table(box=None, padding=(0, GAP_COLUMNS, 0, 0), pad_edge=False, header_style="bold")
    # The group is a line of its own above its benchmarks: as a column it would take the width that names need.
    table.add_column("group, benchmark", overflow="fold", min_width=SHORTEST_NAME_COLUMNS)
    for name in names:
        if name == "threshold" and barred:
            table.add_column(BAR, no_wrap=True)
        table.add_column(name, justify="left" if name in LEFT_ALIGNED else "right", no_wrap=True)
    group = None
    for row, bar in rows:
        if row["group"] != group:
            group = row["group"]
            table.add_row(Text("no group" if group == NOTHING else group, style="bold cyan"))
        cells = [_cell(name, row[name]) for name in names]
        if barred:
            cells.insert(names.index("threshold"), Text(bar, style=STYLES.get(row["verdict"], "")))
        table.add_row(Text(f"  {row['benchmark']}"), *cells)
    width = console.width
    console.width = max(width, least)
    console.print(table)
    console.width = width


def _width(name: str, rows: list[Row]) -> int:
    return max(len(name), *(len(row[name]) for row in rows)) + GAP_COLUMNS


def _cell(name: str, text: str) -> Text:
    from rich.text import Text

    return Text(text, style=STYLES.get(text, "") if name == "verdict" else "")
