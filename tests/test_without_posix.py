"""Recording, baselines, the cache and reports on a system that has no forks and no Unix sockets, like Windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from restricted_python import RestrictedPython
from without_posix import WITHOUT_POSIX

if TYPE_CHECKING:
    import subprocess

SUITE = """
import pytest

def test_a(jarvis_bench):
    jarvis_bench(sum, range(500))

def test_b(benchmark):
    benchmark(sorted, list(range(500)))

@pytest.mark.jarvis_profile(engine="pyinstrument")
def test_memory(jarvis_bench):
    jarvis_bench.memory(list, range(1000))

def test_cache(tiered_cache):
    tiered_cache.set("key", {"a": 1})
    assert tiered_cache.get("key") == {"a": 1}
"""
IMPORTS = """
import importlib, pkgutil
for name in ("jarvisperf", "pytest_jarvisperf"):
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        importlib.import_module(module.name)
"""
CACHE = """
import sys
from jarvisperf.cache import SmartCache
for memory_items in (100, 0):
    with SmartCache(None, sys.argv[1], memory_items=memory_items) as cache:
        cache.set("key", [1, 2])
        assert cache.get("key") == [1, 2]
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> RestrictedPython:
    return RestrictedPython(tmp_path_factory.mktemp("windows"), WITHOUT_POSIX, SUITE)


@pytest.fixture(scope="module")
def recorded(python: RestrictedPython) -> subprocess.CompletedProcess[str]:
    return python.bench("--jarvis-save=main", "--jarvis-profile")


def test_every_module_can_be_imported(python: RestrictedPython):
    done = python.run("-c", IMPORTS)
    assert (done.returncode, done.stderr) == (0, "")


def test_benchmarks_are_recorded_stored_and_reported(
    python: RestrictedPython, recorded: subprocess.CompletedProcess[str]
):
    assert recorded.returncode == 0, recorded.stdout + recorded.stderr
    assert "3 benchmarks measured" in recorded.stdout
    assert len(list((python.root / "reports").glob("report.*"))) >= 4


def test_a_stored_run_is_compared_and_what_it_cannot_decide_is_inconclusive(
    python: RestrictedPython, recorded: subprocess.CompletedProcess[str]
):
    assert recorded.returncode == 0, recorded.stdout
    done = python.bench("--jarvis-compare=main", "--jarvis-threshold=40%")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {one["metrics"]["time"]["verdict"] for one in python.report["benchmarks"] if "time" in one["metrics"]}
    assert verdicts <= {"unchanged", "improved", "inconclusive"}


def test_lockstep_is_refused_in_one_sentence(python: RestrictedPython):
    done = python.bench("--jarvis-against=HEAD")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == (
        "ERROR: --jarvis-against: lockstep forks its processes, which this system cannot do; "
        "compare with a stored run (--jarvis-compare), or use Linux, macOS or WSL"
    )


def test_the_cache_keeps_values_in_memory_and_on_disk(python: RestrictedPython):
    done = python.run("-c", CACHE, str(python.root / "cache"))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_startup_benchmark_is_refused_in_one_sentence(python: RestrictedPython):
    (python.root / "test_startup.py").write_text(
        "def test_s(jarvis_bench):\n    jarvis_bench.startup(['python', '-c', ''])\n"
    )
    done = python.bench("test_startup.py")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "startup benchmarks need os.posix_spawn, which this system does not have" in done.stdout
