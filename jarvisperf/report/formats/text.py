"""`report.txt`: the table as plain text, for any pager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.shared.report import ReportFormat
from jarvisperf.report.shared.table import LEFT_ALIGNED

if TYPE_CHECKING:
    from jarvisperf.report.shared.report import Report

FILE = "report.txt"


def render(report: Report) -> dict[str, bytes]:
    """Render `report.txt`."""
    return {FILE: plain_text(report).encode()}


def plain_text(report: Report) -> str:
    """Write a report as plain text."""
    parts = [report.summary, report.commit, report.machine, ""]
    if report.table:
        parts += [*_aligned(report.columns, [row.texts for row in report.table]), ""]
        parts += [report.footnote, ""] if report.footnote else []
    for title, lines in report.side_by_side.items():
        parts += [title, *(f"  {line}" for line in lines), ""]
    if report.problems:
        parts += ["Failed:", *(f"  {line}" for line in report.problems), ""]
    parts += [f"{one.verdict.capitalize()}: {one.names}: {one.reason}" for one in report.not_compared]
    if report.left_out:
        parts += ["", f"{report.left_out}:", *(f"  {line}" for line in report.left_out_names)]
    if report.unexecuted:
        parts += ["", f"{report.unexecuted}:", *(f"  {line}" for line in report.unexecuted_functions)]
    return "\n".join(parts)


def _aligned(names: tuple[str, ...], rows: list[dict[str, str]]) -> list[str]:
    from rich.cells import cell_len  # a Chinese character is two columns wide

    header = {name: name for name in names}
    widths = {name: max(cell_len(row[name]) for row in (header, *rows)) for name in names}

    def padded(name: str, text: str) -> str:
        blank = " " * (widths[name] - cell_len(text))
        return text + blank if name in LEFT_ALIGNED else blank + text

    lines = ["  ".join(padded(name, row[name]) for name in names).rstrip() for row in (header, *rows)]
    lines.insert(1, "-" * max(map(cell_len, lines)))
    return lines


FORMAT = ReportFormat("text", (FILE,), render)
