"""Tests the import of pytest-benchmark's files."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waiting import PROCESS_SECONDS

from jarvisperf.runs.files import UnreadableRunError
from jarvisperf.runs.machine import read_machine
from jarvisperf.runs.pytest_benchmark_import import import_files, read_pytest_benchmark

SUITE = """
import pytest

@pytest.mark.parametrize("size", [10, 100])
@pytest.mark.parametrize("kind", ["list"])
def test_sum(benchmark, size, kind):
    benchmark.group = "sums"
    benchmark.extra_info["note"] = {"deep": 1}
    benchmark(sum, list(range(size)))

@pytest.mark.parametrize("thing", [object], ids=["a thing"])
def test_once(benchmark, thing):
    benchmark.pedantic(len, args=("abc",), rounds=1)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which pytest-benchmark wrote `all.json` (with samples) and `.benchmarks` (without)."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["--benchmark-json=all.json", "--benchmark-save=mine", "--benchmark-max-time=0.02"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:jarvisperf", "-p", "no:xdist", *options]
    # pytest-benchmark measures nothing if it believes that it runs in an xdist worker.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(command, cwd=folder, env=environ, check=True, timeout=PROCESS_SECONDS)
    return folder


def example(**changes: Any) -> dict[str, Any]:
    stats = {
        "min": 1.0,
        "max": 90.0,
        "mean": 4.0,
        "stddev": 2.0,
        "median": 3.0,
        "q1": 2.0,
        "q3": 4.0,
        "rounds": 7,
        "iterations": 5,
        "ld15iqr": 1.0,
        "hd15iqr": 6.0,
        "total": 28.0,
    }
    return {
        "datetime": "2020-03-04T05:06:07.000008",
        "machine_info": {
            "cpu": {"brand_raw": "Some CPU", "count": 8},
            "machine": "x86_64",
            "python_implementation": "CPython",
            "python_version": "3.9.1",
            "system": "Linux",
            "release": "5.4",
        },
        "commit_info": {"id": "ab" * 20, "time": "2020-03-04T00:00:00Z", "branch": "main", "dirty": False},
        "benchmarks": [{"fullname": "test_a.py::test_a", "group": None, "params": None, "stats": stats}],
        **changes,
    }


def read(folder: Path, content: object) -> Any:
    path = folder / "file.json"
    path.write_text(json.dumps(content))
    return read_pytest_benchmark(path)


def test_a_real_file_with_samples_is_read(written: Path):
    run, _ = read_pytest_benchmark(written / "all.json")
    source = json.loads((written / "all.json").read_text())["benchmarks"]
    assert [benchmark.id for benchmark in run.benchmarks] == [
        "test_it.py::test_sum[list-10]",
        "test_it.py::test_sum[list-100]",
        "test_it.py::test_once[a thing]",
    ]
    first = run.benchmarks[0]
    assert (first.group, first.params, first.extra_info) == (
        "sums",
        {"size": "10", "kind": "'list'"},
        {"note": "{'deep': 1}"},
    )
    summary = first.metrics["time"].summary
    assert summary.samples == source[0]["stats"]["rounds"]
    assert summary.iterations == source[0]["stats"]["iterations"]
    assert summary.median == pytest.approx(statistics.median(source[0]["stats"]["data"]))
    assert run.benchmarks[2].params == {"thing": "<class 'object'>"}
    assert run.seconds > 0


def test_a_real_file_has_the_fingerprint_of_its_machine(written: Path):
    run, _ = read_pytest_benchmark(written / "all.json")
    here = read_machine()
    assert (run.machine.python, run.machine.architecture) == (here.python, here.architecture)
    if run.machine.cores == here.cores and run.machine.cpu == here.cpu:
        assert run.machine.fingerprint == here.fingerprint


def test_a_real_storage_folder_is_read_without_samples(written: Path):
    (path,) = import_files(written / ".benchmarks")
    run, _ = read_pytest_benchmark(path)
    source = json.loads(path.read_text())["benchmarks"]
    assert all("data" not in benchmark["stats"] for benchmark in source)
    for benchmark, expected in zip(run.benchmarks, source, strict=True):
        summary, stats = benchmark.metrics["time"].summary, expected["stats"]
        assert summary.median == stats["median"]
        assert (summary.p25, summary.p75) == (stats["q1"], stats["q3"])
        assert summary.min <= summary.p5 <= summary.p25 <= summary.p75 <= summary.p95 <= summary.p99 <= summary.max
        assert list(summary.quantiles) == sorted(summary.quantiles)


def test_quartiles_stand_for_samples_and_outliers_do_not_bend_them(tmp_path: Path):
    run, _ = read(tmp_path, example())
    summary = run.benchmarks[0].metrics["time"].summary
    assert summary.quantiles == (1.0, 2.0, 3.0, 4.0, 90.0)
    assert summary.p95 == pytest.approx(4.0 + 0.8 * (6.0 - 4.0))
    assert (summary.samples, summary.iterations, summary.max) == (7, 5, 90.0)


def test_machine_commit_and_time_are_kept(tmp_path: Path):
    run, _ = read(tmp_path, example())
    assert run.created == "2020-03-04T05:06:07.000008+00:00"
    assert (run.machine.cpu, run.machine.cores, run.machine.python) == ("Some CPU", 8, "CPython 3.9.1")
    assert (run.commit.id, run.commit.branch, run.commit.dirty) == ("ab" * 20, "main", False)


@pytest.mark.parametrize("commit", [{}, {"id": "unversioned", "time": None}, {"id": None, "error": "no git"}])
def test_without_version_control_there_is_no_commit(tmp_path: Path, commit: dict[str, Any]):
    run, _ = read(tmp_path, example(commit_info=commit))
    assert run.commit is None


def test_an_old_file_that_tells_little_of_its_machine_is_read(tmp_path: Path):
    run, _ = read(tmp_path, example(machine_info={"cpu": {"brand": "Old CPU"}, "machine": "i686"}))
    assert (run.machine.cpu, run.machine.cores, run.machine.architecture) == ("Old CPU", 1, "i686")


def test_equal_files_have_equal_tokens(tmp_path: Path):
    assert read(tmp_path, example())[1] == read(tmp_path, example())[1]
    assert read(tmp_path, example())[1] != read(tmp_path, example(datetime="2021-01-01"))[1]


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"schema": "jarvisperf.run/1"},
        example(datetime="soon"),
        example(benchmarks=[{"fullname": "x"}]),
        example(benchmarks=[{"fullname": "x", "stats": {"min": "fast"}}]),
    ],
)
def test_what_is_no_such_file_is_named_with_its_reason(tmp_path: Path, content: object):
    with pytest.raises(UnreadableRunError, match=r"file\.json is not a file of pytest-benchmark: "):
        read(tmp_path, content)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"{", b"[" * 100_000])
def test_what_is_no_json_is_named(tmp_path: Path, data: bytes):
    path = tmp_path / "file.json"
    path.write_bytes(data)
    with pytest.raises(UnreadableRunError, match=r"file\.json is not a file of pytest-benchmark: "):
        read_pytest_benchmark(path)


def test_a_folder_stands_for_its_files_and_nothing_is_an_error(tmp_path: Path):
    (tmp_path / "Linux").mkdir()
    for name in ("Linux/0002_b.json", "Linux/0001_a.json", "readme.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in import_files(tmp_path)] == ["0001_a.json", "0002_b.json"]
    with pytest.raises(FileNotFoundError, match="does not exist"):
        import_files(tmp_path / "absent")
