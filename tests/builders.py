"""Builds runs for tests of reports."""

from __future__ import annotations

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.machine import Machine
from jarvisperf.runs.model import Benchmark, Metric, Run
from jarvisperf.runs.summary import summarize

MACHINE = Machine(
    cpu="Example CPU",
    cores=2,
    memory_bytes=8 << 30,
    system="Linux 6.1",
    architecture="x86_64",
    python="CPython 3.11.7",
    packages={"jarvisperf": "0.1.0"},
    governor=None,
    load=0.5,
    virtualized="KVM",
)


def metric(*values: float, unit: str = "s", iterations: int = 1) -> Metric:
    return Metric(unit=unit, better="lower", method="perf_counter", summary=summarize(values, iterations))


def run_of(*benchmarks: Benchmark) -> Run:
    return Run(
        created="2026-01-02T03:04:05+00:00",
        seconds=12.0,
        machine=MACHINE,
        commit=Commit(id="0123456789abcdef" * 2, time="2026-01-01T00:00:00+00:00", branch="main", dirty=False),
        benchmarks=benchmarks,
    )
