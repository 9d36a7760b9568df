"""Builds a history from stored runs, decoding only the parts of each run that it needs."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.extras import lacking
from jarvisperf.history.change_points import FEWEST_RUNS, change_points, levels
from jarvisperf.history.model import History, LevelChange, Occasion, Point, Series
from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.runs.backends import RunStoreError
from jarvisperf.runs.files import decode_json, decompressed
from jarvisperf.runs.model import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.runs.store import RunEntry, RunStore

MOST_RUNS = 500


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


def read_history(
    store: RunStore, entries: Iterable[RunEntry], benchmarks: frozenset[str] | None = None, metric: str | None = None
) -> History:
    """Read runs and find where their benchmarks changed, if the extra `history` is installed.

    Args:
        store: The store that has them.
        entries: The runs, in any order; the newest 500 are read.
        benchmarks: Only benchmarks with these ids; None: all.
        metric: Only this metric; None: all.

    Raises:
        RunStoreError: The store cannot be reached.
    """
    newest = sorted(entries, key=lambda entry: (entry.created, entry.token))[-MOST_RUNS:]
    occasions: list[Occasion] = []
    warnings: list[str] = []
    found: dict[tuple[str, str], list[tuple[int, _Metric, float]]] = {}
    for entry in newest:
        try:
            run = _decoded(store.read_bytes(entry), entry.path)
        except (RunStoreError, ValueError) as error:
            warnings.append(f"skipped: {error}")
            continue
        place = len(occasions)
        occasions.append(Occasion(entry.token, entry.created, entry.commit, entry.dirty, entry.name))
        for benchmark in run.benchmarks:
            if benchmarks is not None and benchmark.id not in benchmarks:
                continue
            yardstick = _centre(benchmark.yardstick)
            for name, measured in benchmark.metrics.items():
                if metric is None or name == metric:
                    found.setdefault((benchmark.id, name), []).append((place, measured, yardstick))
    lack = lacking("history")
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


def _decoded(data: bytes, origin: str) -> _StoredRun:
    try:
        run = decode_json(decompressed(data, origin), _StoredRun)
    except msgspec.DecodeError as error:
        raise ValueError(f"{origin} is not a run: {error}") from error
    if run.schema != SCHEMA:
        raise ValueError(f"{origin} has schema {run.schema!r}; this version of jarvisperf reads {SCHEMA!r}")
    return run


def _series(benchmark: str, name: str, readings: Sequence[tuple[int, _Metric, float]]) -> Series:
    unit = readings[-1][1].unit
    follows_machine = BUILT_IN.of(name, unit).follows_machine
    middle = statistics.median([yardstick for _, _, yardstick in readings if yardstick > 0] or [1.0])
    points = tuple(
        Point(
            place,
            measured.summary.median,
            measured.summary.p25,
            measured.summary.p75,
            _speed(yardstick, middle) if follows_machine else 1.0,
        )
        for place, measured, yardstick in readings
        if measured.unit == unit
    )
    return Series(benchmark, name, unit, points)


def _speed(yardstick: float, middle: float) -> float:
    """Return how slow the machine was, as a multiple of the median; 1 if unknown."""
    speed = yardstick / middle
    return speed if 0 < speed < math.inf else 1.0


def _centre(yardstick: dict[str, float]) -> float:
    """Return the geometric mean of the reference workloads; 0 if there are none."""
    values = [value for value in yardstick.values() if 0 < value < math.inf]
    return statistics.geometric_mean(values) if values else 0.0


def _helps(plain: Sequence[float], levelled: Sequence[float]) -> bool:
    """Return whether neighbouring runs differ less once the yardstick's drift is removed."""
    if plain == levelled or min(plain) <= 0 or not 0 < min(levelled) <= max(levelled) < math.inf:
        return False
    return _roughness(levelled) < _roughness(plain)


def _roughness(values: Sequence[float]) -> float:
    """Return the mean step between neighbours; a change of the code contributes equally with and without yardstick."""
    differences = [abs(math.log(after) - math.log(before)) for before, after in itertools.pairwise(values)]
    return statistics.fmean(differences) if differences else 0.0
