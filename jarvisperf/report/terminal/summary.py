"""The tables at the end of a run, for the terminal and for logs; the last line is for people in a hurry."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from jarvisperf.report.shared.profile_view import reasons
from jarvisperf.report.shared.table import by_gravity, footnote, problem_lines, summary_line, verdict_of

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

NARROWEST_COLUMNS = 40  # a pipe has no width at all
MOST_BENCHMARKS = 100
QUIET = frozenset({"unchanged", "new"})


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
    shown, left_out = _shown(findings)
    if any(finding.metrics for finding in shown):
        print_table(console, findings, shown, unicode=unicode)
        if left_out:
            console.print(Text(f"and {left_out} more that are {_words(findings)}: the report has them all"))
        console.print()
        console.print(Text(footnote(findings), style="dim"))
    for line in reasons(findings):
        console.print(Text(f"WHY {line}"), soft_wrap=True)
    for line in problem_lines(findings):
        console.print(Text(f"FAILED {line}", style="red"), soft_wrap=True)
    console.print(Text(summary_line(findings), style="bold"), soft_wrap=True)
    return re.sub(" +$", "", stream.getvalue(), flags=re.MULTILINE)


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
