"""Counting instructions in lockstep: as a metric of its own, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from light_pytest import LIGHT, NO_CONTROL, NO_REASONS
from stranger import Stranger

from jarvisperf.measure.metrics.instruction_counters import ADVICE, HARDWARE, method_of_arms

PACKAGE = """
def slower(n):
    text = ""
    for _ in range(n):
        text = "a"
    return text

def same(n):
    return sum(range(n))
"""
BENCH = """
import pkg

def test_slower(jarvis_bench): jarvis_bench(pkg.slower, 500)
def test_same(jarvis_bench): jarvis_bench(pkg.same, 500)
"""
FILES = {"pkg/__init__.py": PACKAGE, "benchmarks/test_pkg.py": BENCH, "pytest.ini": "[pytest]\n"}
METRIC = "--jarvis-metrics=instructions"


@pytest.fixture
def method() -> str:
    found = method_of_arms()
    if found is None and not os.environ.get("JARVISPERF_REQUIRE_ALL"):
        pytest.skip(ADVICE)
    assert found is not None, ADVICE
    return found


def test_twice_the_work_is_twice_the_instructions_and_equal_code_has_about_as_many(method: str, tmp_path: Path):
    project = Stranger(tmp_path, FILES)
    project.write({"pkg/__init__.py": PACKAGE.replace("range(n):", "range(2 * n):")})
    options = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-launches=2", METRIC, "-p", "no:asyncio")
    light = (*LIGHT, *NO_CONTROL, *NO_REASONS)
    done = subprocess.run(  # without a time limit: under valgrind a busy machine may take minutes
        [sys.executable, "-m", "pytest", *options, *light],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    metrics = {name: entry["metrics"] for name, entry in project.entries.items()}
    assert set(metrics["test_same"]) == {"instructions"}, done.stdout
    same, slower = metrics["test_same"]["instructions"], metrics["test_slower"]["instructions"]
    assert same["method"] == f"{method}, lockstep"
    assert same["ratio"] == pytest.approx(1, rel=0.03)  # head's other code moves what the allocator hands out
    assert slower["ratio"] == pytest.approx(2, rel=0.2)


@pytest.mark.skipif(method_of_arms() == HARDWARE, reason="this machine counts everywhere")
def test_without_hardware_counters_instructions_are_compared_in_lockstep_only(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(int)")
    result = pytester.runpytest_inprocess("--jarvis-bench", METRIC)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jarvis-metrics instructions: *valgrind*"])
