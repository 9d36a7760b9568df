"""`jarvis_bench.compare`: several functions in one test, measured in turns and ranked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from light_pytest import WITH_ASYNCIO, WITHOUT_PLUGINS

MEASURE = (*WITHOUT_PLUGINS, "--jarvis-bench", "--jarvis-budget=0.2", "--jarvis-report-formats=json,text")
SUMS = """
    def test_sums(jarvis_bench):
        found = jarvis_bench.compare({
            "quick": lambda: sum(range(50)),
            "slow": lambda: sum(range(3_000)),
            "as quick": lambda: sum(range(50)),
        })
        assert found == {"quick": 1225, "slow": 4498500, "as quick": 1225}
"""


def entries_of(pytester: pytest.Pytester) -> dict[str, dict[str, Any]]:
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return {entry["id"].partition("::")[2]: entry for entry in report["benchmarks"]}


def test_functions_are_compared_in_forked_copies_and_ranked(pytester: pytest.Pytester):
    pytester.makepyfile(SUMS)
    result = pytester.runpytest_subprocess(*MEASURE, "-p", "no:asyncio")
    result.assert_outcomes(passed=1)
    entry = entries_of(pytester)["test_sums"]
    found = entry["side_by_side"]
    assert found["how"] == "in forked processes, in turns"
    assert found["ranking"][-1]["name"] == "slow"
    assert found["ranking"][-1]["rank"] == 3  # no load of the machine hides a factor of hundreds
    pairs = {frozenset((pair["first"], pair["second"])): pair for pair in found["pairs"]}
    assert len(pairs) == 3
    assert pairs[frozenset(("quick", "slow"))]["word"] == "slower"
    assert pairs[frozenset(("quick", "slow"))]["interval"][0] > 1
    assert entry["metrics"]["time"]["head"]["median"] > 0
    result.stdout.fnmatch_lines(
        ["test_sums, side by side (in forked processes, in turns)", "  1. *", "  *. slow: * slower than *"]
    )
    assert ". slow: " in (pytester.path / "reports" / "report.txt").read_text()


def test_without_measuring_each_function_is_called_once(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        def test_once(jarvis_bench):
            calls = []
            found = jarvis_bench.compare({name: lambda name=name: calls.append(name) or name for name in "ab"})
            assert (calls, found) == (["a", "b"], {"a": "a", "b": "b"})

        @pytest.mark.parametrize(
            "given", [{"a": len}, [len, len], {"a": len, "": len}, {"a": len, "b": 3}, {1: len, 2: len}]
        )
        def test_refused(jarvis_bench, given):
            with pytest.raises((TypeError, ValueError), match="compare"):
                jarvis_bench.compare(given)

        def test_twice(jarvis_bench):
            jarvis_bench(len, "")
            with pytest.raises(RuntimeError, match="measures time twice"):
                jarvis_bench.compare({"a": lambda: 1, "b": lambda: 2})
        """
    )
    pytester.runpytest_subprocess(*WITHOUT_PLUGINS, "-p", "no:asyncio").assert_outcomes(passed=7)


def test_what_cannot_be_forked_is_compared_in_one_process(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio, threading

        def test_with_a_thread(jarvis_bench):
            done = threading.Event()
            thread = threading.Thread(target=done.wait)
            thread.start()
            try:
                jarvis_bench.compare({"a": lambda: sum(range(50)), "b": lambda: sum(range(100_000))})
            finally:
                done.set()
                thread.join()

        async def test_awaited(jarvis_bench):
            async def one(): await asyncio.sleep(0)
            async def many():
                for _ in range(200): await asyncio.sleep(0)
            await jarvis_bench.compare({"one": one, "many": many})
        """
    )
    result = pytester.runpytest_subprocess(*MEASURE, *WITH_ASYNCIO, "-o", "asyncio_mode=auto")
    result.assert_outcomes(passed=2)
    entries = entries_of(pytester)
    assert {entry["side_by_side"]["how"] for entry in entries.values()} == {"in one process, in turns"}
    assert "threads run" in entries["test_with_a_thread"]["notes"][0]
    assert "an event loop does not survive a fork" in entries["test_awaited"]["notes"][0]


def test_what_a_function_raises_fails_the_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def test_broken(jarvis_bench):
            jarvis_bench.compare({"a": lambda: 1, "b": lambda: 1 / 0})
        """
    )
    result = pytester.runpytest_subprocess(*MEASURE, "-p", "no:asyncio")
    result.assert_outcomes(failed=1)
    assert entries_of(pytester)["test_broken"]["error"].startswith("ZeroDivisionError")
