"""A run as rows: one for each metric of each benchmark, with everything about the run in each of them.

The columns are an interface: they are what `jarvisperf runs sql` and every reader of the Parquet files see. Columns are
only added, and a change of any other kind needs a new folder (`parts.FOLDER`).
"""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.runs.model import Metric, Run
    from jarvisperf.runs.names import RunEntry


class Column(NamedTuple):
    """A column of the tables.

    Attributes:
        name: Its name.
        type: Its type in SQL.
        meaning: What it holds.
    """

    name: str
    type: str
    meaning: str


RUN_COLUMNS = (
    Column("object", "VARCHAR", "the run's path in the store, which no other run has"),
    Column("run", "VARCHAR", "the run's token, like `r5f3a9c01d2`"),
    Column("name", "VARCHAR", "the name it is stored under"),
    Column("created", "TIMESTAMP", "when it started, in UTC"),
    Column("commit", "VARCHAR", "the full hash of the commit; null without one"),
    Column("branch", "VARCHAR", "the branch that was checked out; null for a detached HEAD"),
    Column("dirty", "BOOLEAN", "whether the files differed from the commit"),
    Column("machine", "VARCHAR", "the machine's fingerprint; times are comparable where it is equal"),
    Column("cpu", "VARCHAR", "the processor's model name"),
    Column("cores", "BIGINT", "logical processors that the run could use"),
    Column("memory_bytes", "BIGINT", "physical memory"),
    Column("system", "VARCHAR", "the operating system and its release"),
    Column("architecture", "VARCHAR", "`x86_64`, `aarch64` and the like"),
    Column("python", "VARCHAR", "implementation and version"),
    Column("packages", "MAP(VARCHAR, VARCHAR)", "versions of relevant packages: `packages['numpy']`"),
    Column("seconds", "DOUBLE", "how long the whole run took"),
    Column("interrupted", "BOOLEAN", "whether it ended before every benchmark was done"),
)
RESULT_COLUMNS = (
    Column("place", "INTEGER", "the row's place in the run, from 0"),
    Column("benchmark", "VARCHAR", "the benchmark's id"),
    Column("group_name", "VARCHAR", "its group"),
    Column("params", "MAP(VARCHAR, VARCHAR)", "its parameters: `params['size']`"),
    Column("before", "VARCHAR", "the id of its uncached or naive counterpart"),
    Column("error", "VARCHAR", "why it has no figures; those and the metric are null then"),
    Column("yardstick", "DOUBLE", "seconds of the reference workloads around it: their geometric mean"),
    Column("metric", "VARCHAR", "`time`, `memory`, `startup` and the like"),
    Column("unit", "VARCHAR", "the symbol of the figures' unit: `s`, `B`, or what is counted"),
    Column("better", "VARCHAR", "`lower` or `higher`"),
    Column("method", "VARCHAR", "how it was measured"),
    Column("samples", "BIGINT", "number of samples"),
    Column("iterations", "BIGINT", "calls of the target in each sample"),
    *(
        Column(name, "DOUBLE", meaning)
        for name, meaning in (
            ("min", "the smallest sample"),
            ("max", "the largest sample"),
            ("mean", "arithmetic mean"),
            ("median", "the middle sample"),
            ("stddev", "sample standard deviation"),
            ("p5", "5th percentile"),
            ("p25", "25th percentile"),
            ("p75", "75th percentile"),
            ("p95", "95th percentile"),
            ("p99", "99th percentile"),
        )
    ),
)
LARGEST_COUNT = 2**53
FIGURES = ("samples", "iterations", "min", "max", "mean", "median", "stddev", "p5", "p25", "p75", "p95", "p99")


def run_row(entry: RunEntry, run: Run) -> bytes:
    """Return a run's values of `RUN_COLUMNS`, as JSON."""
    commit, machine = run.commit, run.machine
    return msgspec.json.encode(
        {
            "object": entry.path,
            "run": entry.token,
            "name": entry.name,
            "created": entry.created.replace(tzinfo=None),
            "commit": None if commit is None else commit.id,
            "branch": None if commit is None else commit.branch,
            "dirty": commit is not None and commit.dirty,
            "machine": entry.fingerprint,
            "cpu": machine.cpu,
            "cores": _countable(machine.cores),
            "memory_bytes": _countable(machine.memory_bytes),
            "system": machine.system,
            "architecture": machine.architecture,
            "python": machine.python,
            "packages": machine.packages,
            "seconds": run.seconds,
            "interrupted": run.interrupted,
        }
    )


def result_rows(entry: RunEntry, run: Run) -> Iterator[bytes]:
    """Yield the values of `RESULT_COLUMNS` and the run's path, as JSON, for each metric of each benchmark.

    A benchmark that failed is one row without a metric.
    """
    place = itertools.count()
    for benchmark in run.benchmarks:
        about: dict[str, object] = {
            "object": entry.path,
            "benchmark": benchmark.id,
            "group_name": benchmark.group,
            "params": benchmark.params,
            "before": benchmark.before,
            "error": benchmark.error,
            "yardstick": yardstick_seconds(benchmark.yardstick),
        }
        for name, metric in benchmark.metrics.items():
            yield msgspec.json.encode(about | {"place": next(place)} | _figures(name, metric))
        if not benchmark.metrics:
            yield msgspec.json.encode(about | {"place": next(place)})


def _figures(name: str, metric: Metric) -> dict[str, object]:
    values: dict[str, object] = {figure: getattr(metric.summary, figure) for figure in FIGURES}
    return {"metric": name, "unit": metric.unit, "better": metric.better, "method": metric.method, **values}


def _countable(number: int | None) -> int | None:
    """Return a number that a column can hold; None for an impossible one, of which a run may have any."""
    return number if number is not None and abs(number) <= LARGEST_COUNT else None


def yardstick_seconds(workloads: Mapping[str, float]) -> float | None:
    """Return the geometric mean of a benchmark's reference workloads in seconds; None if there are none."""
    values = [value for value in workloads.values() if 0 < value < math.inf]
    return statistics.geometric_mean(values) if values else None
