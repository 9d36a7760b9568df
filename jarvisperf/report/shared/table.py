"""The rows and columns that the terminal, text, Markdown and HTML have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jarvisperf.escaping import visible
from jarvisperf.measure.metrics import SECONDS
from jarvisperf.measure.metrics.units import digits
from jarvisperf.report.findings.borderline import AT_THRESHOLD, is_at_threshold, shown_verdict
from jarvisperf.report.findings.model import Verdict
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.pairs import pair_cell

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding

Outcome = Verdict | Literal["skipped", "left out"]

NOTHING = "-"
SEVERITY: tuple[Outcome, ...] = (
    "error",
    "missing",
    "regressed",
    "inconclusive",
    "improved",
    "unchanged",
    "new",
    "skipped",
    "left out",
)

RECORD_COLUMNS = ("group", "benchmark", "metric", "median", "limit", "spread", "ops/s", "samples", "before/after")
COMPARE_COLUMNS = ("group", "benchmark", "metric", "base", "head", "change", "95% interval", "threshold", "verdict")
BASELINE_COLUMNS = (*COMPARE_COLUMNS, "via")
LEFT_ALIGNED = frozenset({"group", "benchmark", "metric", "verdict", "via"})
RECORDED = {
    "limit": "limit: exceeded if the median is above the test's absolute limit.",
    "spread": "spread: width of the middle half of the samples, as a share of the median.",
    "before/after": "before/after: the uncached or naive counterpart divided by this one, measured in turns, with its "
    "95% interval; not in turns: divided medians; single: calls are too long to repeat.",
}
COMPARE_FOOTNOTE = "base, head: medians. change: from base to head, measured in pairs, with its 95% interval."
BASELINE_FOOTNOTE = (
    "base, head: medians. change: from base to head, with its 95% interval. via: screening compares with stored runs, "
    "less what the yardstick explains; lockstep measured both again, in pairs."
)


def columns(findings: Findings) -> tuple[str, ...]:
    """Return the titles of the table's columns, which depend on whether something was compared."""
    if findings.base is None:
        return RECORD_COLUMNS
    return BASELINE_COLUMNS if findings.mode == "baseline" else COMPARE_COLUMNS


def footnote(findings: Findings, shown: Collection[str]) -> str:
    """Explain the columns in one line.

    Args:
        findings: The report's findings.
        shown: The titles of the columns that are shown.
    """
    if findings.base is None:
        return " ".join(text for name, text in RECORDED.items() if name in shown) or "median: of the samples."
    return BASELINE_FOOTNOTE if findings.mode == "baseline" else COMPARE_FOOTNOTE


def by_severity(findings: Findings) -> list[BenchmarkFinding]:
    """Sort benchmarks by group and, if anything was compared, put the most serious verdicts first.

    Otherwise benchmarks and groups stay in the order of the run.
    """
    severity = {finding.id: _severity(finding) if findings.base else 0 for finding in findings.benchmarks}
    groups: dict[str | None, list[BenchmarkFinding]] = {}
    for finding in findings.benchmarks:
        groups.setdefault(finding.group, []).append(finding)
    ordered = sorted(groups.values(), key=lambda group: min(severity[finding.id] for finding in group))
    return [finding for group in ordered for finding in sorted(group, key=lambda one: severity[one.id])]


def _severity(finding: BenchmarkFinding) -> int:
    return SEVERITY.index(verdict_of(finding))


def row_of(finding: BenchmarkFinding, shown: str, name: str, metric: MetricFinding) -> dict[str, str]:
    """Return the cells of one row as text, by column.

    Args:
        finding: The benchmark.
        shown: Its display name.
        name: The metric's name.
        metric: The metric's findings.
    """
    base, head = metric.base, metric.head
    pair = finding.before.metrics.get(name) if finding.before else None
    change = None if metric.ratio is None else change_words(metric.ratio, metric.unit, metric.interval)
    cells = {
        "group": finding.group or NOTHING,
        "benchmark": shown,
        "metric": name,
        "median": units.quantity(head.median, metric.unit) if head else NOTHING,
        "limit": "exceeded" if metric.base is None and metric.verdict == "regressed" else NOTHING,
        "spread": units.percent(head.iqr / head.median) if head and head.samples > 1 and head.median else NOTHING,
        "ops/s": digits(head.per_second) if head and metric.unit == SECONDS.symbol else NOTHING,
        "samples": f"{head.samples:,}" if head else NOTHING,
        "before/after": pair_cell(pair) if pair is not None else NOTHING,
        "base": units.quantity(base.median, metric.unit) if base else NOTHING,
        "head": units.quantity(head.median, metric.unit) if head else NOTHING,
        "change": change.change if change else NOTHING,
        "95% interval": change.span if change and change.span else NOTHING,
        "threshold": units.percent(metric.threshold) if metric.threshold is not None else NOTHING,
        "verdict": shown_verdict(metric),
        "via": metric.via or NOTHING,
    }
    return {column: visible(text) for column, text in cells.items()}


def bare_row_of(finding: BenchmarkFinding, shown: str) -> dict[str, str]:
    """Return the cells of a benchmark without figures: it failed, was skipped, or is new and base cannot run it."""
    verdict = verdict_of(finding)
    known = {"group": visible(finding.group or NOTHING), "benchmark": shown, "verdict": verdict}
    return {**dict.fromkeys((*RECORD_COLUMNS, *BASELINE_COLUMNS), NOTHING), **known, "median": verdict}


def telling(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Leave out columns in which no row has anything to tell; the benchmark's name always stays."""
    return tuple(name for name in columns if name == "benchmark" or any(row[name] != NOTHING for row in rows))


def verdict_of(finding: BenchmarkFinding) -> Outcome:
    """Return the most serious verdict among a benchmark's metrics; ``skipped`` or ``left out`` if it was."""
    if finding.error is not None:
        return "error"
    if finding.left_out is not None:
        return "left out"
    if finding.skipped is not None:
        return "skipped"
    found = {metric.verdict for metric in finding.metrics.values()}
    return next((verdict for verdict in SEVERITY if verdict in found), "new")


def shown_verdict_of(finding: BenchmarkFinding) -> str:
    """Return the same as reports show it: ``at threshold`` if nothing else about the benchmark is inconclusive."""
    verdict = verdict_of(finding)
    undecided = [metric for metric in finding.metrics.values() if metric.verdict == "inconclusive"]
    return AT_THRESHOLD if verdict == "inconclusive" and all(map(is_at_threshold, undecided)) else verdict
