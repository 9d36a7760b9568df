"""Tests `pytest --jarvis-bench`: what is measured and reported, and what fails."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from waiting import PROCESS_SECONDS

QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.05", "-p", "no:asyncio")


def report_of(pytester: pytest.Pytester) -> dict[str, Any]:
    """Read the benchmarks in report.json, by the part of their id after the file."""
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    report["benchmarks"] = {entry["id"].partition("::")[2]: entry for entry in report["benchmarks"]}
    return report


def test_a_benchmark_is_measured_and_its_result_handed_back(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.jarvis_bench(group="sums")
        @pytest.mark.parametrize("n", [10, 100])
        def test_sum(jarvis_bench, n):
            assert jarvis_bench(sum, range(n)) == n * (n - 1) // 2
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*benchmarks (jarvisperf)*", "sums*", "*test_sum[[]10[]] *s *%*", "2 benchmarks measured*"]
    )
    entry = report_of(pytester)["benchmarks"]["test_sum[100]"]
    assert entry["group"] == "sums"
    assert entry["params"] == {"n": "100"}
    assert entry["metrics"]["time"]["head"]["samples"] >= 5
    assert 0 < entry["metrics"]["time"]["head"]["median"] < 1


def test_without_the_option_a_target_runs_once_and_nothing_is_written(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        calls = []

        def test_ours(jarvis_bench):
            assert jarvis_bench(lambda: calls.append(1) or 7) == 7
            assert len(calls) == 1

        def test_pytest_benchmark(benchmark):
            calls.clear()
            assert benchmark(lambda: calls.append(1) or 7) == 7
            assert len(calls) == 1
            assert benchmark.stats.stats.mean > 0

        def test_pedantic(benchmark):
            calls.clear()
            assert benchmark.pedantic(lambda: calls.append(1) or 7, rounds=10) == 7
            assert len(calls) == 1
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:asyncio")
    result.assert_outcomes(passed=3)
    assert "jarvisperf)" not in result.stdout.str()
    assert "rounds" not in result.stdout.str().lower().replace("min_rounds", "")
    assert not (pytester.path / "reports").exists()


def test_pytest_benchmark_told_to_measure_does_so_itself(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(benchmark): benchmark(sum, range(10)); assert benchmark.stats.stats.rounds > 100")
    result = pytester.runpytest_subprocess("--benchmark-only", "--benchmark-max-time=0.1", "-p", "no:asyncio")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*benchmark: 1 tests*"])


def test_a_pytest_benchmark_suite_is_measured_unchanged(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.benchmark(group="marked", min_rounds=7)
        def test_marked(benchmark):
            assert benchmark(lambda: 5) == 5
            assert benchmark.stats.stats.rounds >= 7
            assert benchmark.stats["min"] <= benchmark.stats["mean"]
            benchmark.extra_info["note"] = 12

        def test_pedantic(benchmark):
            assert benchmark.pedantic(lambda x: x + 1, setup=lambda: ((1,), {}), rounds=6, warmup_rounds=2) == 2
            assert benchmark.stats.stats.rounds == 6

        def test_grouped_inside(benchmark):
            benchmark.group = "inside"
            benchmark(lambda: None)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=3)
    assert "min_rounds" not in result.stdout.str().split("collected")[1]  # its own table is not shown
    entries = report_of(pytester)["benchmarks"]
    assert entries["test_marked"]["group"] == "marked"
    assert entries["test_marked"]["extra_info"] == {"note": "12"}
    assert entries["test_pedantic"]["metrics"]["time"]["head"]["samples"] == 6
    assert entries["test_grouped_inside"]["group"] == "inside"


@pytest.mark.skipif(
    "teardown" not in inspect.signature(BenchmarkFixture.pedantic).parameters, reason="pytest-benchmark is too old"
)
def test_pytest_benchmarks_teardown_runs_after_each_round(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def test_pedantic(benchmark):
            done = []
            benchmark.pedantic(lambda: None, teardown=lambda: done.append(1), rounds=6, warmup_rounds=2)
            assert len(done) == 8
        """
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=1)


def test_pytest_benchmarks_own_files_are_still_written_when_asked_for(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(benchmark): benchmark(lambda: None)")
    pytester.runpytest_subprocess(*QUICKLY, "--benchmark-json=own.json")
    assert json.loads((pytester.path / "own.json").read_text())["benchmarks"][0]["stats"]["rounds"] >= 5


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip"])
def test_benchmarks_that_ordinary_runs_leave_out_are_measured(pytester: pytest.Pytester, option: str):
    pytester.makeini(f"[pytest]\naddopts = {option}")
    pytester.makepyfile("def test_a(benchmark): benchmark(lambda: None); assert benchmark.stats.stats.mean > 0")
    assert pytester.runpytest_subprocess(*QUICKLY).ret == 0
    assert "time" in report_of(pytester)["benchmarks"]["test_a"]["metrics"]


def test_all_ways_to_hand_over_a_target(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio, sys
        import pytest

        def test_coroutine(jarvis_bench):
            async def work():
                await asyncio.sleep(0)
                return 3
            assert jarvis_bench(work) == 3

        def test_pedantic(jarvis_bench):
            assert jarvis_bench.pedantic(lambda a: a, (4,), rounds=3, iterations=2) == 4

        @pytest.mark.jarvis_bench(setup=lambda: (([3, 1, 2],), {}), warmup=0)
        def test_setup(jarvis_bench):
            jarvis_bench(lambda rows: rows.sort())

        def test_memory(jarvis_bench):
            assert jarvis_bench.memory(lambda: len(bytearray(1 << 20))) == 1 << 20

        def test_startup(jarvis_bench):
            jarvis_bench.startup([sys.executable, "-S", "-c", "pass"])
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=5)
    entries = report_of(pytester)["benchmarks"]
    assert entries["test_pedantic"]["metrics"]["time"]["head"]["samples"] == 3
    assert entries["test_pedantic"]["metrics"]["time"]["head"]["iterations"] == 2
    assert entries["test_setup"]["metrics"]["time"]["head"]["iterations"] == 1
    assert entries["test_memory"]["metrics"]["memory"]["head"]["median"] == pytest.approx(1 << 20, rel=0.01)
    assert set(entries["test_startup"]["metrics"]) == {"startup", "memory"}


@pytest.mark.usefixtures("as_installed")
def test_a_pair_gets_its_ratio(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        class TestSums:
            @pytest.mark.parametrize("n", [1, 2])
            def test_naive(self, jarvis_bench, n):
                jarvis_bench(lambda: sum(range(100_000)))  # 2000 times the work: no load of the machine hides that

            @pytest.mark.parametrize("n", [1, 2])
            @pytest.mark.jarvis_bench(before="test_naive")
            def test_quick(self, jarvis_bench, n):
                jarvis_bench(lambda: sum(range(50)))
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    assert result.ret == 0
    pair = report_of(pytester)["benchmarks"]["TestSums::test_quick[2]"]["before"]
    assert pair["id"].endswith("::TestSums::test_naive[2]")
    assert pair["ratios"]["time"] > 5
    assert (pytester.path / "reports" / "plots" / "before_after.png").exists()


def test_a_twin_that_was_not_measured_is_named(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.jarvis_bench(before="test_typo")
        def test_a(jarvis_bench): jarvis_bench(lambda: None)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.stdout.fnmatch_lines(["*its before=*::test_typo was not measured*"])


def test_a_target_that_raises_fails_its_test_alone_with_the_users_traceback(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def inner():
            raise ValueError("of the user")

        def test_broken(jarvis_bench): jarvis_bench(inner)
        def test_broken_too(benchmark): benchmark(inner)
        def test_whole(jarvis_bench): jarvis_bench(lambda: None)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=1, failed=2)
    assert "bench_fixture.py" not in result.stdout.str()
    assert "harness.py" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*def inner*", "*FAILED*test_broken: ValueError: of the user*"])
    entries = report_of(pytester)["benchmarks"]
    assert entries["test_broken"]["error"] == "ValueError: of the user"
    assert entries["test_broken"]["metrics"] == {}
    assert "time" in entries["test_whole"]["metrics"]


def test_a_benchmark_whose_test_fails_after_measuring_has_no_figures(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def test_wrong(jarvis_bench):
            assert jarvis_bench(lambda: 1) == 2
        def test_right(jarvis_bench): jarvis_bench(lambda: 1)
        """
    )
    assert pytester.runpytest_subprocess(*QUICKLY).ret == 1
    entry = report_of(pytester)["benchmarks"]["test_wrong"]
    assert entry["metrics"] == {}
    assert "assert 1 == 2" in entry["error"]


def test_a_failing_fixture_is_the_benchmarks_error(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken(): raise RuntimeError("no server")

        def test_a(broken, jarvis_bench): jarvis_bench(lambda: None)
        """
    )
    assert pytester.runpytest_subprocess(*QUICKLY).ret == 1
    assert report_of(pytester)["benchmarks"]["test_a"]["error"] == "RuntimeError: no server"


@pytest.mark.parametrize(
    "test",
    [
        "def test_plain(): pass",
        "def test_unused(jarvis_bench): pass",
        "import pytest\ndef test_skipped(jarvis_bench): pytest.skip('not here')",
    ],
)
def test_a_run_that_measured_nothing_is_not_green(pytester: pytest.Pytester, test: str):
    pytester.makepyfile(test)
    result = pytester.runpytest_subprocess(*QUICKLY)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*no benchmark was measured, so nothing is known*"])


def test_a_test_that_passes_without_measuring_anything_fails_and_says_why(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        def test_measured(jarvis_bench): jarvis_bench(lambda: None)

        def test_unused(jarvis_bench): pass

        def test_caught(benchmark):
            with pytest.raises(ZeroDivisionError): benchmark(lambda: 1 / 0)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=1, failed=2)
    benchmarks = report_of(pytester)["benchmarks"]
    unused = "nothing was measured: the test passed without calling jarvis_bench or benchmark"
    assert benchmarks["test_unused"]["error"] == unused
    caught = "nothing was measured: the target raised ZeroDivisionError: division by zero, and the test caught it; "
    assert benchmarks["test_caught"]["error"].startswith(caught)
    result.stdout.fnmatch_lines(["FAILED *::test_unused*nothing was measured*"])


def test_whatever_a_test_caught_from_whichever_call_is_said(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio, itertools, sys
        import pytest

        def later(exception=ZeroDivisionError):
            calls = itertools.count()
            def work():
                if next(calls) == 2: raise exception("late")
            return work

        def test_exit(jarvis_bench):
            with pytest.raises(SystemExit): jarvis_bench(sys.exit, "stop")

        def test_later(jarvis_bench):
            with pytest.raises(ZeroDivisionError): jarvis_bench(later())

        def test_rounds(benchmark):
            with pytest.raises(ZeroDivisionError): benchmark.pedantic(later(), rounds=9)

        def test_memory(jarvis_bench):
            with pytest.raises(ZeroDivisionError): jarvis_bench.memory(later())

        def test_startup(jarvis_bench):
            with pytest.raises(Exception): jarvis_bench.startup([sys.executable, "-c", "1 / 0"])

        def test_cancelled(jarvis_bench):
            async def cancel():
                started = asyncio.Event()
                async def work():
                    started.set()
                    await asyncio.Event().wait()
                measuring = asyncio.ensure_future(jarvis_bench(work))
                await started.wait()
                measuring.cancel()
                with pytest.raises(asyncio.CancelledError): await measuring
            asyncio.run(cancel())
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(failed=6)
    errors = {name: entry["error"] for name, entry in report_of(pytester)["benchmarks"].items()}
    prefix, suffix = "nothing was measured: the target raised ", ", and the test caught it; "
    raised = {name: error.removeprefix(prefix).partition(suffix)[0] for name, error in errors.items()}
    assert raised.pop("test_startup").startswith("ProcessFailedError: ")
    late = dict.fromkeys(("test_later", "test_rounds", "test_memory"), "ZeroDivisionError: late")
    assert raised == {"test_exit": "SystemExit: stop", "test_cancelled": "CancelledError", **late}


def test_no_tests_at_all_is_not_green(pytester: pytest.Pytester):
    assert pytester.runpytest_subprocess(*QUICKLY).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_listing_the_tests_is_green(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(lambda: None)")
    assert pytester.runpytest_subprocess(*QUICKLY, "--collect-only").ret == 0


def test_measuring_a_metric_twice_is_an_error_that_says_what_to_do(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(jarvis_bench):\n    jarvis_bench(lambda: 1)\n    jarvis_bench(lambda: 2)")
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.stdout.fnmatch_lines(["*measures time twice*split it into two tests*"])


def test_a_report_that_can_no_longer_be_written_leaves_verdict_and_status(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(jarvis_bench):\n    jarvis_bench(lambda: None)\n    open('taken', 'w').close()")
    result = pytester.runpytest_subprocess(*QUICKLY, "--jarvis-report=taken/reports")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*the report could not be written:*", "1 benchmark measured*", "jarvisperf: 1 benchmark measured*"]
    )


def test_a_test_that_empties_the_import_path_takes_no_report(pytester: pytest.Pytester):
    pytester.makepyfile("import sys\n\ndef test_a(jarvis_bench):\n    jarvis_bench(len, '')\n    sys.path.clear()")
    result = pytester.runpytest_subprocess(*QUICKLY)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_a *", "jarvisperf: 1 benchmark measured*"])


def test_names_in_any_script_reach_the_report(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["<script>", "maçã|`x`", "漢字", "y" * 300])
        def test_a(jarvis_bench, name): jarvis_bench(lambda: None)
        """
    )
    assert pytester.runpytest_subprocess(*QUICKLY).ret == 0
    assert len(report_of(pytester)["benchmarks"]) == 4


def test_a_terminal_without_unicode_shows_the_table(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("TERM", "dumb")
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(sum, range(1000))")
    result = pytester.runpytest_subprocess(*QUICKLY)
    assert result.ret == 0
    assert "1 benchmark measured" in result.stdout.str()


def test_a_test_that_mocks_time_is_measured_with_the_real_clock(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import time

        def test_a(jarvis_bench, monkeypatch):
            monkeypatch.setattr(time, "perf_counter", lambda: 5.0)
            jarvis_bench(len, [])
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY, timeout=PROCESS_SECONDS)
    assert result.ret == 0
    assert report_of(pytester)["benchmarks"]["test_a"]["metrics"]["time"]["head"]["median"] > 0


def test_whatever_a_test_says_about_itself_becomes_text(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:backslashreplace")
    pytester.makepyfile(
        r"""
        import pytest

        @pytest.mark.benchmark(group=1)
        def test_number(benchmark): benchmark(len, [])

        def test_surrogate(benchmark):
            benchmark.extra_info["raw"] = "caf\udce9"
            benchmark(len, [])

        def test_error(jarvis_bench):
            def fail(): raise ValueError("x\udc80")
            jarvis_bench(fail)

        def test_fails(): assert 0, "MY FAILURE"
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=2, failed=2)
    assert "MY FAILURE" in result.stdout.str()
    entries = report_of(pytester)["benchmarks"]
    assert entries["test_number"]["group"] == "1"
    assert entries["test_surrogate"]["extra_info"] == {"raw": "caf\\udce9"}
    assert entries["test_error"]["error"] == "ValueError: x\\udc80"


@pytest.mark.parametrize("options", [(), QUICKLY], ids=["quick", "measured"])
@pytest.mark.parametrize("fixture", ["benchmark", "jarvis_bench"])
def test_a_fixture_may_be_asked_for_in_the_middle_of_a_test(
    pytester: pytest.Pytester, options: tuple[str, ...], fixture: str
):
    pytester.makepyfile(f"def test_a(request): assert request.getfixturevalue('{fixture}')(lambda: 2) == 2")
    assert pytester.runpytest_subprocess(*options).ret == 0


def test_a_marker_that_a_conftest_adds_counts_and_is_checked(pytester: pytest.Pytester):
    pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.jarvis_bench(group="late"))
        """
    )
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(len, [])")
    assert pytester.runpytest_subprocess(*QUICKLY).ret == 0
    assert report_of(pytester)["benchmarks"]["test_a"]["group"] == "late"


def test_a_coroutine_is_awaited_whoever_made_it(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        awaited = []

        async def work():
            awaited.append(1)

        def test_a(jarvis_bench):
            jarvis_bench(lambda: work())
            assert len(awaited) > 5
        """
    )
    assert pytester.runpytest_subprocess(*QUICKLY).ret == 0


def test_a_retried_test_counts_by_its_last_attempt(pytester: pytest.Pytester):
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):  # what plugins that rerun tests do
            from _pytest.runner import runtestprotocol
            for attempt in range(2):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=report)
            return True
        """
    )
    pytester.makepyfile(
        """
        attempts = []

        def test_a(jarvis_bench):
            attempts.append(1)
            jarvis_bench(len, [])
            assert len(attempts) == 2
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    assert result.ret == 0
    assert report_of(pytester)["benchmarks"]["test_a"]["error"] is None


def test_a_pytest_benchmark_marker_bounds_the_time(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import time
        import pytest

        @pytest.mark.benchmark(max_time=0.05, min_rounds=3, warmup=False)
        def test_a(benchmark): benchmark(time.sleep, 0.001)
        """
    )
    assert pytester.runpytest_subprocess("--jarvis-bench", "--jarvis-budget=5000", timeout=PROCESS_SECONDS).ret == 0


def test_listing_the_fixtures_measures_nothing_and_complains_of_nothing(pytester: pytest.Pytester):
    result = pytester.runpytest_subprocess("--jarvis-bench", "--fixtures")
    assert "no benchmark was measured" not in result.stdout.str()


@pytest.mark.parametrize("call", ["jarvis_bench(work)", "jarvis_bench.pedantic(work, rounds=9)", "benchmark(work)"])
def test_a_failure_in_the_middle_of_measuring_shows_the_users_frames_alone(pytester: pytest.Pytester, call: str):
    pytester.makepyfile(
        f"""
        import itertools

        calls = itertools.count()

        def work():
            if next(calls) == 5:
                raise ValueError("the sixth call")

        def test_a(jarvis_bench, benchmark):
            {call}
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    shown = result.stdout.str()
    assert "the sixth call" in shown
    assert "sampling.py" not in shown
    assert "call_targets.py" not in shown
    assert "jarvisperf/" not in shown.partition("FAILURES")[2].partition("benchmarks (jarvisperf)")[0]
