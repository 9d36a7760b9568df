"""`report.csv`: a line for each metric of each benchmark, for spreadsheets and scripts (RFC 4180)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from jarvisperf.report.formats.base import Report
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding

HEADER = (
    "benchmark",
    "group",
    "metric",
    "unit",
    "base_median",
    "head_median",
    "head_min",
    "head_mean",
    "head_stddev",
    "head_samples",
    "ratio",
    "interval_low",
    "interval_high",
    "threshold",
    "verdict",
    "via",
    "error",
)
# A cell that begins so is a formula to a spreadsheet, which would run it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class CsvReport(Report):
    """Writes `report.csv`."""

    files = ("report.csv",)

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `report.csv` in UTF-8, figures in seconds and bytes with all their digits."""
        path = folder / "report.csv"
        write_whole(path, render(findings).encode())
        return [path]


def render(findings: Findings) -> str:
    """Write the findings as comma-separated values; text that a spreadsheet would run begins with an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(HEADER)
    for finding in findings.benchmarks:
        if not finding.metrics:
            writer.writerow([_text(finding.id), _text(finding.group), *[""] * 12, "error", "", _text(finding.error)])
        for name, metric in finding.metrics.items():
            writer.writerow(_cells(finding, name, metric))
    return stream.getvalue()


def _cells(finding: BenchmarkFinding, name: str, metric: MetricFinding) -> list[object]:
    head, base = metric.head, metric.base
    low, high = metric.interval or ("", "")
    return [
        _text(finding.id),
        _text(finding.group),
        _text(name),
        metric.unit,
        base.median if base else "",
        *((head.median, head.min, head.mean, head.stddev, head.samples) if head else [""] * 5),
        "" if metric.ratio is None else metric.ratio,
        low,
        high,
        "" if metric.threshold is None else metric.threshold,
        metric.verdict,
        metric.via or "",
        _text(finding.error),
    ]


def _text(text: str | None) -> str:
    if text is None:
        return ""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
