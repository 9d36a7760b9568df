"""Findings: the data that every format of the report is rendered from."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Arm", "BeforeAfter", "BenchmarkFinding", "Findings", "MetricFinding", "findings_of", "run_of"]

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import (
        Arm,
        BeforeAfter,
        BenchmarkFinding,
        Findings,
        MetricFinding,
        findings_of,
        run_of,
    )
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.report.findings.model"))
