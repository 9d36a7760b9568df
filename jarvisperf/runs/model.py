"""What a run is: the data that one `pytest --jarvis-bench` leaves behind."""

from __future__ import annotations

from typing import Literal

import msgspec

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.machine import Machine
from jarvisperf.runs.summary import Summary

SCHEMA = "jarvisperf.run/1"

Better = Literal["lower", "higher"]


class Metric(msgspec.Struct, frozen=True):
    """One thing that a benchmark measured.

    Attributes:
        unit: The symbol of its unit: ``s`` (seconds per iteration), ``B`` (bytes), or what is counted, like ``blocks``.
        better: Which direction is the good one.
        method: How it was measured, in a word or two (``perf_counter``, ``peak RSS``, ``tracemalloc``).
        summary: The figures.
    """

    unit: str
    better: Better
    method: str
    summary: Summary


class Benchmark(msgspec.Struct, frozen=True):
    """One test that measured.

    Attributes:
        id: The pytest node id.
        group: The group it is shown in; None: none was named.
        params: Its parameters as text, by name.
        metrics: What was measured, by the metric's name (``time``, ``memory``, ``startup``).
        before: The id of the benchmark that shows the state before (the uncached or naive twin); None: no pair.
        extra_info: What the test's author noted, as text by name.
        error: One line that says why it has no figures; None: it has.
        yardstick: Seconds of each reference workload while it was measured: medians of the readings just before,
            during and just after; empty: none were taken.
    """

    id: str
    group: str | None = None
    params: dict[str, str] = {}
    metrics: dict[str, Metric] = {}
    before: str | None = None
    extra_info: dict[str, str] = {}
    error: str | None = None
    yardstick: dict[str, float] = {}


class Run(msgspec.Struct, frozen=True):
    """All that one `pytest --jarvis-bench` produced.

    Attributes:
        created: When it began, ISO 8601 in UTC.
        seconds: How long the whole run took.
        machine: What it ran on.
        commit: The commit it measured; None outside a git repository.
        benchmarks: In the order in which they ran.
        name: The name it was stored under, if any.
        schema: The version of this layout.
        yardstick: Seconds of each reference workload over the whole run; empty: none were taken.
        interrupted: Whether it ended before all benchmarks were dealt with.
    """

    created: str
    seconds: float
    machine: Machine
    commit: Commit | None
    benchmarks: tuple[Benchmark, ...]
    name: str | None = None
    schema: str = SCHEMA
    yardstick: dict[str, Summary] = {}
    interrupted: bool = False
