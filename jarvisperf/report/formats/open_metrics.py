"""`metrics.txt`: the figures for GitLab's metrics report and for Prometheus.

The format is OpenMetrics 1.0 text, which GitLab shows on a merge request where a job names the file as
``artifacts:reports:metrics``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.formats.base import Report
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings

FAMILIES = (
    ("jarvisperf_median_seconds", "Median seconds per call.", "s"),
    ("jarvisperf_median_bytes", "Median bytes.", "B"),
    ("jarvisperf_ratio", "Head over base.", None),
)


class OpenMetricsReport(Report):
    """Writes `metrics.txt`."""

    files = ("metrics.txt",)

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `metrics.txt` in UTF-8."""
        path = folder / "metrics.txt"
        write_whole(path, render(findings).encode())
        return [path]


def render(findings: Findings) -> str:
    """Write the findings as OpenMetrics text."""
    lines: list[str] = []
    for family, text, unit in FAMILIES:
        samples = list(_samples(findings, unit))
        if samples:
            lines += [f"# TYPE {family} gauge", f"# HELP {family} {text}"]
            lines += [f"{family}{labels} {value:.9g}" for labels, value in samples]
    return "\n".join([*lines, "# EOF", ""])


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
