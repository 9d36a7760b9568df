"""The properties of a benchmark in JUnit files: the same in every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import BenchmarkFinding


def properties_of(finding: BenchmarkFinding) -> list[tuple[str, object]]:
    """Return a benchmark's properties: of each metric the median and the verdict and, if it was compared, the ratio.

    Args:
        finding: What was found.
    """
    found: list[tuple[str, object]] = []
    for name, metric in finding.metrics.items():
        known: dict[str, object] = {
            "median": metric.head.median if metric.head else None,
            "ratio": metric.ratio,
            "verdict": metric.verdict,
            "via": metric.via,
        }
        found += [(f"jarvis_{name}_{word}", value) for word, value in known.items() if value is not None]
    return found
