"""Builds a history from stored runs, reading only the figures of each run that it needs."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jarvisperf.extras import lacking
from jarvisperf.history.change_points import FEWEST_RUNS, change_points, levels
from jarvisperf.history.model import History, LevelChange, Occasion, Point, Series
from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.runs.backends import RunStoreError
from jarvisperf.runs.files import decode_json, decompressed
from jarvisperf.runs.model import SCHEMA
from jarvisperf.runs.tables import Tables, first_line, group_of, list_parts, yardstick_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.runs.store import RunEntry, RunStore

MOST_RUNS = 500


class Reading(NamedTuple):
    """One benchmark's metric in one run.

    Attributes:
        benchmark: The benchmark's id, as it is stored.
        metric: The metric's name.
        unit: The symbol of its unit.
        median: The median, in that unit.
        low: 25th percentile.
        high: 75th percentile.
        yardstick: Seconds of the reference workloads around it; None if there are none.
    """

    benchmark: str
    metric: str
    unit: str
    median: float
    low: float
    high: float
    yardstick: float | None


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

    def includes(self, reading: Reading) -> bool:
        """Return whether a reading belongs to a wanted series."""
        return (
            (self.benchmarks is None or reading.benchmark in self.benchmarks)
            and self.metric in {None, reading.metric}
            and self.containing in reading.benchmark
        )


def read_history(
    store: RunStore,
    entries: Iterable[RunEntry],
    benchmarks: frozenset[str] | None = None,
    metric: str | None = None,
    containing: str = "",
) -> History:
    """Read runs and find where their benchmarks changed, if the extra `history` is installed.

    Runs that have been compacted are read from their Parquet objects, if that extra is installed.

    Args:
        store: The store that has them.
        entries: The runs, in any order; the newest 500 are read.
        benchmarks: Only benchmarks with these ids; None: all.
        metric: Only this metric; None: all.
        containing: Only benchmarks whose id contains this text.

    Raises:
        RunStoreError: The store cannot be reached.
    """
    newest = sorted(entries, key=lambda entry: (entry.created, entry.token))[-MOST_RUNS:]
    wanted = Wanted(benchmarks, metric, containing)
    lack = lacking("history")
    warnings: list[str] = []
    compacted = {} if lack else _compacted(store, newest, wanted, warnings)
    by_run = compacted | _single(store, [one for one in newest if one.path not in compacted], warnings)
    occasions: list[Occasion] = []
    found: dict[tuple[str, str], list[tuple[int, Reading]]] = {}
    for entry in newest:
        if entry.path not in by_run:
            continue
        place = len(occasions)
        occasions.append(Occasion(entry.token, entry.created, entry.commit, entry.dirty, entry.name))
        for reading in by_run[entry.path]:
            if wanted.includes(reading):
                found.setdefault((reading.benchmark, reading.metric), []).append((place, reading))
    series: dict[str, dict[str, Series]] = {}
    for (benchmark_id, name), readings in found.items():
        one = _series(benchmark_id, name, readings)
        series.setdefault(benchmark_id, {})[name] = one if lack else with_changes(one)
    is_long = any(len(one.points) >= FEWEST_RUNS for metrics in series.values() for one in metrics.values())
    unsearched = f"changes in the history are not marked: {lack}" if lack and is_long else ""
    return History(tuple(occasions), series, tuple(warnings), unsearched)


def with_changes(series: Series) -> Series:
    """Return a series with the changes of its level."""
    plain = [point.median for point in series.points]
    levelled = [point.median / point.speed for point in series.points]
    yardstick = _helps(plain, levelled)
    values = levelled if yardstick else plain
    places = change_points(values)
    steps = itertools.pairwise(levels(values, places))
    changes = tuple(
        LevelChange(series.points[place].place, before, after)
        for place, (before, after) in zip(places, steps, strict=True)
    )
    return msgspec.structs.replace(series, changes=changes, yardstick=yardstick)


def _compacted(
    store: RunStore, entries: Sequence[RunEntry], wanted: Wanted, warnings: list[str]
) -> dict[str, list[Reading]]:
    """Read the runs that Parquet objects hold; return the wanted readings by the run's path."""
    parts = list_parts(store.place, {group_of(entry) for entry in entries})
    if not parts:
        return {}
    chosen: dict[str, object] = {"contains(benchmark, ?)": wanted.containing}
    if wanted.benchmarks is not None:
        chosen["list_contains(?, benchmark)"] = list(wanted.benchmarks)
    if wanted.metric is not None:
        chosen["metric = ?"] = wanted.metric
    import duckdb

    with Tables(store, entries, parts) as tables:
        warnings += tables.warnings
        try:
            rows = tables.connection.execute(
                "SELECT object, benchmark, metric, unit, median, p25, p75, yardstick FROM results "  # noqa: S608
                f"WHERE metric IS NOT NULL AND {' AND '.join(chosen)} ORDER BY object, place",
                list(chosen.values()),
            ).fetchall()
        except duckdb.Error as error:
            warnings.append(f"the compacted runs are read one by one: {first_line(error)}")
            return {}
        others = {entry.path for entry in tables.others}
    readings: dict[str, list[Reading]] = {entry.path: [] for entry in entries if entry.path not in others}
    for path, *figures in rows:
        readings[path].append(Reading(*figures))
    return readings


def _single(store: RunStore, entries: Sequence[RunEntry], warnings: list[str]) -> dict[str, list[Reading]]:
    """Read runs one by one; return their readings by the run's path."""
    readings: dict[str, list[Reading]] = {}
    for entry, content in store.read_each(entries):
        try:
            if isinstance(content, RunStoreError):
                raise content
            run = _decoded(content, entry.path)
        except (RunStoreError, ValueError) as error:
            warnings.append(f"skipped: {error}")
            continue
        readings[entry.path] = [
            Reading(
                *(benchmark.id, name, metric.unit, metric.summary.median, metric.summary.p25, metric.summary.p75),
                yardstick_seconds(benchmark.yardstick),
            )
            for benchmark in run.benchmarks
            for name, metric in benchmark.metrics.items()
        ]
    return readings


def _decoded(data: bytes, origin: str) -> _StoredRun:
    try:
        run = decode_json(decompressed(data, origin), _StoredRun)
    except msgspec.DecodeError as error:
        raise ValueError(f"{origin} is not a run: {error}") from error
    if run.schema != SCHEMA:
        raise ValueError(f"{origin} has schema {run.schema!r}; this version of jarvisperf reads {SCHEMA!r}")
    return run


def _series(benchmark: str, name: str, readings: Sequence[tuple[int, Reading]]) -> Series:
    unit = readings[-1][1].unit
    follows_machine = BUILT_IN.of(name, unit).follows_machine
    middle = statistics.median([one.yardstick for _, one in readings if one.yardstick] or [1.0])
    points = tuple(
        Point(
            place,
            reading.median,
            reading.low,
            reading.high,
            _speed(reading.yardstick, middle) if follows_machine and reading.yardstick else 1.0,
        )
        for place, reading in readings
        if reading.unit == unit
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
    differences = [abs(math.log(after) - math.log(before)) for before, after in itertools.pairwise(values)]
    return statistics.fmean(differences) if differences else 0.0
