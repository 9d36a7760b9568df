"""The rows and lines that the terminal, text, Markdown and HTML have in common."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jarvisperf.measure.metrics import SECONDS, TIME
from jarvisperf.measure.metrics.units import digits
from jarvisperf.report.findings.model import arm_text, over_limit
from jarvisperf.report.shared import units
from jarvisperf.report.shared.units import visible

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding, Verdict

NOTHING = "-"
SEVERITY: tuple[Verdict, ...] = ("error", "missing", "regressed", "inconclusive", "improved", "unchanged", "new")

RECORD_COLUMNS = ("group", "benchmark", "metric", "median", "spread", "ops/s", "samples", "before/after")
COMPARE_COLUMNS = ("group", "benchmark", "metric", "base", "head", "ratio", "95% interval", "threshold", "verdict")
BASELINE_COLUMNS = (*COMPARE_COLUMNS, "via")
LEFT_ALIGNED = frozenset({"group", "benchmark", "metric", "verdict", "via"})
RECORD_FOOTNOTE = (
    "spread: width of the middle half of the samples, as a share of the median. "
    "before/after: the median of the uncached or naive counterpart, divided by this one's."
)
COMPARE_FOOTNOTE = "base, head: medians. ratio: head / base, measured in pairs; above 1 is slower or larger."
BASELINE_FOOTNOTE = (
    "base, head: medians. ratio: head / base; above 1 is slower or larger. via: screening compares with stored runs, "
    "less what the yardstick explains; lockstep measured both again, in pairs."
)


def columns(findings: Findings) -> tuple[str, ...]:
    """Return the titles of the table's columns, which depend on whether something was compared."""
    if findings.base is None:
        return RECORD_COLUMNS
    return BASELINE_COLUMNS if findings.mode == "baseline" else COMPARE_COLUMNS


def footnote(findings: Findings) -> str:
    """Explain the columns in one line."""
    if findings.base is None:
        return RECORD_FOOTNOTE
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


def short_names(findings: Findings) -> dict[str, str]:
    """Return the display name of each id: the part after its file if that is unique, otherwise the whole id."""
    short = {finding.id: finding.id.partition("::")[2] or finding.id for finding in findings.benchmarks}
    taken = Counter(short.values())
    return {whole: visible(name if taken[name] == 1 else whole) for whole, name in short.items()}


def label(name: str, metric_name: str) -> str:
    """Return a display name that includes the metric unless it is time."""
    return name if metric_name == TIME.name else f"{name} ({metric_name})"


def row_of(finding: BenchmarkFinding, shown: str, name: str, metric: MetricFinding) -> dict[str, str]:
    """Return the cells of one row as text, by column.

    Args:
        finding: The benchmark.
        shown: Its display name.
        name: The metric's name.
        metric: The metric's findings.
    """
    base, head = metric.base, metric.head
    speed_up = finding.before.ratios.get(name) if finding.before else None
    return {
        "group": visible(finding.group or NOTHING),
        "benchmark": shown,
        "metric": visible(name),
        "median": units.quantity(head.median, metric.unit) if head else NOTHING,
        "spread": units.percent(head.iqr / head.median) if head and head.samples > 1 and head.median else NOTHING,
        "ops/s": digits(head.per_second) if head and metric.unit == SECONDS.symbol else NOTHING,
        "samples": f"{head.samples:,}" if head else NOTHING,
        "before/after": units.times(speed_up) if speed_up is not None else NOTHING,
        "base": units.quantity(base.median, metric.unit) if base else NOTHING,
        "head": units.quantity(head.median, metric.unit) if head else NOTHING,
        "ratio": units.ratio(metric.ratio) if metric.ratio is not None else NOTHING,
        "95% interval": units.interval(metric.interval) if metric.interval else NOTHING,
        "threshold": units.percent(metric.threshold) if metric.threshold is not None else NOTHING,
        "verdict": metric.verdict,
        "via": metric.via or NOTHING,
    }


def problem_lines(findings: Findings) -> list[str]:
    """Return a line for each benchmark that has no figures."""
    return [visible(f"{finding.id}: {finding.error}") for finding in findings.benchmarks if finding.error]


def summary_line(findings: Findings) -> str:
    """Summarize the findings in one line."""
    if findings.base is not None:
        return _comparison_line(findings)
    failed = sum(finding.error is not None for finding in findings.benchmarks)
    measured = len(findings.benchmarks) - failed
    words = [f"{measured} benchmark{'' if measured == 1 else 's'} measured"]
    if failed:
        words.append(f"{failed} failed")
    end = "; run NOT finished" if findings.interrupted else ""
    return f"{', '.join(words)}, nothing compared{end}; {findings.seconds:.0f} s"


def verdict_of(finding: BenchmarkFinding) -> Verdict:
    """Return the most serious verdict among a benchmark's metrics."""
    if finding.error is not None:
        return "error"
    found = {metric.verdict for metric in finding.metrics.values()}
    return next((verdict for verdict in SEVERITY if verdict in found), "new")


def _comparison_line(findings: Findings) -> str:
    counts = Counter(verdict_of(finding) for finding in findings.benchmarks)
    total = len(findings.benchmarks)
    words = [f"{counts['regressed']} of {total} regressed"]
    words += [f"{counts[verdict]} {verdict}" for verdict in SEVERITY if verdict != "regressed" and counts[verdict]]
    if findings.mode == "baseline":
        again = sum(any(metric.via == "lockstep" for metric in one.metrics.values()) for one in findings.benchmarks)
        words.append(f"{again} measured again in lockstep")
    trust = (
        "run trusted"
        if findings.trusted
        else "run NOT trusted, because identical code differed in it or could not be measured"
    )
    if findings.interrupted:
        trust += "; run NOT finished"
    return f"{', '.join(words)}; {trust}; {findings.seconds:.0f} s"


def machine_line(findings: Findings) -> str:
    """Describe in one line the machine that it was measured on."""
    machine = findings.machine
    words = [
        machine.cpu,
        f"{machine.cores} core{'' if machine.cores == 1 else 's'}",
        machine.python,
        machine.system,
    ]
    if machine.virtualized:
        words.append(f"virtual ({machine.virtualized})")
    if machine.load is not None:
        words.append(f"load {machine.load:g}")
    return visible(", ".join(words))


def commit_line(findings: Findings) -> str:
    """Describe in one line what was measured: commit, branch, state of the working tree."""
    return "no commit" if findings.head.commit is None else visible(f"commit {arm_text(findings.head)}")


def figures(name: str, metric: MetricFinding, limit: float | None = None) -> str:
    """Describe a metric's verdict in one line: base, head, ratio, interval, threshold.

    Args:
        name: The metric's name.
        metric: The metric's findings.
        limit: The absolute limit, in the metric's unit; None: no limit.
    """
    head = units.quantity(metric.head.median, metric.unit) if metric.head else "-"
    words = []
    if metric.base is not None and metric.ratio is not None and metric.interval is not None:
        threshold = "no threshold" if metric.threshold is None else f"threshold {metric.threshold * 100:.3g}%"
        words.append(
            f"base {units.quantity(metric.base.median, metric.unit)}, head {head}, "
            f"ratio {units.ratio(metric.ratio)} (95% interval {units.interval(metric.interval)}), {threshold}"
        )
    if limit is not None and over_limit(metric.head, limit):
        words.append(f"head {head} is over the limit of {units.quantity(limit, metric.unit)}")
    if metric.doubt is not None:
        words.append(metric.doubt)
    return f"{name} {metric.verdict}: {'; '.join(words)}"
