"""Tests `pytest --jarvis-bench -n 2`: functional tests run in xdist's workers, then benchmarks in one process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("every_plugin")
BENCH = ("--jarvis-bench", "--jarvis-budget=0.05", "-p", "no:asyncio", "--jarvis-report=out")
TESTS = """
    import os, pathlib, pytest

    def note(kind):
        with open("order.txt", "a") as file:
            file.write(f"{kind} {os.environ.get('PYTEST_XDIST_WORKER', 'controller')}\\n")

    @pytest.mark.parametrize("number", range(4))
    def test_functional(number):
        note("functional")

    def test_measured(jarvis_bench):
        note("benchmark")
        jarvis_bench(sum, [1, 2, 3])
"""


def order(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "order.txt").read_text().splitlines()]


def test_functional_tests_run_in_workers_and_benchmarks_after_them_in_the_controller(pytester: pytest.Pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess(*BENCH, "-n", "2")
    result.assert_outcomes(passed=5)
    seen = order(pytester.path)
    assert [kind for kind, _ in seen] == ["functional"] * 4 + ["benchmark"]
    assert all(place.startswith("gw") for kind, place in seen if kind == "functional")
    assert seen[-1] == ["benchmark", "controller"]
    report = json.loads((pytester.path / "out" / "report.json").read_bytes())
    assert [benchmark["id"].rpartition("::")[2] for benchmark in report["benchmarks"]] == ["test_measured"]


def test_a_benchmark_that_fails_fails_the_session(pytester: pytest.Pytester):
    pytester.makepyfile(TESTS + "\n    def test_broken(jarvis_bench):\n        jarvis_bench(lambda: 1 / 0)\n")
    result = pytester.runpytest_subprocess(*BENCH, "-n", "2")
    result.assert_outcomes(passed=5, failed=1)
    assert result.ret == 1


def test_no_benchmark_is_measured_after_a_failure_with_x(pytester: pytest.Pytester):
    pytester.makepyfile(TESTS + "\n    def test_wrong():\n        assert False\n")
    result = pytester.runpytest_subprocess(*BENCH, "-n", "2", "-x")
    assert result.ret != 0
    assert ["benchmark", "controller"] not in order(pytester.path)


def test_a_session_of_benchmarks_only_measures_them(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(benchmark): assert benchmark(sum, [1, 2]) == 3")
    result = pytester.runpytest_subprocess(*BENCH, "-n", "2")
    result.assert_outcomes(passed=1)
    assert (pytester.path / "out" / "report.json").exists()


def test_a_session_without_benchmarks_is_not_green_and_says_so(pytester: pytest.Pytester):
    pytester.makepyfile("def test_functional(): pass")
    result = pytester.runpytest_subprocess(*BENCH, "-n", "2")
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["jarvisperf: no benchmark was measured, *"])


def test_without_measuring_benchmarks_are_ordinary_tests_of_the_workers(pytester: pytest.Pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-n", "2")
    result.assert_outcomes(passed=5)
    assert all(place.startswith("gw") for _, place in order(pytester.path))
