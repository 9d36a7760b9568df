"""The data model of a run: everything that one `pytest --jarvis-bench` produces."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.machine import Machine
from jarvisperf.runs.summary import Summary

SCHEMA = "jarvisperf.run/1"

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # sums of them stay finite
Better = Literal["lower", "higher"]
SideBySideWay = Literal["in forked processes, in turns", "in one process, in turns", "single measurement"]


class Metric(msgspec.Struct, frozen=True):
    """One metric of a benchmark, as measured.

    Attributes:
        unit: The symbol of its unit: ``s`` (seconds per iteration), ``B`` (bytes), or what is counted, like ``blocks``.
        better: The direction of an improvement.
        method: How it was measured, in a word or two (``perf_counter``, ``peak RSS``, ``tracemalloc``).
        summary: The figures.
    """

    unit: str
    better: Better
    method: str
    summary: Summary


class PairRatio(msgspec.Struct, frozen=True):
    """How two functions compare that were measured side by side.

    Attributes:
        first: The name of the one with the smaller median.
        second: The name of the other one.
        ratio: second / first.
        interval: The ratio's confidence interval; None if they were measured too few times.
        word: What second is: ``slower``, ``faster`` or ``no difference found``; None without an interval.
    """

    first: str
    second: str
    ratio: float
    interval: tuple[float, float] | None
    word: str | None


class Ranked(msgspec.Struct, frozen=True):
    """One of several functions that were measured side by side.

    Attributes:
        name: Its name.
        rank: 1 plus the number of functions that are faster.
        median: Seconds per call.
        tied_with: The functions that it cannot be told apart from.
    """

    name: str
    rank: int
    median: float
    tied_with: tuple[str, ...] = ()


class SideBySide(msgspec.Struct, frozen=True):
    """Functions that one test measured side by side.

    Attributes:
        ranking: The functions, by their medians.
        pairs: All pairs of them.
        how: How they were measured.
    """

    ranking: tuple[Ranked, ...]
    pairs: tuple[PairRatio, ...]
    how: SideBySideWay


class Benchmark(msgspec.Struct, frozen=True):
    """One test that measured.

    Attributes:
        id: The pytest node id.
        group: The group it is shown in; None: no group.
        params: Its parameters as text, by name.
        metrics: The measured metrics, by name (``time``, ``memory``, ``startup``).
        before: The id of its uncached or naive counterpart; None if it has none.
        extra_info: Notes of the test's author, as text by name.
        error: Why it has no figures, in one line; None if it has some.
        yardstick: Seconds of each reference workload while it was measured: the median of the readings just before,
            during and just after; empty if there were none.
        side_by_side: The comparison of the functions that it measured together; None if it measured one.
        seconds: How long the test took, with its fixtures and, of a pair, its turns; None if unknown.
    """

    id: str
    group: str | None = None
    params: dict[str, str] = {}
    metrics: dict[str, Metric] = {}
    before: str | None = None
    extra_info: dict[str, str] = {}
    error: str | None = None
    yardstick: dict[str, float] = {}
    side_by_side: SideBySide | None = None
    seconds: Seconds | None = None


class Run(msgspec.Struct, frozen=True):
    """Everything that one `pytest --jarvis-bench` produced.

    Attributes:
        created: When it started, ISO 8601 in UTC.
        seconds: The duration of the whole run.
        machine: The machine it ran on.
        commit: The commit it measured; None outside a git repository.
        benchmarks: In the order of the run.
        name: The name it was stored under, if any.
        schema: The version of this layout.
        yardstick: Seconds of each reference workload over the whole run; empty if there were none.
        interrupted: Whether it ended before every benchmark was done.
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
