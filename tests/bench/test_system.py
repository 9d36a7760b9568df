"""Tests the benchmark system: the documented examples, and the arguments it rejects."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from jarvisperf.bench import BenchmarkSystem, get_benchmark_system, profile_function


@pytest.fixture
def system() -> BenchmarkSystem:
    return BenchmarkSystem()


def quick() -> int:
    return sum(range(10))


def slow() -> int:
    return sum(range(20_000))


def test_a_result_has_all_its_figures_in_order(system: BenchmarkSystem):
    result = system.benchmark(quick, iterations=50, name="quick")
    assert result.name == "quick"
    assert result.iterations == 50
    assert 0 < result.min_time <= result.median <= result.max_time
    assert result.min_time <= result.avg_time <= result.max_time
    assert result.std_dev >= 0
    assert list(result.percentiles) == ["p50", "p90", "p95", "p99"]
    assert list(result.percentiles.values()) == sorted(result.percentiles.values())
    assert result.operations_per_second == pytest.approx(1 / result.avg_time)


def test_a_short_function_is_called_often_enough_for_the_clock(system: BenchmarkSystem):
    # A machine that pauses during the calibration makes a call look long.
    wait_until(lambda: system.benchmark(lambda: None, iterations=5).calls_per_sample > 100)


def test_several_are_measured_and_compared(system: BenchmarkSystem):
    tests = {"slow": slow, "quick": quick}
    results = system.benchmark_multiple(tests, iterations=20)
    assert list(results) == ["slow", "quick"]
    comparison = system.compare_benchmarks(list(tests))
    assert comparison["fastest"] == "quick"
    assert comparison["slowest"] == "slow"
    assert comparison["ratios"]["quick"] == 1
    assert comparison["ratios"]["slow"] > 1


def test_several_are_measured_in_turns(system: BenchmarkSystem):
    order: list[str] = []
    system.benchmark_multiple({name: lambda name=name: order.append(name) or time.sleep(0.001) for name in "ab"}, 10)
    last = order[-20:]
    assert all(set(last[start : start + 2]) == {"a", "b"} for start in range(0, 20, 2))


def test_a_comparison_has_intervals_and_ties(system: BenchmarkSystem):
    system.benchmark_multiple({"slow": slow, "quick": quick, "as quick": quick}, iterations=60)
    found = system.compare_benchmarks(["slow", "quick", "as quick"])
    assert found["how"] == "in turns"
    assert set(found["intervals"]) == {"slow", "quick", "as quick"}
    low, high = found["intervals"]["slow"]
    assert 1 < low < high  # the functions differ by a factor of hundreds, which no load of the machine hides
    assert found["intervals"][found["fastest"]] == (1.0, 1.0)
    assert "slow" not in found["tied_with"]
    assert [row["tied"] for row in found["comparisons"]][-1] is False
    text = system.generate_report()
    assert f"Measured in turns; {found['fastest']} is the fastest:" in text
    assert "  slow: " in text


def test_results_of_different_calls_have_no_interval_and_no_ties(system: BenchmarkSystem):
    system.benchmark(quick, iterations=5, name="one")
    system.benchmark(quick, iterations=5, name="two")
    found = system.compare_benchmarks(["one", "two"])
    assert found["how"] == "one after the other"
    assert found["tied_with"] == []
    assert found["intervals"][found["slowest"]] is None
    assert "Measured in turns" not in system.generate_report()


def test_a_function_that_raises_leaves_no_result_of_those_measured_with_it(system: BenchmarkSystem):
    with pytest.raises(ZeroDivisionError):
        system.benchmark_multiple({"fine": quick, "broken": lambda: 1 / 0}, iterations=3)
    assert system.results == {}


def test_a_coroutine_function_is_awaited(system: BenchmarkSystem):
    awaited = []

    async def work() -> None:
        await asyncio.sleep(0)
        awaited.append(1)

    system.benchmark(work, iterations=3)
    assert awaited


def test_the_name_is_the_functions_own_unless_given(system: BenchmarkSystem):
    assert system.benchmark(quick, iterations=1).name == "quick"


def test_an_unknown_name_is_named_with_those_there_are(system: BenchmarkSystem):
    system.benchmark(quick, iterations=1, name="one")
    with pytest.raises(KeyError, match=r"no result named 'two'; there are: one"):
        system.compare_benchmarks(["one", "two"])
    with pytest.raises(ValueError, match="at least one"):
        system.compare_benchmarks([])


@pytest.mark.parametrize("iterations", [0, -5, 1.5, True, "10"])
def test_iterations_must_be_a_positive_whole_number(system: BenchmarkSystem, iterations: Any):
    with pytest.raises((TypeError, ValueError), match="iterations is"):
        system.benchmark(quick, iterations=iterations)


def test_what_cannot_be_called_is_refused(system: BenchmarkSystem):
    with pytest.raises(TypeError, match="needs a function, got 3"):
        system.benchmark(3)  # type: ignore[arg-type]


def test_what_the_function_raises_comes_through_and_leaves_no_result(system: BenchmarkSystem):
    with pytest.raises(ZeroDivisionError):
        system.benchmark(lambda: 1 / 0, name="broken")
    assert system.results == {}


def test_a_coroutine_is_awaited_whoever_made_it(system: BenchmarkSystem):
    awaited = []

    async def work() -> None:
        awaited.append(1)

    system.benchmark(lambda: work(), iterations=2, name="made elsewhere")  # noqa: PLW0108
    assert len(awaited) > 2


def test_a_generator_that_nobody_consumes_is_refused(system: BenchmarkSystem):
    with pytest.raises(TypeError, match="returned a generator, which runs nothing before it is consumed"):
        system.benchmark(lambda: (i for i in range(3)), name="lost")
    assert system.results == {}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (5, "name is 5: give text"),
        ("", "name is '': give"),
        ("a\udc80", r"name is 'a\\udc80', which has a lone surrogate"),
    ],
)
def test_a_name_that_no_report_could_show_is_refused(system: BenchmarkSystem, tmp_path: Path, name: Any, error: str):
    with pytest.raises((TypeError, ValueError), match=error):
        system.benchmark(quick, iterations=1, name=name)
    system.generate_report(tmp_path / "report.txt")
    assert system.results == {}


def test_one_value_where_several_are_needed_is_refused(system: BenchmarkSystem):
    with pytest.raises(TypeError, match=r"tests is \[.*\]: give a dictionary of functions by name"):
        system.benchmark_multiple([quick])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="names is 'quick': give a list of names"):
        system.compare_benchmarks("quick")


def test_the_report_and_the_json_hold_every_result(system: BenchmarkSystem, tmp_path: Path):
    result = system.benchmark(quick, iterations=5, name="quick")
    text = system.generate_report(tmp_path / "report.txt")
    assert "quick" in text
    assert (tmp_path / "report.txt").read_text() == text
    system.export_json(tmp_path / "results.json")
    row = json.loads((tmp_path / "results.json").read_text())["quick"]
    assert row["median"] == result.median
    assert row["operations_per_second"] == result.operations_per_second


def test_an_empty_report_says_so(system: BenchmarkSystem):
    assert system.generate_report() == "no benchmarks were run\n"


def test_the_process_has_one_system():
    assert get_benchmark_system() is get_benchmark_system()


def test_a_profiled_function_logs_its_time_and_keeps_its_face(caplog: pytest.LogCaptureFixture):
    @profile_function()
    def process_data(x: int) -> int:
        """Docs."""
        return x + 1

    with caplog.at_level(logging.INFO):
        assert process_data(1) == 2
    assert re.fullmatch(r"⏱️ process_data: \d+\.\d\dms", caplog.messages[0])
    assert process_data.__doc__ == "Docs."


def test_a_profiled_function_may_be_named_or_bare(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        profile_function("loading")(quick)()
        profile_function(quick)()
    assert caplog.messages[0].startswith("⏱️ loading: ")
    assert caplog.messages[1].startswith("⏱️ quick: ")


def test_a_profiled_coroutine_is_timed_until_its_end(caplog: pytest.LogCaptureFixture):
    @profile_function("nap")
    async def nap() -> str:
        await asyncio.sleep(0.02)
        return "rested"

    with caplog.at_level(logging.INFO):
        assert asyncio.run(nap()) == "rested"
    assert float(caplog.messages[0].removeprefix("⏱️ nap: ").removesuffix("ms")) >= 19


def test_what_a_profiled_function_raises_is_raised_on_and_logged(caplog: pytest.LogCaptureFixture):
    @profile_function("broken")
    def broken() -> None:
        raise KeyError("x")

    with caplog.at_level(logging.INFO), pytest.raises(KeyError):
        broken()
    assert caplog.messages[0].endswith("(raised KeyError)")


def test_a_profile_name_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="takes a name as text, got 3"):
        profile_function(3)  # type: ignore[call-overload]
