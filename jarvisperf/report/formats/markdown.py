"""`report.md` for pull requests and repository pages: the verdict, what changed, and the rest folded away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jarvisperf.report.shared.report import ReportFormat
from jarvisperf.report.shared.table import LEFT_ALIGNED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.report.shared.report import MetricRow, Report

FILE = "report.md"
PAIRS_PICTURE = "plots/before_after.png"
LARGEST_BYTES = 60_000  # GitHub accepts comments of 65,536 characters; this leaves room for text around it
MOST_PROBLEMS = 50
LONGEST_CELL = 160
FOLDED = frozenset({"unchanged", "new"})
VERDICTS = {
    "regressed": "🔴 regressed",
    "error": "🔴 error",
    "missing": "🔴 missing",
    "inconclusive": "🟡 inconclusive",
    "improved": "🟢 improved",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
# A backslash does not stop a mention of a user, team or issue from notifying somebody or becoming a link, so a
# zero-width space breaks it up.
_MENTION = re.compile(r"(@(?=\w)|#(?=\d)|\bGH-(?=\d))")
_NO_MENTION = "\\1\u200b"


def render(report: Report) -> dict[str, bytes]:
    """Render `report.md`."""
    return {FILE: markdown(report).encode()}


def markdown(report: Report, *, at_most_bytes: int = LARGEST_BYTES, pictures: bool = True) -> str:
    """Write a report as GitHub-flavoured Markdown.

    Args:
        report: The report.
        at_most_bytes: Maximum size of the text in UTF-8; rows that do not fit are only counted.
        pictures: Whether to include the pictures next to the file.
    """
    compares = report.findings.base is not None
    measured = f"measured {report.findings.created} on {escape(report.machine)}"
    parts = ["# Benchmarks", "", f"**{escape(report.summary)}**", "", f"{escape(report.commit)}; {measured}.", ""]
    if pictures and not compares and report.pairs and PAIRS_PICTURE in report.files:
        parts += [f"![Bars of every pair, before and after, on a log scale]({PAIRS_PICTURE})", ""]
    problems = _problems(report.problems)
    folded = [row for row in report.rows if compares and row.metric.verdict in FOLDED]
    changed = [row for row in report.rows if not compares or row.metric.verdict not in FOLDED]
    notes = [report.footnote, ""] if report.rows else []
    notes += [f"{escape(report.left_out)}.", ""] if report.left_out else []
    why = [f"- {escape(line[:500])}" for line in report.reasons[:MOST_PROBLEMS]]
    notes += ["**Why**", "", *why, ""] if why else []
    room = at_most_bytes - _size([*parts, *problems, *notes]) - 500
    if changed:
        table, room = _table(report, changed, room)
        parts += [*table, ""]
    if folded:
        table, room = _table(report, folded, room)
        parts += ["<details>", f"<summary>{len(folded)} unchanged or new</summary>", "", *table, "", "</details>", ""]
    return "\n".join([*parts, *notes, *problems])


def escape(text: str) -> str:
    """Escape text so that Markdown shows it literally, on one line."""
    shown = _MENTION.sub(_NO_MENTION, _SPECIAL.sub(r"\\\1", " ".join(text.split())))
    return shown.replace("$", "<span>$</span>")  # two dollar signs would enclose a formula


def _problems(lines: list[str]) -> list[str]:
    if not lines:
        return []
    left = len(lines) - MOST_PROBLEMS
    more = [f"- and {left} more"] if left > 0 else []
    return ["## Failed", "", *(f"- {escape(line[:500])}" for line in lines[:MOST_PROBLEMS]), *more, ""]


def _table(report: Report, rows: Sequence[MetricRow], room_bytes: int) -> tuple[list[str], int]:
    """Return a table of the rows that fit, and the room that is left."""
    names = report.columns
    lines = [_line(names), _line("---" if name in LEFT_ALIGNED else "---:" for name in names)]
    room_bytes -= _size(lines)
    for place, row in enumerate(rows):
        line = _line(_cell(name, row.texts[name]) for name in names)
        room_bytes -= _size([line])
        if room_bytes < 0:
            whole = [name for name in ("report.html", "report.json") if name in report.files]
            where = f": see {' or '.join(whole)}" if whole else ""
            return [*lines, "", f"and {len(rows) - place} more{where}"], 0
        lines.append(line)
    return lines, room_bytes


def _cell(name: str, text: str) -> str:
    if name == "verdict" and text in VERDICTS:
        return VERDICTS[text]
    return escape(text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


FORMAT = ReportFormat("markdown", (FILE,), render)
