"""`report.txt`: the table for any pager, without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.base import Report
from jarvisperf.report.table import (
    FOOTNOTE,
    HEADER,
    LEFT_ALIGNED,
    Row,
    commit_line,
    machine_line,
    problem_lines,
    summary_line,
    table_rows,
)
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings import Findings


class TextReport(Report):
    """Writes `report.txt`."""

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `report.txt` in UTF-8."""
        path = folder / "report.txt"
        write_whole(path, render(findings).encode())
        return [path]


def render(findings: Findings) -> str:
    """Write the findings as plain text."""
    parts = [summary_line(findings), commit_line(findings), machine_line(findings), ""]
    rows = table_rows(findings)
    if rows:
        parts += [*_aligned([HEADER, *rows]), "", FOOTNOTE, ""]
    problems = problem_lines(findings)
    if problems:
        parts += ["Failed:", *(f"  {line}" for line in problems), ""]
    return "\n".join(parts)


def _aligned(rows: list[Row]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]

    def line(row: Row) -> str:
        cells = (
            cell.ljust(width) if name in LEFT_ALIGNED else cell.rjust(width)
            for name, cell, width in zip(Row._fields, row, widths, strict=True)
        )
        return "  ".join(cells).rstrip()

    lines = [line(row) for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return lines
