"""The table of benchmarks, for terminals of any width: one line for each metric of each benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from jarvisperf.escaping import ascii_only
from jarvisperf.report.findings.borderline import AT_THRESHOLD
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.names import shortened
from jarvisperf.report.shared.table import NOTHING
from jarvisperf.report.terminal.interval_bar import interval_bar
from jarvisperf.report.terminal.layout import (
    BAR,
    CHANGE_OF_CHANGED,
    GAP,
    LEFT,
    NAME,
    SIGN,
    column_width,
    layout_of,
    title,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding
    from jarvisperf.report.shared.report import Report, TableRow
    from jarvisperf.report.terminal.layout import Cells, TableLayout

INDENT = "  "
NO_GROUP = "no group"
CHANGED = frozenset({"regressed", "improved"})
GROUP_STYLE = "bold cyan"
STYLES = {
    "regressed": "bold red",
    "error": "bold red",
    "missing": "bold red",
    "inconclusive": "yellow",
    AT_THRESHOLD: "yellow",
    "improved": "green",
}
SIGNS = {
    "regressed": "▲",
    "improved": "▼",
    "unchanged": "=",
    "inconclusive": "?",
    AT_THRESHOLD: "~",
    "new": "+",
    "skipped": "s",
}
ASCII_SIGNS = SIGNS | {"regressed": "^", "improved": "v"}
FAILED_SIGN = "!"


class TerminalTable(NamedTuple):
    """The table.

    Attributes:
        lines: Its lines.
        columns: The titles of its columns, without the benchmark's name.
    """

    lines: list[Text]
    columns: tuple[str, ...]


def table_of(report: Report, shown: list[BenchmarkFinding], columns: int, *, unicode: bool) -> TerminalTable:
    """Write the benchmarks as a table.

    Args:
        report: The whole report.
        shown: The benchmarks to show, at least one.
        columns: The width of the terminal.
        unicode: Whether the terminal shows more than ASCII.
    """
    found = [row for finding in shown for row in report.table_rows(finding)]
    rows = [_cells(row, unicode=unicode) for row in found]
    has_groups = any(row["group"] != NOTHING for row in rows)
    indent = INDENT if has_groups else ""
    layout = layout_of(rows, columns, len(indent), report.findings.mode)
    whole = list(dict.fromkeys(row["benchmark"] for row in rows))
    ellipsis = "…" if unicode else "..."
    names = shortened(whole, layout.name_columns, ellipsis)
    short = dict(zip(whole, names, strict=True))
    for row, line in zip(found, rows, strict=True):
        line[BAR] = interval_bar(row.metric, unicode=unicode, width=layout.bar_columns) if row.metric else ""
    widths = {name: column_width(rows, name, layout.bar_columns) for name in layout.columns}
    name_width = max(map(cell_len, (NAME, *names)))
    header = [f"{indent}{_padded(NAME, name_width, left=True)}"]
    header += [_padded(title(name, layout.bar_columns), widths[name], left=name in LEFT) for name in layout.columns]
    whole = list(dict.fromkeys(row["group"] for row in rows)) if has_groups else []
    groups = dict(zip(whole, shortened(whole, columns, ellipsis), strict=True)) | {NOTHING: NO_GROUP}
    lines = [Text(GAP.join(header), style="bold"), *_body(rows, layout, widths, short, groups, indent, name_width)]
    return TerminalTable(lines, layout.columns)


def _body(
    rows: Sequence[Cells],
    layout: TableLayout,
    widths: Mapping[str, int],
    short: Mapping[str, str],
    groups: Mapping[str, str],
    indent: str,
    name_width: int,
) -> Iterator[Text]:
    """Yield a line for each row, and one for each group."""
    group = name = None
    for row in rows:
        if indent and row["group"] != group:
            group = row["group"]
            yield Text(groups[group], style=GROUP_STYLE)
        is_same, name = row["benchmark"] == name, row["benchmark"]
        shown = "" if is_same else short[name]  # the name stands on the first of its metrics
        line = Text(f"{indent}{_padded(shown, name_width, left=True)}")
        for column in layout.columns:
            cell = _padded(row[column], widths[column], left=column in LEFT)
            style = STYLES.get(row["verdict"], "") if column in {"verdict", BAR, SIGN} else ""
            line.append(GAP).append(cell, style=style)
        line.rstrip()
        yield line


def _cells(row: TableRow, *, unicode: bool) -> Cells:
    signs = SIGNS if unicode else ASCII_SIGNS
    metric, texts = row.metric, row.texts
    change = texts["change"]
    if metric is not None and metric.ratio is not None and texts["verdict"] in CHANGED:
        change = change_words(metric.ratio, metric.unit, metric.interval).whole
    if not unicode:
        texts, change = {name: ascii_only(text) for name, text in texts.items()}, ascii_only(change)
    return texts | {CHANGE_OF_CHANGED: change, SIGN: signs.get(texts["verdict"], FAILED_SIGN), BAR: ""}


def _padded(text: str, width: int, *, left: bool) -> str:
    blank = " " * (width - cell_len(text))
    return text + blank if left else blank + text
