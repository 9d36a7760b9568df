"""Builds a history from stored runs, reading only the figures of each run that it needs."""

from __future__ import annotations

import itertools
import math
import operator
import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jarvisperf.extras import lacking
from jarvisperf.history.change_points import FEWEST_RUNS, change_points_of_each, levels
from jarvisperf.history.model import History, LevelChange, Occasion, Point, Series
from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.runs.backends import RunStoreError
from jarvisperf.runs.files import decode_json, decompressed
from jarvisperf.runs.model import SCHEMA
from jarvisperf.runs.tables import Tables, first_line, group_of, list_parts, yardstick_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jarvisperf.runs.store import RunEntry, RunStore

MOST_RUNS = 500  # in a report


class Reading(NamedTuple):
    """One benchmark's metric in one run.

    Attributes:
        run: The run's number among the runs of the history, the oldest being 0.
        place: Its place in the run.
        unit: The symbol of its unit.
        median: The median, in that unit.
        low: 25th percentile.
        high: 75th percentile.
        yardstick: Seconds of the reference workloads around it; None if there are none.
    """

    run: int
    place: int
    unit: str
    median: float
    low: float
    high: float
    yardstick: float | None


Readings = dict[tuple[str, str], list[Reading]]  # by a benchmark's id, as it is stored, and a metric's name


class _Summary(msgspec.Struct, gc=False):
    median: float
    p25: float
    p75: float


class _Metric(msgspec.Struct, gc=False):
    unit: str
    summary: _Summary


class _StoredBenchmark(msgspec.Struct):
    id: str
    metrics: dict[str, _Metric] = {}
    yardstick: dict[str, float] = {}


class _StoredRun(msgspec.Struct):
    schema: str
    benchmarks: list[_StoredBenchmark]


class Wanted(NamedTuple):
    """Which series of a history are wanted.

    Attributes:
        benchmarks: Only benchmarks with these ids; None: all.
        metric: Only this metric; None: all.
        containing: Only benchmarks whose id contains this text.
    """

    benchmarks: frozenset[str] | None = None
    metric: str | None = None
    containing: str = ""

    def includes(self, benchmark: str, metric: str) -> bool:
        """Return whether a series is wanted."""
        return (
            (self.benchmarks is None or benchmark in self.benchmarks)
            and self.metric in {None, metric}
            and self.containing in benchmark
        )


def read_history(
    store: RunStore,
    entries: Iterable[RunEntry],
    benchmarks: frozenset[str] | None = None,
    metric: str | None = None,
    containing: str = "",
    at_most: int | None = MOST_RUNS,
) -> History:
    """Read runs and find where their benchmarks changed, if the extra `history` is installed.

    Runs that have been compacted are read from their Parquet objects, if that extra is installed.

    Args:
        store: The store that has them.
        entries: The runs, in any order.
        benchmarks: Only benchmarks with these ids; None: all.
        metric: Only this metric; None: all.
        containing: Only benchmarks whose id contains this text.
        at_most: How many of the runs to read at most, the newest ones; None: all.

    Raises:
        RunStoreError: The store cannot be reached.
    """
    newest = sorted(entries, key=lambda entry: (entry.created, entry.token))[-at_most if at_most else 0 :]
    wanted = Wanted(benchmarks, metric, containing)
    lack = lacking("history")
    warnings: list[str] = []
    readings: Readings = {}
    remaining = newest if lack else _read_compacted(store, newest, wanted, readings, warnings)
    unreadable = _read_single(store, newest, remaining, wanted, readings, warnings)
    readable = [number for number in range(len(newest)) if number not in unreadable]
    occasions = [
        Occasion(one.token, one.created, one.commit, one.dirty, one.name)
        for one in (newest[number] for number in readable)
    ]
    places = {number: place for place, number in enumerate(readable)}
    in_order = sorted(readings.items(), key=lambda pair: min(pair[1])[:2])  # as in the first run that has it
    plain = [_series(benchmark, name, sorted(of_one), places) for (benchmark, name), of_one in in_order]
    series: dict[str, dict[str, Series]] = {}
    for one in plain if lack else with_changes(plain):
        series.setdefault(one.benchmark, {})[one.metric] = one
    is_long = any(len(one.points) >= FEWEST_RUNS for metrics in series.values() for one in metrics.values())
    unsearched = f"changes in the history are not marked: {lack}" if lack and is_long else ""
    return History(tuple(occasions), series, tuple(warnings), unsearched)


def with_changes(plain: Sequence[Series]) -> list[Series]:
    """Return series with the changes of their levels."""
    medians = [[point.median for point in one.points] for one in plain]
    levelled = [[point.median / point.speed for point in one.points] for one in plain]
    yardsticks = list(map(_helps, medians, levelled))
    searched = [
        after if yardstick else before for before, after, yardstick in zip(medians, levelled, yardsticks, strict=True)
    ]
    return [
        msgspec.structs.replace(one, changes=_changes(one, values, places), yardstick=yardstick)
        for one, values, places, yardstick in zip(
            plain, searched, change_points_of_each(searched), yardsticks, strict=True
        )
    ]


def _changes(series: Series, values: Sequence[float], places: Sequence[int]) -> tuple[LevelChange, ...]:
    steps = itertools.pairwise(levels(values, places))
    return tuple(
        LevelChange(series.points[place].place, before, after)
        for place, (before, after) in zip(places, steps, strict=True)
    )


def _read_compacted(
    store: RunStore, runs: Sequence[RunEntry], wanted: Wanted, readings: Readings, warnings: list[str]
) -> list[RunEntry]:
    """Add the wanted readings of the runs that Parquet objects hold; return the other runs."""
    parts = list_parts(store.place, {group_of(entry) for entry in runs})
    if not parts:
        return list(runs)
    chosen: dict[str, object] = {"contains(benchmark, ?)": wanted.containing}
    if wanted.benchmarks is not None:
        chosen["list_contains(?, benchmark)"] = list(wanted.benchmarks)
    if wanted.metric is not None:
        chosen["metric = ?"] = wanted.metric
    import duckdb

    figures = ", ".join(f"list({name})" for name in ("place", "unit", "median", "p25", "p75", "yardstick"))
    with Tables(store, runs, parts) as tables:
        warnings += tables.warnings
        try:
            # The columns of a series at once: a million rows would take ten times as long.
            found = tables.connection.execute(
                f"SELECT benchmark, metric, list(number), {figures} FROM results "  # noqa: S608
                "JOIN (SELECT unnest(?) AS object, unnest(?) AS number) USING (object) "
                f"WHERE metric IS NOT NULL AND {' AND '.join(chosen)} GROUP BY benchmark, metric",
                [[entry.path for entry in runs], list(range(len(runs))), *chosen.values()],
            ).fetchall()
        except duckdb.Error as error:
            warnings.append(f"the compacted runs are read one by one: {first_line(error)}")
            return list(runs)
    for benchmark, metric, *columns in found:
        readings[benchmark, metric] = list(map(Reading._make, zip(*columns, strict=True)))
    return tables.others


def _read_single(
    store: RunStore,
    runs: Sequence[RunEntry],
    remaining: Sequence[RunEntry],
    wanted: Wanted,
    readings: Readings,
    warnings: list[str],
) -> set[int]:
    """Add the wanted readings of runs that are read one by one; return the numbers of those that cannot be read."""
    numbers = {entry: number for number, entry in enumerate(runs)}
    unreadable: set[int] = set()
    for entry, content in store.read_each(remaining):
        try:
            if isinstance(content, RunStoreError):
                raise content
            run = _decoded(content, entry.path)
        except (RunStoreError, ValueError) as error:
            warnings.append(f"skipped: {error}")
            unreadable.add(numbers[entry])
            continue
        every = ((benchmark, *item) for benchmark in run.benchmarks for item in benchmark.metrics.items())
        for place, (benchmark, name, metric) in enumerate(every):
            if wanted.includes(benchmark.id, name):
                figures = metric.summary.median, metric.summary.p25, metric.summary.p75
                reading = Reading(numbers[entry], place, metric.unit, *figures, yardstick_seconds(benchmark.yardstick))
                readings.setdefault((benchmark.id, name), []).append(reading)
    return unreadable


def _decoded(data: bytes, origin: str) -> _StoredRun:
    try:
        run = decode_json(decompressed(data, origin), _StoredRun)
    except msgspec.DecodeError as error:
        raise ValueError(f"{origin} is not a run: {error}") from error
    if run.schema != SCHEMA:
        raise ValueError(f"{origin} has schema {run.schema!r}; this version of jarvisperf reads {SCHEMA!r}")
    return run


def _series(benchmark: str, name: str, readings: Sequence[Reading], places: Mapping[int, int]) -> Series:
    """Make a series of readings in the order of their runs.

    Args:
        benchmark: The benchmark's id, as it is stored.
        name: The metric's name.
        readings: The readings.
        places: The place in the history of each run, by its number.
    """
    unit = readings[-1].unit
    follows_machine = BUILT_IN.of(name, unit).follows_machine
    middle = statistics.median([one.yardstick for one in readings if one.yardstick] or [1.0])
    points = tuple(
        Point(places[run], median, low, high, _speed(yardstick, middle) if follows_machine and yardstick else 1.0)
        for run, _, its_unit, median, low, high, yardstick in readings
        if its_unit == unit
    )
    return Series(benchmark, name, unit, points)


def _speed(yardstick: float, middle: float) -> float:
    """Return how slow the machine was, as a multiple of the median; 1 if unknown."""
    speed = yardstick / middle
    return speed if 0 < speed < math.inf else 1.0


def _helps(plain: Sequence[float], levelled: Sequence[float]) -> bool:
    """Return whether neighbouring runs differ less once the yardstick's drift is removed."""
    if plain == levelled or min(plain) <= 0 or not 0 < min(levelled) <= max(levelled) < math.inf:
        return False
    return _roughness(levelled) < _roughness(plain)


def _roughness(values: Sequence[float]) -> float:
    """Return the mean step between neighbours; a change to the code contributes equally with and without yardstick."""
    logarithms = list(map(math.log, values))
    return statistics.fmean(map(abs, map(operator.sub, logarithms[1:], logarithms))) if len(values) > 1 else 0.0
