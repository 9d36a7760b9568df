"""The table at the end of a run, for the terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from jarvisperf.report.table import FOOTNOTE, HEADER, LEFT_ALIGNED, problem_lines, summary_line, table_rows

if TYPE_CHECKING:
    from jarvisperf.report.findings import Findings

NARROWEST_COLUMNS = 100  # below, names fold into columns that nobody can read; a pipe has no width at all


def render(findings: Findings, *, colour: bool, columns: int) -> str:
    """Write the table for a terminal or a pipe.

    Args:
        findings: What to show.
        colour: Whether colours may be used; nothing is said by colour alone.
        columns: The width of the terminal in characters.
    """
    from rich import box
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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in HEADER:
        left = name in LEFT_ALIGNED
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "benchmark", overflow="fold")
    group = None
    for row in table_rows(findings):
        if group is not None and row.group != group:
            table.add_section()
        cells = [row.group if row.group != group else "", *row[1:]]
        group = row.group
        table.add_row(*(Text(cell) for cell in cells))
    if table.row_count:
        console.print(table)
        console.print(Text(FOOTNOTE, style="dim"))
    for line in problem_lines(findings):
        console.print(Text(f"FAILED {line}", style="red"), soft_wrap=True)
    console.print(Text(summary_line(findings), style="bold"))
    return stream.getvalue()
