"""The table at the end of a run, for the terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from jarvisperf.report.table import LEFT_ALIGNED, NOTHING, footnote, problem_lines, summary_line, table_rows
from jarvisperf.report.table import columns as table_columns

if TYPE_CHECKING:
    from rich.text import Text

    from jarvisperf.report.findings import Findings
    from jarvisperf.report.table import Row

NARROWEST_COLUMNS = 80  # below, names fold into columns that nobody can read; a pipe has no width at all
SHORTEST_NAME_COLUMNS = 20
GAP_COLUMNS = 2


def render(findings: Findings, *, colour: bool, columns: int) -> str:
    """Write the table for a terminal or a pipe.

    Args:
        findings: What to show.
        colour: Whether colours may be used; nothing is said by colour alone.
        columns: The width of the terminal in characters.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    console = Console(
        file=stream,
        width=max(columns, NARROWEST_COLUMNS),
        color_system="standard" if colour else None,
        force_terminal=colour,
        highlight=False,
        emoji=False,
        markup=False,
    )
    table = Table(box=None, padding=(0, GAP_COLUMNS, 0, 0), pad_edge=False, header_style="bold")
    # The group is a line of its own above its benchmarks: as a column it would take the width that names need.
    table.add_column("group, benchmark", overflow="fold", min_width=SHORTEST_NAME_COLUMNS)
    names = table_columns(findings)[2:]
    for name in names:
        table.add_column(name, justify="left" if name in LEFT_ALIGNED else "right", no_wrap=True)
    group = None
    rows = table_rows(findings)
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            table.add_row(Text("no group" if group == NOTHING else group, style="bold cyan"))
        table.add_row(Text(f"  {row['benchmark']}"), *(_cell(name, row[name]) for name in names))
    if table.row_count:
        # A row that the terminal breaks can still be read; one without its benchmark's name cannot.
        width = console.width
        console.width = max(width, SHORTEST_NAME_COLUMNS + GAP_COLUMNS + sum(_width(name, rows) for name in names))
        console.print(table)
        console.width = width
        console.print()
        console.print(Text(footnote(findings), style="dim"))
    for line in problem_lines(findings):
        console.print(Text(f"FAILED {line}", style="red"), soft_wrap=True)
    console.print(Text(summary_line(findings), style="bold"))
    return stream.getvalue()


def _width(name: str, rows: list[Row]) -> int:
    return max(len(name), *(len(row[name]) for row in rows)) + GAP_COLUMNS


def _cell(name: str, text: str) -> Text:
    from rich.text import Text

    styles = {"regressed": "bold red", "error": "bold red", "missing": "bold red", "improved": "green"}
    return Text(text, style=styles.get(text, "") if name == "verdict" else "")
