"""The rows of the main table, the same for the terminal, text, Markdown and HTML; the gravest first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jarvisperf.report.shared import units
from jarvisperf.report.shared.visible import visible

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import Arm, BenchmarkFinding, Findings, MetricFinding, Verdict

NOTHING = "-"
GRAVITY: tuple[Verdict, ...] = ("error", "missing", "regressed", "inconclusive", "improved", "unchanged", "new")


Row = dict[str, str]  # one metric of one benchmark, as text by column

RECORD_COLUMNS = ("group", "benchmark", "metric", "median", "spread", "ops/s", "samples", "before/after")
COMPARE_COLUMNS = ("group", "benchmark", "metric", "base", "head", "ratio", "95% interval", "threshold", "verdict")
BASELINE_COLUMNS = (*COMPARE_COLUMNS, "via")
LEFT_ALIGNED = frozenset({"group", "benchmark", "metric", "verdict", "via"})
RECORD_FOOTNOTE = (
    "spread: width of the middle half of the samples, as a share of the median. "
    "before/after: how many times the median of the uncached or naive twin."
)
COMPARE_FOOTNOTE = "base, head: medians. ratio: head / base, measured in pairs; above 1 is slower or larger."
BASELINE_FOOTNOTE = (
    "base, head: medians. ratio: head / base; above 1 is slower or larger. via: screening compares with stored runs, "
    "less what the yardstick explains; lockstep measured both anew, in pairs."
)


def columns(findings: Findings) -> tuple[str, ...]:
    """Give the table's columns: other ones where something was compared."""
    if findings.base is None:
        return RECORD_COLUMNS
    return BASELINE_COLUMNS if findings.mode == "baseline" else COMPARE_COLUMNS


def footnote(findings: Findings) -> str:
    """Say what the columns mean."""
    if findings.base is None:
        return RECORD_FOOTNOTE
    return BASELINE_FOOTNOTE if findings.mode == "baseline" else COMPARE_FOOTNOTE


def table_rows(findings: Findings) -> list[Row]:
    """Make the rows: groups and in them benchmarks with the gravest verdict first, otherwise as they ran."""
    names = short_names(findings)
    return [
        row_of(finding, names[finding.id], name, metric)
        for finding in by_gravity(findings)
        for name, metric in finding.metrics.items()
    ]


def by_gravity(findings: Findings) -> list[BenchmarkFinding]:
    """Sort benchmarks: groups stay together, the gravest verdict goes first, otherwise they stand as they ran.

    Where nothing was compared the order is that of the run.
    """
    gravity = {finding.id: _place(finding) if findings.base else 0 for finding in findings.benchmarks}
    groups: dict[str | None, list[BenchmarkFinding]] = {}
    for finding in findings.benchmarks:
        groups.setdefault(finding.group, []).append(finding)
    ordered = sorted(groups.values(), key=lambda group: min(gravity[finding.id] for finding in group))
    return [finding for group in ordered for finding in sorted(group, key=lambda one: gravity[one.id])]


def _place(finding: BenchmarkFinding) -> int:
    return GRAVITY.index(verdict_of(finding))


def short_names(findings: Findings) -> dict[str, str]:
    """Give for each id what is shown: the part behind its file where that is unique, the whole id elsewhere."""
    short = {finding.id: finding.id.partition("::")[2] or finding.id for finding in findings.benchmarks}
    taken = Counter(short.values())
    return {whole: visible(name if taken[name] == 1 else whole) for whole, name in short.items()}


def ratio_rows(findings: Findings) -> list[tuple[str, MetricFinding]]:
    """Give names and metrics that have a ratio and an interval, the gravest first."""
    names = short_names(findings)
    return [
        (names[finding.id] if name == "time" else f"{names[finding.id]} ({name})", metric)
        for finding in by_gravity(findings)
        for name, metric in finding.metrics.items()
        if metric.ratio is not None and metric.interval is not None
    ]


def row_of(finding: BenchmarkFinding, shown: str, name: str, metric: MetricFinding) -> Row:
    """Make one row.

    Args:
        finding: The benchmark.
        shown: Its name as it is shown.
        name: The metric's name.
        metric: What was found of it.
    """
    base, head = metric.base, metric.head
    speed_up = finding.before.ratios.get(name) if finding.before else None
    return {
        "group": visible(finding.group or NOTHING),
        "benchmark": shown,
        "metric": visible(name),
        "median": units.quantity(head.median, metric.unit) if head else NOTHING,
        "spread": units.percent(head.iqr / head.median) if head and head.samples > 1 and head.median else NOTHING,
        "ops/s": units.digits(head.per_second) if head and metric.unit == "s" else NOTHING,
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
    """Give a line for each benchmark without figures."""
    return [visible(f"{finding.id}: {finding.error}") for finding in findings.benchmarks if finding.error]


def summary_line(findings: Findings) -> str:
    """Say in one line what was found."""
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
    """Give the gravest verdict of a benchmark's metrics."""
    if finding.error is not None:
        return "error"
    found = {metric.verdict for metric in finding.metrics.values()}
    return next((verdict for verdict in GRAVITY if verdict in found), "new")


def _comparison_line(findings: Findings) -> str:
    counts = Counter(verdict_of(finding) for finding in findings.benchmarks)
    total = len(findings.benchmarks)
    words = [f"{counts['regressed']} of {total} regressed"]
    words += [f"{counts[verdict]} {verdict}" for verdict in GRAVITY if verdict != "regressed" and counts[verdict]]
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
    """Say in one line where it was measured."""
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
    """Say in one line what was measured: commit, branch, state of the working tree."""
    return "no commit" if findings.head.commit is None else f"commit {arm_text(findings.head)}"


def arm_text(arm: Arm) -> str:
    """Say which side of a comparison it is: commit, branch, state of the working tree."""
    name = f" ({arm.name})" if arm.name else ""
    return visible(f"{(arm.commit or 'no commit')[:12]}{name}{', with uncommitted changes' if arm.dirty else ''}")
