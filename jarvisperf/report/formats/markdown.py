"""`report.md`: the verdict, what changed, and the rest folded; for a pull request or a repository's page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jarvisperf.report.formats.base import Report
from jarvisperf.report.plots.before_after import BEFORE_AFTER, pairs_of
from jarvisperf.report.shared.profile_view import reasons
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
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings
    from jarvisperf.report.shared.table import Row

LARGEST_BYTES = 60_000  # GitHub takes a comment of 65,536 characters, some of which the one who posts it may need
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
# A user's or team's name, or an issue's number, would notify somebody or link somewhere, backslash or not: a zero-width
# space parts it.
_MENTION = re.compile(r"(@(?=\w)|#(?=\d)|\bGH-(?=\d))")
_NO_MENTION = "\\1\u200b"


class MarkdownReport(Report):
    """Writes `report.md`."""

    files = ("report.md",)

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `report.md` in UTF-8; the picture that it shows is written by `PlotsReport`."""
        path = folder / "report.md"
        write_whole(path, render(findings).encode())
        return [path]


def render(findings: Findings, *, at_most_bytes: int = LARGEST_BYTES, pictures: bool = True) -> str:
    """Write the findings as GitHub-flavoured Markdown.

    Args:
        findings: What to report.
        at_most_bytes: The size that the text may have in UTF-8; rows that do not fit are counted.
        pictures: Whether to show the pictures beside the file.
    """
    parts = [
        "# Benchmarks",
        "",
        f"**{escape(summary_line(findings))}**",
        "",
        f"{escape(commit_line(findings))}; measured {findings.created} on {escape(machine_line(findings))}.",
        "",
    ]
    if pictures and findings.base is None and pairs_of(findings):
        parts += [f"![Bars of every pair, before and after, on a log scale](plots/{BEFORE_AFTER}.png)", ""]
    problems = _problems(findings)
    rows = table_rows(findings)
    changed = [row for row in rows if findings.base is None or row["verdict"] not in FOLDED]
    folded = [row for row in rows if findings.base is not None and row["verdict"] in FOLDED]
    notes = [footnote(findings), ""] if rows else []
    why = [f"- {escape(line[:500])}" for line in reasons(findings)[:MOST_PROBLEMS]]
    notes += ["**Why**", "", *why, ""] if why else []
    room = at_most_bytes - _size([*parts, *problems, *notes]) - 500
    if changed:
        table, room = _table(findings, changed, room)
        parts += [*table, ""]
    if folded:
        table, room = _table(findings, folded, room)
        parts += ["<details>", f"<summary>{len(folded)} unchanged or new</summary>", "", *table, "", "</details>", ""]
    return "\n".join([*parts, *notes, *problems])


def escape(text: str) -> str:
    """Write text so that Markdown shows it as it is, on one line."""
    shown = _MENTION.sub(_NO_MENTION, _SPECIAL.sub(r"\\\1", " ".join(text.split())))
    return shown.replace("$", "<span>$</span>")  # between two of them would be a formula


def _problems(findings: Findings) -> list[str]:
    lines = problem_lines(findings)
    if not lines:
        return []
    left = len(lines) - MOST_PROBLEMS
    more = [f"- and {left} more"] if left > 0 else []
    return ["## Failed", "", *(f"- {escape(line[:500])}" for line in lines[:MOST_PROBLEMS]), *more, ""]


def _table(findings: Findings, rows: Sequence[Row], room_bytes: int) -> tuple[list[str], int]:
    """Give a table with as many rows as there is room for, and the room that is left."""
    names = columns(findings)
    lines = [_line(names), _line("---" if name in LEFT_ALIGNED else "---:" for name in names)]
    room_bytes -= _size(lines)
    for place, row in enumerate(rows):
        line = _line(_cell(name, row[name]) for name in names)
        room_bytes -= _size([line])
        if room_bytes < 0:
            return [*lines, "", f"and {len(rows) - place} more: report.html and report.json have them all."], 0
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
