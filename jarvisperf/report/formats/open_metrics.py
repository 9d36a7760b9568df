"""`metrics.txt`: the figures for GitLab's metrics report and for Prometheus.

The format is OpenMetrics 1.0 text. GitLab shows it on a merge request if a job names the file as
``artifacts:reports:metrics``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.metrics import BUILT_IN, SECONDS
from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.report.findings.model import Findings
    from jarvisperf.report.shared.report import Report

FILE = "metrics.txt"


def render(report: Report) -> dict[str, bytes]:
    """Render `metrics.txt`."""
    lines: list[str] = []
    findings = report.findings
    used = {metric.unit for finding in findings.benchmarks for metric in finding.metrics.values()}
    first = [kind.unit.symbol for kind in BUILT_IN]
    families: list[tuple[str, str, str | None]] = []
    for symbol in [unit for unit in dict.fromkeys([*first, *sorted(used)]) if unit in used]:
        plural = unit_of(symbol).plural
        text = "Median seconds per call." if symbol == SECONDS.symbol else f"Median {plural}."
        families.append((f"jarvisperf_median_{plural}", text, symbol))
    for family, text, unit in [*families, ("jarvisperf_ratio", "Head over base.", None)]:
        samples = list(_samples(findings, unit))
        if samples:
            lines += [f"# TYPE {family} gauge", f"# HELP {family} {text}"]
            lines += [f"{family}{labels} {value:.9g}" for labels, value in samples]
    return {FILE: "\n".join([*lines, "# EOF", ""]).encode()}


def _samples(findings: Findings, unit: str | None) -> Iterator[tuple[str, float]]:
    for finding in findings.benchmarks:
        for name, metric in finding.metrics.items():
            labels = f'{{benchmark="{_escape(finding.id)}",metric="{_escape(name)}"}}'
            if unit is None and metric.ratio is not None:
                yield labels, metric.ratio
            elif unit == metric.unit and metric.head is not None:
                yield labels, metric.head.median


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


FORMAT = ReportFormat("open_metrics", (FILE,), render)
