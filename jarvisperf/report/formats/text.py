"""`report.txt`: the table for any pager, without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.formats.base import Report
from jarvisperf.report.shared.table import (
    LEFT_ALIGNED,
    columns,
    commit_line,
    footnote,
    machine_line,
    problem_lines,
    summary_line,
    table_rows,
)
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings
    from jarvisperf.report.shared.table import Row


class TextReport(Report):
    """Writes `report.txt`."""

    files = ("report.txt",)

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
        parts += [*_aligned(columns(findings), rows), "", footnote(findings), ""]
    problems = problem_lines(findings)
    if problems:
        parts += ["Failed:", *(f"  {line}" for line in problems), ""]
    return "\n".join(parts)


def _aligned(names: tuple[str, ...], rows: list[Row]) -> list[str]:
    from rich.cells import cell_len  # a Chinese character takes two columns

    header = {name: name for name in names}
    widths = {name: max(cell_len(row[name]) for row in (header, *rows)) for name in names}

    def padded(name: str, text: str) -> str:
        blank = " " * (widths[name] - cell_len(text))
        return text + blank if name in LEFT_ALIGNED else blank + text

    lines = ["  ".join(padded(name, row[name]) for name in names).rstrip() for row in (header, *rows)]
    lines.insert(1, "-" * max(map(cell_len, lines)))
    return lines
