"""The summary at the end of a run, for terminals and logs; its last line is the overall result."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from jarvisperf.report.shared.report import Report
from jarvisperf.report.shared.table import verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

NARROWEST_COLUMNS = 40  # a pipe reports no width
MOST_BENCHMARKS = 100
QUIET = frozenset({"unchanged", "new"})


def shows_unicode(encoding: str | None) -> bool:
    """Return whether an encoding has the characters of the bars."""
    try:
        "┊│━●◂▸".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def render(findings: Findings, *, colour: bool, columns: int, unicode: bool = True) -> str:
    """Render the summary for a terminal or a pipe.

    Args:
        findings: The findings to show.
        colour: Whether to use colours; everything can be read without them.
        columns: The width of the terminal in characters.
        unicode: Whether the terminal shows more than ASCII.
    """
    from rich.console import Console
    from rich.text import Text

    from jarvisperf.report.terminal.tables import print_table

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
    report = Report(findings)
    shown, left_out = _shown(report.ordered)
    if any(finding.metrics for finding in shown):
        print_table(console, report, shown, unicode=unicode)
        if left_out:
            console.print(Text(f"and {left_out} more that are {_words(findings)}: the report has them all"))
        console.print()
        console.print(Text(report.footnote, style="dim"))
    for line in report.reasons:
        console.print(Text(f"WHY {line}"), soft_wrap=True)
    for line in report.problems:
        console.print(Text(f"FAILED {line}", style="red"), soft_wrap=True)
    console.print(Text(report.summary, style="bold"), soft_wrap=True)
    return re.sub(" +$", "", stream.getvalue(), flags=re.MULTILINE)


def _shown(ordered: Sequence[BenchmarkFinding]) -> tuple[list[BenchmarkFinding], int]:
    """Return the benchmarks to show, and the number of unremarkable ones left out of a list too long to read."""
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
