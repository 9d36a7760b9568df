"""`metrics.txt`: the figures for GitLab's metrics report and for Prometheus.

The format is OpenMetrics 1.0 text. GitLab shows it on a merge request if a job names the file as
``artifacts:reports:metrics``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.report.findings.model import Findings
    from jarvisperf.report.shared.report import Report

FILE = "metrics.txt"
FAMILIES = (
    ("jarvisperf_median_seconds", "Median seconds per call.", "s"),
    ("jarvisperf_median_bytes", "Median bytes.", "B"),
    ("jarvisperf_ratio", "Head over base.", None),
)


def render(report: Report) -> dict[str, bytes]:
    """Render `metrics.txt`."""
    lines: list[str] = []
    for family, text, unit in FAMILIES:
        samples = list(_samples(report.findings, unit))
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
