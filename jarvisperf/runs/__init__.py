"""Runs, the machine and commit that they belong to, and the stores that keep them."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Benchmark", "Commit", "Machine", "Metric", "Run", "Summary", "UnreadableRunError"]
__all__ += ["read_commit", "read_machine", "read_run", "summarize", "write_run"]

if TYPE_CHECKING:
    from jarvisperf.runs.commit import Commit, read_commit
    from jarvisperf.runs.files import UnreadableRunError, read_run, write_run
    from jarvisperf.runs.machine import Machine, read_machine
    from jarvisperf.runs.model import Benchmark, Metric, Run
    from jarvisperf.runs.summary import Summary, summarize
else:
    _HOMES = {"Commit": "commit", "read_commit": "commit", "Machine": "machine", "read_machine": "machine"}
    _HOMES |= dict.fromkeys(("Benchmark", "Metric", "Run"), "model") | {"Summary": "summary", "summarize": "summary"}
    __getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{_HOMES.get(name, 'files')}" for name in __all__})
