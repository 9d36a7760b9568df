"""Recording, baselines, the cache and reports on a system that has no forks and no Unix sockets, like Windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import without_posix

if TYPE_CHECKING:
    from pathlib import Path

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
PLUGINS = ("-p", "pytest_benchmark.plugin", "-p", "pytest_jarvisperf.plugin")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("windows")
    without_posix.sitecustomize(root / "start")
    (root / "test_x.py").write_text(SUITE)
    return root


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    hidden = ("PYTEST", "COV_", "JARVIS")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env |= {"PYTHONPATH": str(root / "start"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run([sys.executable, *words], cwd=root, env=env, capture_output=True, text=True, check=False)


def bench(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(
        root, "-m", "pytest", *PLUGINS, "-p", "no:cacheprovider", "--jarvis-bench", "--jarvis-budget=0.1", *words
    )


def report(root: Path) -> dict[str, Any]:
    return json.loads((root / "reports/report.json").read_text())


@pytest.fixture(scope="module")
def recorded(root: Path) -> subprocess.CompletedProcess[str]:
    return bench(root, "--jarvis-save=main", "--jarvis-profile")


def test_every_module_can_be_imported(root: Path):
    done = run(root, "-c", IMPORTS)
    assert (done.returncode, done.stderr) == (0, "")


def test_benchmarks_are_recorded_stored_and_reported(root: Path, recorded: subprocess.CompletedProcess[str]):
    assert recorded.returncode == 0, recorded.stdout + recorded.stderr
    assert "3 benchmarks measured" in recorded.stdout
    assert len(list((root / "reports").glob("report.*"))) >= 4


def test_a_stored_run_is_compared_and_what_it_cannot_decide_is_inconclusive(
    root: Path, recorded: subprocess.CompletedProcess[str]
):
    assert recorded.returncode == 0, recorded.stdout
    done = bench(root, "--jarvis-compare=main", "--jarvis-threshold=40%")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {one["metrics"]["time"]["verdict"] for one in report(root)["benchmarks"] if "time" in one["metrics"]}
    assert verdicts <= {"unchanged", "improved", "inconclusive"}


def test_lockstep_is_refused_in_one_sentence(root: Path):
    done = bench(root, "--jarvis-against=HEAD")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == (
        "ERROR: --jarvis-against: lockstep forks its processes, which this system cannot do; "
        "compare with a stored run (--jarvis-compare), or use Linux, macOS or WSL"
    )


def test_the_cache_keeps_values_in_memory_and_on_disk(root: Path):
    done = run(root, "-c", CACHE, str(root / "cache"))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_startup_benchmark_is_refused_in_one_sentence(root: Path):
    (root / "test_startup.py").write_text("def test_s(jarvis_bench):\n    jarvis_bench.startup(['python', '-c', ''])\n")
    done = bench(root, "test_startup.py")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "startup benchmarks need os.posix_spawn, which this system does not have" in done.stdout
