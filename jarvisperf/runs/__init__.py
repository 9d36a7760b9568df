"""What a run is, the machine and commit it belongs to, and where runs are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = [
    "Benchmark",
    "Commit",
    "Machine",
    "Metric",
    "Run",
    "Summary",
    "UnreadableRunError",
    "read_commit",
    "read_machine",
    "read_run",
    "summarize",
    "write_run",
]

if TYPE_CHECKING:
    from jarvisperf.runs.commit import Commit, read_commit
    from jarvisperf.runs.files import UnreadableRunError, read_run, write_run
    from jarvisperf.runs.machine import Machine, read_machine
    from jarvisperf.runs.model import Benchmark, Metric, Run
    from jarvisperf.runs.summary import Summary, summarize
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "Commit": "jarvisperf.runs.commit",
            "read_commit": "jarvisperf.runs.commit",
            "UnreadableRunError": "jarvisperf.runs.files",
            "read_run": "jarvisperf.runs.files",
            "write_run": "jarvisperf.runs.files",
            "Machine": "jarvisperf.runs.machine",
            "read_machine": "jarvisperf.runs.machine",
            "Benchmark": "jarvisperf.runs.model",
            "Metric": "jarvisperf.runs.model",
            "Run": "jarvisperf.runs.model",
            "Summary": "jarvisperf.runs.summary",
            "summarize": "jarvisperf.runs.summary",
        },
    )
