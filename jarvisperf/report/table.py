"""The rows of the main table, the same for the terminal, text and Markdown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report import units

if TYPE_CHECKING:
    from jarvisperf.report.findings import BenchmarkFinding, Findings, MetricFinding

NOTHING = "-"


class Row(NamedTuple):
    """One metric of one benchmark, as text."""

    group: str
    benchmark: str
    metric: str
    median: str
    spread: str
    per_second: str
    samples: str
    before_after: str


HEADER = Row("group", "benchmark", "metric", "median", "spread", "ops/s", "samples", "before/after")
LEFT_ALIGNED = frozenset({"group", "benchmark", "metric"})
FOOTNOTE = (
    "spread: width of the middle half of the samples, as a share of the median. "
    "before/after: how many times the median of the uncached or naive twin."
)


def table_rows(findings: Findings) -> list[Row]:
    """Make the rows: groups in the order of their first benchmark, benchmarks in the order in which they ran."""
    names = short_names(findings)
    order = list(dict.fromkeys(finding.group for finding in findings.benchmarks))
    return [
        _row(finding, names[finding.id], name, metric)
        for group in order
        for finding in findings.benchmarks
        if finding.group == group
        for name, metric in finding.metrics.items()
    ]


def short_names(findings: Findings) -> dict[str, str]:
    """Give each id the part behind its file where that is unique, the whole id elsewhere."""
    short = {finding.id: finding.id.partition("::")[2] or finding.id for finding in findings.benchmarks}
    taken = Counter(short.values())
    return {whole: name if taken[name] == 1 else whole for whole, name in short.items()}


def _row(finding: BenchmarkFinding, shown: str, name: str, metric: MetricFinding) -> Row:
    head = metric.head
    ratio = finding.before.ratios.get(name) if finding.before else None
    return Row(
        group=finding.group or NOTHING,
        benchmark=shown,
        metric=name,
        median=units.quantity(head.median, metric.unit) if head else NOTHING,
        spread=units.percent(head.iqr / head.median) if head and head.samples > 1 and head.median else NOTHING,
        per_second=units.digits(head.per_second) if head and metric.unit == "s" else NOTHING,
        samples=f"{head.samples:,}" if head else NOTHING,
        before_after=units.times(ratio) if ratio is not None else NOTHING,
    )


def problem_lines(findings: Findings) -> list[str]:
    """Give a line for each benchmark without figures."""
    return [f"{finding.id}: {finding.error}" for finding in findings.benchmarks if finding.error]


def summary_line(findings: Findings) -> str:
    """Say in one line what was measured."""
    failed = sum(finding.error is not None for finding in findings.benchmarks)
    measured = len(findings.benchmarks) - failed
    words = [f"{measured} benchmark{'' if measured == 1 else 's'} measured"]
    if failed:
        words.append(f"{failed} failed")
    words.append("nothing compared" if findings.base is None else f"compared with {findings.base.name}")
    return f"{', '.join(words)}; {findings.seconds:.0f} s"


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
    return ", ".join(words)


def commit_line(findings: Findings) -> str:
    """Say in one line what was measured: commit, branch, state of the working tree."""
    head = findings.head
    if head.commit is None:
        return "no commit"
    branch = f" ({head.name})" if head.name else ""
    return f"commit {head.commit[:12]}{branch}{', with uncommitted changes' if head.dirty else ''}"
