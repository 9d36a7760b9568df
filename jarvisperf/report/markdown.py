"""`report.md`: the table and the picture, for a pull request or a repository's page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jarvisperf.report.base import Report
from jarvisperf.report.plots import BEFORE_AFTER, pairs_of
from jarvisperf.report.table import (
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
    from collections.abc import Iterable
    from pathlib import Path

    from jarvisperf.report.findings import Findings

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


class MarkdownReport(Report):
    """Writes `report.md`."""

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `report.md` in UTF-8; the picture that it shows is written by `PlotsReport`."""
        path = folder / "report.md"
        write_whole(path, render(findings).encode())
        return [path]


def render(findings: Findings) -> str:
    """Write the findings as GitHub-flavoured Markdown."""
    parts = [
        "# Benchmarks",
        "",
        f"**{escape(summary_line(findings))}**",
        "",
        f"{escape(commit_line(findings))}; measured {findings.created} on {escape(machine_line(findings))}.",
        "",
    ]
    if pairs_of(findings):
        parts += [f"![Bars of every pair, before and after, on a log scale](plots/{BEFORE_AFTER}.png)", ""]
    rows = table_rows(findings)
    if rows:
        names = columns(findings)
        parts += [_line(names), _line("---" if name in LEFT_ALIGNED else "---:" for name in names)]
        parts += [_line(escape(row[name]) for name in names) for row in rows]
        parts += ["", footnote(findings), ""]
    problems = problem_lines(findings)
    if problems:
        parts += ["## Failed", "", *(f"- {escape(line)}" for line in problems), ""]
    return "\n".join(parts)


def escape(text: str) -> str:
    """Write text so that Markdown shows it as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
