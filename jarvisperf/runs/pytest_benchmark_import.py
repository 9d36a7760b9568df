"""Reads pytest-benchmark's JSON files (`--benchmark-json`, `--benchmark-save`) as runs, so a team keeps its history.

A file without samples contributes its five quantiles (min, q1, median, q3, max). Percentiles between these are
interpolated linearly, without the outliers, which pytest-benchmark counts separately.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.files import UnreadableRunError
from jarvisperf.runs.machine import Machine
from jarvisperf.runs.model import Benchmark, Metric, Run
from jarvisperf.runs.names import utc_time
from jarvisperf.runs.summary import Summary, quantile, summarize

if TYPE_CHECKING:
    from pathlib import Path

METHOD = "pytest-benchmark"

_UNSERIALIZABLE = "UNSERIALIZABLE["


class _Stats(msgspec.Struct):
    min: float
    max: float
    mean: float
    stddev: float
    median: float
    q1: float
    q3: float
    rounds: int
    iterations: int = 1
    ld15iqr: float | None = None
    hd15iqr: float | None = None
    total: float = 0.0
    data: list[float] | None = None


class _Benchmark(msgspec.Struct):
    fullname: str
    stats: _Stats
    group: str | None = None
    params: dict[str, Any] | None = None
    extra_info: dict[str, Any] | None = None


class _File(msgspec.Struct):
    datetime: str
    benchmarks: list[_Benchmark]
    machine_info: dict[str, Any] = {}
    commit_info: dict[str, Any] = {}


def import_files(path: Path) -> list[Path]:
    """List the JSON files of a path: the file itself, or all files of a storage folder, the oldest first.

    Raises:
        FileNotFoundError: The path does not exist.
    """
    if path.is_dir():
        return sorted(path.rglob("*.json"))
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    return [path]


def read_pytest_benchmark(path: Path) -> tuple[Run, str]:
    """Read one of pytest-benchmark's files.

    Returns:
        The run, and a token for the store that depends on the content, so that importing a file twice stores it once.

    Raises:
        OSError: The file cannot be read.
        UnreadableRunError: It is not a pytest-benchmark file; the message names the file and the reason.
    """
    data = path.read_bytes()
    try:
        file = msgspec.convert(json.loads(data), _File, strict=False)
        run = Run(
            created=utc_time(file.datetime).isoformat(),
            seconds=sum(benchmark.stats.total for benchmark in file.benchmarks),
            machine=_machine(file.machine_info),
            commit=_commit(file.commit_info),
            benchmarks=tuple(map(_benchmark, file.benchmarks)),
        )
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise UnreadableRunError(f"{path} is not a file of pytest-benchmark: {error}") from error
    return run, f"r{hashlib.blake2b(data, digest_size=5).hexdigest()}"


def _benchmark(benchmark: _Benchmark) -> Benchmark:
    return Benchmark(
        id=benchmark.fullname,
        group=benchmark.group,
        params={name: _parameter(value) for name, value in (benchmark.params or {}).items()},
        metrics={"time": Metric(unit="s", better="lower", method=METHOD, summary=_summary(benchmark.stats))},
        extra_info={name: str(value) for name, value in (benchmark.extra_info or {}).items()},
    )


def _parameter(value: object) -> str:
    if isinstance(value, str) and value.startswith(_UNSERIALIZABLE):
        return value.removeprefix(_UNSERIALIZABLE).removesuffix("]")
    return repr(value)


def _summary(stats: _Stats) -> Summary:
    if stats.data:
        return summarize(stats.data, stats.iterations)
    low = stats.min if stats.ld15iqr is None else stats.ld15iqr
    high = stats.max if stats.hd15iqr is None else stats.hd15iqr
    figures = (stats.min, stats.max, stats.mean, stats.stddev, stats.median, stats.q1, stats.q3, low, high)
    if stats.rounds < 1 or not all(0 <= figure < math.inf for figure in figures):
        raise ValueError(f"its figures are not measurements: {stats.rounds} rounds, median {stats.median:g} s")
    regular = sorted((low, stats.q1, stats.median, stats.q3, high))
    return Summary(
        samples=stats.rounds,
        iterations=stats.iterations,
        min=stats.min,
        max=stats.max,
        mean=stats.mean,
        median=stats.median,
        stddev=stats.stddev,
        p5=quantile(regular, 0.05),
        p25=stats.q1,
        p75=stats.q3,
        p95=quantile(regular, 0.95),
        p99=quantile(regular, 0.99),
        quantiles=(stats.min, stats.q1, stats.median, stats.q3, stats.max),
    )


def _machine(info: dict[str, Any]) -> Machine:
    """Describe the machine so that its fingerprint equals that of `read_machine` if the file has the facts for it."""
    cpu = info.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    cores = cpu.get("count")
    return Machine(
        cpu=_text(cpu.get("brand_raw") or cpu.get("brand") or info.get("processor") or info.get("machine")),
        cores=cores if isinstance(cores, int) else 1,
        memory_bytes=None,
        system=f"{_text(info.get('system'))} {_text(info.get('release'))}".strip(),
        architecture=_text(info.get("machine")),
        python=f"{_text(info.get('python_implementation'))} {_text(info.get('python_version'))}".strip(),
        packages={},
        governor=None,
        load=None,
        virtualized=None,
    )


def _commit(info: dict[str, Any]) -> Commit | None:
    commit = _text(info.get("id"))
    if not commit or commit == "unversioned":
        return None
    return Commit(
        id=commit, time=_text(info.get("time")), branch=_text(info.get("branch")) or None, dirty=bool(info.get("dirty"))
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
