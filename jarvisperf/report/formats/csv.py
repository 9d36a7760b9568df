"""`report.csv`: one line per metric of each benchmark, for spreadsheets and scripts (RFC 4180)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from jarvisperf.report.shared.report import ReportFormat
from jarvisperf.report.shared.table import verdict_of

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import BenchmarkFinding, MetricFinding
    from jarvisperf.report.shared.report import Report

FILE = "report.csv"
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
# A spreadsheet would run a cell that starts with one of these as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render(report: Report) -> dict[str, bytes]:
    """Render `report.csv`: figures with all digits; an apostrophe before any text that a spreadsheet would run."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(HEADER)
    for finding in report.findings.benchmarks:
        if not finding.metrics:
            reason = finding.error or finding.left_out or finding.skipped or finding.new_because
            known = [_text(finding.id), _text(finding.group)]
            writer.writerow([*known, *[""] * 12, verdict_of(finding), "", _text(reason)])
        for name, metric in finding.metrics.items():
            writer.writerow(_cells(finding, name, metric))
    return {FILE: stream.getvalue().encode()}


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


FORMAT = ReportFormat("csv", (FILE,), render)
