"""The report format `badge`: a JSON file for a badge on a web page, see https://shields.io/badges/endpoint-badge."""

from __future__ import annotations

import json

from jarvisperf.report import Report, ReportFormat


def render(report: Report) -> dict[str, bytes]:
    """Count the benchmarks that became slower."""
    slower = sum(
        any(metric.verdict == "regressed" for metric in benchmark.metrics.values())
        for benchmark in report.findings.benchmarks
    )
    badge = {
        "schemaVersion": 1,
        "label": "benchmarks",
        "message": f"{slower} slower" if slower else f"{len(report.findings.benchmarks)} measured",
        "color": "red" if slower else "green",
    }
    return {"badge.json": json.dumps(badge).encode()}


BADGE = ReportFormat(name="badge", files=("badge.json",), render=render)
