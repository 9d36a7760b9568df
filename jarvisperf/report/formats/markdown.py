"""`report.md` for pull requests and repository pages: the verdict, what changed, and the rest folded away."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING

from jarvisperf.report.findings.borderline import AT_THRESHOLD
from jarvisperf.report.hosting import hosting_of, link_to
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.names import label, shortened
from jarvisperf.report.shared.reasons import cause_of
from jarvisperf.report.shared.report import ReportFormat
from jarvisperf.report.shared.table import LEFT_ALIGNED, NOTHING, telling, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jarvisperf.report.hosting import Hosting
    from jarvisperf.report.shared.report import Report, TableRow

FILE = "report.md"
PAIRS_PICTURE = "plots/before_after.png"
LARGEST_BYTES = 60_000  # GitHub accepts comments of 65,536 characters; this leaves room for text around it
MOST_PROBLEMS = 50
MOST_LEFT_OUT = 200
LONGEST_CELL = 160
NAME_COLUMNS = 32
MOST_AGAIN = 5  # benchmarks named in the command that measures them again
CHANGED = frozenset({"regressed", "inconclusive", AT_THRESHOLD, "improved", "missing", "error"})
FOLDED = ("unchanged", "new")
PLAIN_ID = re.compile(r"[\w./:\[\] ,=+-]{1,200}")  # others would not be a command that every shell reads alike
CHANGE, FIGURES = "change", "base → head"
COMPARED_COLUMNS = {"verdict": "---", "benchmark": "---", CHANGE: "---", FIGURES: "---:"}
VERDICTS = {
    "regressed": "🔴 regressed",
    "error": "🔴 error",
    "missing": "🔴 missing",
    "inconclusive": "🟡 inconclusive",
    AT_THRESHOLD: f"🟡 {AT_THRESHOLD}",
    "improved": "🟢 improved",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
# A backslash does not stop a mention of a user, team or issue from notifying somebody, nor an address from becoming a
# link, so a zero-width space breaks it up. See "Autolinks" in GitHub's Flavored Markdown Spec.
_MENTION = re.compile(
    r"(@(?=\w)|#(?=\d)|\bGH-(?=\d)|\b[a-z][a-z0-9+.-]*:(?=//)|\bwww(?=\.)|\b(?:mailto|xmpp):)", re.IGNORECASE
)
_NO_MENTION = "\\1\u200b"


def render(report: Report) -> dict[str, bytes]:
    """Render `report.md`."""
    return {FILE: markdown(report, environ=os.environ).encode()}


def markdown(
    report: Report,
    *,
    at_most_bytes: int = LARGEST_BYTES,
    pictures: bool = True,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Write a report as GitHub-flavoured Markdown.

    Args:
        report: The report.
        at_most_bytes: Maximum size of the text in UTF-8; rows that do not fit are only counted.
        pictures: Whether to include the pictures next to the file.
        environ: The environment of a CI job, for links to source lines and to the whole report.
    """
    compares = report.findings.base is not None
    hosting = hosting_of(environ or {}, report.findings.repository)
    parts = ["# Benchmarks", "", f"**{escape(report.summary)}**", ""]
    if pictures and not compares and report.pairs and PAIRS_PICTURE in report.files:
        parts += [f"![Every pair before and after, on a log scale]({PAIRS_PICTURE})", ""]
    measured = [row for row in report.table if row.metric is not None]
    changed = [row for row in measured if compares and row.texts["verdict"] in CHANGED]
    folded = [row for row in measured if compares and row.texts["verdict"] in FOLDED]
    notes = [*_side_by_side(report), *_problems(report), *_not_compared(report), *_left_out(report)]
    end = [*_end(report, hosting), ""]
    room = at_most_bytes - _size([*parts, *notes, *_unexecuted(report), *end]) - 500
    if not compares and measured:
        table, room = _table(report, report.columns, measured, room)
        parts += [*table, "", report.footnote, ""]
    if changed:
        table, room = _compared(report, changed, hosting, room)
        parts += [*table, ""]
    parts += notes
    parts += _unexecuted(report)
    if folded:
        table, room = _compared(report, folded, hosting, room)
        counts = Counter(row.texts["verdict"] for row in folded)
        said = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in FOLDED if counts[verdict])
        parts += ["<details>", f"<summary>{said}</summary>", "", *table, "", "</details>", ""]
    return "\n".join([*parts, *end])


def escape(text: str) -> str:
    """Escape text so that Markdown shows it literally, on one line."""
    shown = _MENTION.sub(_NO_MENTION, _SPECIAL.sub(r"\\\1", " ".join(text.split())))
    return shown.replace("$", "<span>$</span>")  # two dollar signs would enclose a formula


def _side_by_side(report: Report) -> list[str]:
    """List the functions that tests compared with each other, up to 50 tests."""
    lines = []
    for title, ranking in list(report.side_by_side.items())[:MOST_PROBLEMS]:
        lines += [f"**{escape(title)}**", "", *(f"- {escape(line)}" for line in ranking), ""]
    return lines


def _problems(report: Report) -> list[str]:
    lines = report.problems
    if not lines:
        return []
    left = len(lines) - MOST_PROBLEMS
    more = [f"- and {left:,} more"] if left > 0 else []
    return ["## Failed", "", *(f"- {escape(line[:500])}" for line in lines[:MOST_PROBLEMS]), *more, ""]


def _not_compared(report: Report) -> list[str]:
    """List what was not compared, and why."""
    found = report.not_compared[:MOST_PROBLEMS]
    if not found:
        return []
    lines = [f"- {escape(one.names)}: {one.verdict}, {escape(one.reason[:500])}" for one in found]
    return ["**Not compared**" if report.findings.base else "**Not measured**", "", *lines, ""]


def _unexecuted(report: Report) -> list[str]:
    """List the changed functions that no benchmark executes, folded away."""
    return _folded(report.unexecuted, report.unexecuted_functions)


def _left_out(report: Report) -> list[str]:
    """List the benchmarks that the change cannot affect, folded away."""
    names = report.left_out_names
    more = [f"and {len(names) - MOST_LEFT_OUT:,} more"] if len(names) > MOST_LEFT_OUT else []
    return _folded(report.left_out, [*names[:MOST_LEFT_OUT], *more])


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    if not title:
        return []
    items = [f"- {_cell('', line)}" for line in lines]
    return ["<details>", f"<summary>{escape(title)}</summary>", "", *items, "", "</details>", ""]


def _end(report: Report, hosting: Hosting | None) -> list[str]:
    """Return what was measured where, the link to the whole report, and the command that measures it again."""
    findings = report.findings
    lines = [f"{escape(report.commit)}; measured {escape(findings.created)} on {escape(report.machine)}."]
    if hosting is not None and hosting.page:
        lines.append(f"[The whole report]({hosting.page})")
    if findings.mode == "lockstep" and findings.base is not None and findings.base.commit:
        changed = [one.id for one in report.ordered if verdict_of(one) in {"regressed", "inconclusive"}]
        named = [name for name in changed[:MOST_AGAIN] if PLAIN_ID.fullmatch(name) and not _MENTION.search(name)]
        base = f"--jarvis-against={findings.base.commit[:12]}"
        words = [
            "pytest",
            *(named if len(named) == len(changed) else ()),
            "--jarvis-bench",
            base,
            "--jarvis-against-exact",
        ]
        lines += ["", "Measure it again:", "", "```console", shlex.join(words), "```"]
    return lines


def _compared(
    report: Report, rows: Sequence[TableRow], hosting: Hosting | None, room_bytes: int
) -> tuple[list[str], int]:
    """Return a table of comparisons, each regression with the function that explains it, and the room that is left."""
    head = report.findings.head
    commit = None if head.dirty else head.commit  # the lines of changed files are not those of the commit
    names = _names(report, rows)
    cells = [_comparison(row, names, _why(row, hosting, commit)) for row in rows]
    shown = telling(tuple(COMPARED_COLUMNS), cells)
    lines = [_line(each[name] for name in shown) for each in cells]
    return _fitting(report, [_line(shown), _line(COMPARED_COLUMNS[name] for name in shown)], lines, room_bytes)


def _names(report: Report, rows: Sequence[TableRow]) -> dict[str, str]:
    """Return names that leave room for the other columns of a comment, by benchmark id."""
    ids = list(dict.fromkeys(row.finding.id for row in rows))
    return dict(zip(ids, shortened([report.names[one] for one in ids], NAME_COLUMNS), strict=True))


def _comparison(row: TableRow, names: Mapping[str, str], why: str) -> dict[str, str]:
    metric, verdict = row.metric, row.texts["verdict"]
    change = figures = NOTHING
    if metric is not None and metric.ratio is not None:
        words = change_words(metric.ratio, metric.unit, metric.interval)
        change = f"{_unbroken(words.change)} ({_unbroken(words.span)})" if words.span else _unbroken(words.change)
    if metric is not None and metric.head is not None:
        arms = [one for one in (metric.base, metric.head) if one is not None]
        figures = _unbroken(" → ".join(units.short(one.median, metric.unit) for one in arms))
    name = _cell("", label(names[row.finding.id], row.texts["metric"]))
    return {
        "verdict": _unbroken(VERDICTS.get(verdict, verdict)),
        "benchmark": f"{name}<br>{why}" if why else name,
        CHANGE: change,
        FIGURES: figures,
    }


def _unbroken(text: str) -> str:
    """Escape text whose words stay on one line, so that a unit stays with its number in the narrowest column."""
    return escape(text).replace(" ", "\u00a0")


def _why(row: TableRow, hosting: Hosting | None, commit: str | None) -> str:
    """Name the function that explains a regression, with a link to its lines."""
    cause = cause_of(row.finding) if row.texts["verdict"] == "regressed" else None
    if cause is None:
        return ""
    if not cause.function:
        return escape(cause.words)
    name = _cell("", cause.named)
    address = link_to(hosting, commit, cause.file, cause.line)
    return f"{f'[{name}]({address})' if address else name} {escape(cause.words)}"


def _table(report: Report, columns: Sequence[str], rows: Sequence[TableRow], room_bytes: int) -> tuple[list[str], int]:
    """Return a table of the rows that fit, and the room that is left."""
    head = [_line(columns), _line("---" if name in LEFT_ALIGNED else "---:" for name in columns)]
    lines = (_line(_cell(name, row.texts[name]) for name in columns) for row in rows)
    return _fitting(report, head, list(lines), room_bytes)


def _fitting(report: Report, head: list[str], rows: Sequence[str], room_bytes: int) -> tuple[list[str], int]:
    lines = list(head)
    room_bytes -= _size(lines)
    for place_, line in enumerate(rows):
        room_bytes -= _size([line])
        if room_bytes < 0:
            whole = [name for name in ("report.html", "report.json") if name in report.files]
            where = f": see {' or '.join(whole)}" if whole else ""
            return [*lines, "", f"and {len(rows) - place_:,} more{where}"], 0
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
