"""Pairs (`before=`) are measured again in turns, after the benchmarks of a run that compares with nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from light_pytest import LIGHT

QUICKLY = (*LIGHT, "--jarvis-bench", "--jarvis-budget=0.1", "--jarvis-launches=4", "-p", "no:asyncio")


def pairs_of(pytester: pytest.Pytester) -> dict[str, dict[str, Any]]:
    """Read the pairs in report.json, by the name of the test and metric."""
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return {
        entry["id"].partition("::")[2]: entry["before"]["metrics"] for entry in report["benchmarks"] if entry["before"]
    }


def test_pairs_are_measured_in_turns_whatever_their_kind(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import os, pytest, sys, time

        collected_in = os.getpid()

        def test_naive(jarvis_bench): jarvis_bench(lambda: sum(range(100_000)))

        @pytest.mark.jarvis_bench(before="test_naive")
        def test_quick(jarvis_bench): jarvis_bench(lambda: sum(range(50)))

        @pytest.mark.jarvis_bench(before="test_naive")
        def test_of_the_same_counterpart(jarvis_bench):
            jarvis_bench(lambda: sum(range(50)))
            jarvis_bench.memory(bytes, 1 << 20)

        def test_long(jarvis_bench): jarvis_bench.pedantic(time.sleep, (0.6,))

        @pytest.mark.jarvis_bench(before="test_long")
        def test_less_long(jarvis_bench): jarvis_bench.pedantic(time.sleep, (0.1,))

        def test_large(jarvis_bench): jarvis_bench.memory(bytes, 4 << 20)

        @pytest.mark.jarvis_bench(before="test_large")
        def test_small(jarvis_bench): jarvis_bench.memory(bytes, 1 << 20)

        @pytest.mark.jarvis_bench(before="test_naive")
        def test_once(jarvis_bench, request):
            assert not request.config.rootpath.joinpath("done").exists(), "done before"
            jarvis_bench(lambda: sum(range(50)))
            request.config.rootpath.joinpath("done").touch()
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=8)
    pairs = pairs_of(pytester)
    for name in ("test_quick", "test_of_the_same_counterpart"):
        found = pairs[name]["time"]
        assert (found["how"], found["word"], found["launches"]) == ("in turns", "faster", 4)
        assert found["interval"][0] < found["ratio"] < found["interval"][1] < 0.1
    assert set(pairs["test_of_the_same_counterpart"]) == {"time"}
    assert pairs["test_small"]["memory"]["word"] == "smaller"
    assert pairs["test_small"]["memory"]["ratio"] == pytest.approx(0.25, rel=0.01)
    assert pairs["test_less_long"]["time"]["how"] == "single measurement"
    assert pairs["test_less_long"]["time"]["why_not"].startswith("one call of each takes ")
    assert pairs["test_once"]["time"]["how"] == "one after the other"
    result.stdout.fnmatch_lines(["jarvisperf: *::test_once: not measured in turns with its counterpart: *done before*"])


def test_a_system_without_forks_measures_pairs_one_after_the_other(pytester: pytest.Pytester):
    pytester.makeconftest("import os\ndel os.fork\n")
    pytester.makepyfile(
        """
        import pytest

        def test_naive(jarvis_bench): jarvis_bench(lambda: sum(range(1_000)))

        @pytest.mark.jarvis_bench(before="test_naive")
        def test_quick(jarvis_bench): jarvis_bench(lambda: sum(range(50)))
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=2)
    found = pairs_of(pytester)["test_quick"]["time"]
    assert (found["how"], found["interval"]) == ("one after the other", None)
    result.stdout.fnmatch_lines(["*not measured in turns with its counterpart: *which this system cannot do"])


def test_why_pairs_could_not_be_measured_in_turns_is_told_in_one_line(pytester: pytest.Pytester):
    pytester.makeconftest(
        """
        import pathlib

        if b"fork_server.py" in pathlib.Path("/proc/self/cmdline").read_bytes():
            raise RuntimeError("not in a worker")
        """
    )
    pytester.makepyfile(
        """
        import pytest

        def test_naive(jarvis_bench): jarvis_bench(sum, range(1_000))

        @pytest.mark.jarvis_bench(before="test_naive")
        def test_quick(jarvis_bench): jarvis_bench(sum, range(50))
        """
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=2)
    why = pairs_of(pytester)["test_quick"]["time"]["why_not"]
    assert why.endswith("worker ended: RuntimeError: not in a worker")
    assert "\n" not in why
