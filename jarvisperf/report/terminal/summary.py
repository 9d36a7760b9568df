"""The summary at the end of a run, for terminals and logs; its last line is the overall result."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING

from jarvisperf.escaping import ascii_only, log_lines, visible
from jarvisperf.report.shared.report import Report
from jarvisperf.report.shared.table import verdict_of
from jarvisperf.report.shared.uncompared import MOST_NAMED
from jarvisperf.report.terminal.wrapping import with_short_words, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

Note = tuple[str, str]  # a line, and its style

NARROWEST_COLUMNS = 40  # a pipe reports no width
MOST_BENCHMARKS = 100
QUIET = frozenset({"unchanged", "new", "skipped"})


def shows_unicode(encoding: str | None) -> bool:
    """Return whether an encoding has the characters of the bars."""
    try:
        "┊│━●◂▸".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def wraps_lines(*, is_terminal: bool) -> bool:
    """Return whether sentences are broken between words: not in a log, unless somebody set its width."""
    return is_terminal or "COLUMNS" in os.environ


def render(
    findings: Findings,
    *,
    colour: bool,
    columns: int,
    unicode: bool = True,
    wraps: bool = True,
    notes: Sequence[Note] = (),
) -> str:
    """Render the summary for a terminal or a pipe. Its last line summarizes the findings.

    Args:
        findings: The findings to show.
        colour: Whether to use colours; everything can be read without them.
        columns: The width of the terminal in characters.
        unicode: Whether the terminal shows more than ASCII.
        wraps: Whether to break sentences between words. Those who search a log rather want whole lines.
        notes: Further lines, which stand before the last one.
    """
    from rich.console import Console
    from rich.text import Text

    columns = max(columns, NARROWEST_COLUMNS)
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=columns,
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )

    def show(text: str, style: str = "") -> None:
        text = visible(text) if unicode else ascii_only(visible(text))
        for line in wrapped(text, columns) if wraps else [text]:
            console.print(Text(line, style=style), soft_wrap=True)

    report = Report(findings)
    titles = _show_table(console, report, show, columns, unicode=unicode)
    for title, lines in report.side_by_side.items():
        show(title, "bold")
        for line in lines:
            show(f"  {line}")
    remarks = [(note, "dim") for note in _again(report)] if "via" not in titles else []
    remarks += [(f"WHY {reason}", "") for reason in report.reasons]
    remarks += [(f"FAILED {problem}", "red") for problem in report.problems]
    remarks += [(f"{found.verdict.upper()} {found.names}: {found.reason}", "") for found in report.not_compared]
    texts = [text for text, _ in remarks]
    if wraps:
        texts = with_short_words(texts, columns, "…" if unicode else "...")
    for text, (_, style) in zip(texts, remarks, strict=True):
        show(text, style)
    for line, named in (
        (report.left_out, report.left_out_names),
        (report.unexecuted, report.unexecuted_functions),
    ):
        if line:
            more = f", and {len(named) - MOST_NAMED:,} more in the report" if len(named) > MOST_NAMED else ""
            show(f"{line}: {', '.join(named[:MOST_NAMED])}{more}")
    for text, style in notes:
        show(text, style)
    show(report.summary, "bold")
    return log_lines(re.sub(" +$", "", stream.getvalue(), flags=re.MULTILINE))


def _show_table(
    console: Console, report: Report, show: Callable[..., None], columns: int, *, unicode: bool
) -> Sequence[str]:
    """Show the table and what its columns mean, and return their titles."""
    from jarvisperf.report.terminal.legend import legend
    from jarvisperf.report.terminal.tables import table_of

    findings = report.findings
    shown, left_out = _shown(report.ordered)
    if not shown:
        return ()
    table = table_of(report, shown, columns, unicode=unicode)
    for line in table.lines:
        console.print(line, soft_wrap=True)
    if left_out:
        show(f"and {left_out:,} more that are {_words(findings)}: the report has them all")
    console.print()
    meaning = legend(findings, table.columns, unicode=unicode) if report.footnote else ""
    if meaning:
        show(meaning, "dim")
    return table.columns


def _again(report: Report) -> list[str]:
    """Return a line with the benchmarks measured again in lockstep, for tables that do not show that."""
    if report.findings.mode != "baseline":
        return []
    again = [
        report.names[finding.id]
        for finding in report.ordered
        if any(metric.via == "lockstep" for metric in finding.metrics.values())
    ]
    if not again:
        return []
    more = f" and {len(again) - MOST_NAMED:,} more" if len(again) > MOST_NAMED else ""
    return [f"Measured again in lockstep: {', '.join(again[:MOST_NAMED])}{more}."]


def _shown(ordered: Sequence[BenchmarkFinding]) -> tuple[list[BenchmarkFinding], int]:
    """Return the benchmarks to show, and the number of unremarkable ones left out of a list too long to read."""
    room = max(MOST_BENCHMARKS - sum(verdict_of(finding) not in {*QUIET, "left out"} for finding in ordered), 0)
    shown = []
    left_out = 0
    for finding in ordered:
        if finding.left_out is not None:  # they have a line of their own
            continue
        if verdict_of(finding) in QUIET:
            if not room:
                left_out += 1
                continue
            room -= 1
        shown.append(finding)
    return shown, left_out


def _words(findings: Findings) -> str:
    return "unchanged, new or skipped" if findings.base else "measured or skipped"
