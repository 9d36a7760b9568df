"""Tests that a worker that is stopped costs its own benchmark, or the start, after a moment; and that it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stranger import Stranger

if TYPE_CHECKING:
    from pathlib import Path

BRIEF = """
from jarvisperf.gate.processes import workers

workers.LOOK_SECONDS, workers.SILENT_SECONDS, workers.STOPPED_SECONDS = 0.05, 0.1, 0.5
"""
TESTS = """
import pkg

def test_stops(jarvis_bench): jarvis_bench(pkg.work)
def test_fine(jarvis_bench): jarvis_bench(sum, range(100))
"""
STOPS = "import os, signal\ndef work(): os.kill(os.getpid(), signal.SIGSTOP)\n"

# Only in a worker: the session that compares must not be stopped.
STOPS_AT_IMPORT = """
import os, pathlib, signal
if b"fork_server.py" in pathlib.Path("/proc/self/cmdline").read_bytes():
    os.kill(os.getpid(), signal.SIGSTOP)
def work(): pass
"""


def test_a_stopped_worker_costs_its_benchmark_and_the_others_go_on(tmp_path: Path):
    files = {"pkg/__init__.py": "def work(): pass\n", "benchmarks/test_b.py": TESTS, "conftest.py": BRIEF}
    project = Stranger(tmp_path, files)
    project.write({"pkg/__init__.py": STOPS})
    project.against("--jarvis-threshold=500%")
    assert project.verdicts["test_stops"] == "error"
    assert project.verdicts["test_fine"] in {"unchanged", "inconclusive"}
    assert "the head worker was stopped, by SIGSTOP or a debugger, for " in project.entries["test_stops"]["error"]
    assert "test_stops: an arm does not answer; if that lasts 120 s, it is ended" in project.output


def test_a_worker_that_is_stopped_while_it_starts_is_not_waited_for(tmp_path: Path):
    files = {"pkg/__init__.py": "def work(): pass\n", "benchmarks/test_b.py": TESTS, "conftest.py": BRIEF}
    project = Stranger(tmp_path, files)
    project.write({"pkg/__init__.py": STOPS_AT_IMPORT})
    project.against()
    assert "the head arm could not start: the head worker was stopped, by SIGSTOP or a debugger, for " in project.output
