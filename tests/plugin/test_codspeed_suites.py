"""Tests suites written for pytest-codspeed, with and without it, and the keywords of both plugins' markers."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from jarvisperf.measure.sampling import Plan
from pytest_jarvisperf.markers.pytest_benchmark import plan_of
from pytest_jarvisperf.options import Options, read_options

QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.05", "-p", "no:asyncio", "-p", "no:cacheprovider")
WITHOUT_PYTEST_BENCHMARK = ("-p", "no:benchmark")
SUITE = """
import pytest

calls = []

def work(n):
    calls.append(n)
    return n * 2

@pytest.mark.codspeed_benchmark(group="both")
def test_fixture(codspeed_benchmark):
    codspeed_benchmark.extra_info["note"] = 1
    assert codspeed_benchmark(work, 4) == 8

@pytest.mark.benchmark(group="both", max_rounds=7)
def test_other_name(benchmark):
    assert benchmark(work, 5) == 10

def test_set_up_with_the_targets_arguments(codspeed_benchmark):
    seen, gone = [], []
    result = codspeed_benchmark.pedantic(
        work, args=(6,), setup=lambda n: seen.append(n), teardown=gone.append, rounds=3, warmup_rounds=1
    )
    assert result == 12
    assert set(seen) == set(gone) == {6}

def test_set_up_that_makes_the_arguments(codspeed_benchmark):
    assert codspeed_benchmark.pedantic(work, setup=lambda: ((7,), {}), rounds=2) == 14
"""


def measured(pytester: pytest.Pytester) -> dict[str, Any]:
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return {entry["id"].partition("::")[2]: entry for entry in report["benchmarks"]}


@pytest.mark.parametrize("words", [(), WITHOUT_PYTEST_BENCHMARK], ids=["with pytest-benchmark", "without"])
def test_a_suite_of_pytest_codspeed_is_measured_unchanged(pytester: pytest.Pytester, words: tuple[str, ...]):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess(*QUICKLY, *words, "--strict-markers")
    result.assert_outcomes(passed=4)
    found = measured(pytester)
    assert [found[name]["group"] for name in ("test_fixture", "test_other_name")] == ["both", "both"]
    assert found["test_fixture"]["extra_info"] == {"note": "1"}
    assert 5 <= found["test_other_name"]["metrics"]["time"]["head"]["samples"] <= 7
    assert found["test_set_up_with_the_targets_arguments"]["metrics"]["time"]["head"]["samples"] == 3


@pytest.mark.parametrize("words", [(), WITHOUT_PYTEST_BENCHMARK], ids=["with pytest-benchmark", "without"])
def test_without_the_option_such_a_suite_runs_as_ordinary_tests(pytester: pytest.Pytester, words: tuple[str, ...]):
    pytester.makepyfile(SUITE + "\ndef test_last():\n    assert [calls.count(n) for n in (4, 5)] == [1, 1]\n")
    result = pytester.runpytest_subprocess("-p", "no:asyncio", *words, "--strict-markers")
    result.assert_outcomes(passed=5)
    assert not (pytester.path / "reports").exists()


def test_a_fixture_measures_once(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(benchmark):\n    benchmark(len, '')\n    benchmark.pedantic(len, ('',))\n")
    result = pytester.runpytest_subprocess(*QUICKLY, *WITHOUT_PYTEST_BENCHMARK)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_a measures time twice, but a test can*: split it into two tests"])


def test_told_to_measure_too_pytest_codspeed_is_refused(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    pytester.makepyfile(
        codspeed="def pytest_addoption(parser): parser.addoption('--codspeed', action='store_true', default=False)"
    )
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess("-p", "codspeed", "--jarvis-bench", "--codspeed")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jarvis-bench and --codspeed both measure the benchmarks; choose one*"])
    monkeypatch.setenv("CODSPEED_ENV", "runner")
    result = pytester.runpytest_subprocess("-p", "codspeed", "--jarvis-bench")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jarvis-bench and the environment variable CODSPEED_ENV both measure*choose one*"])


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("benchmark(colour='red')", "benchmark has no key 'colour'; it takes group, max_time, min_time, min_rounds, "),
        ("codspeed_benchmark(rounds=3)", "codspeed_benchmark has no key 'rounds'; it takes group, max_time, "),
        ("benchmark('search')", "benchmark takes keywords only (group, max_time, "),
        ("benchmark(max_time=0)", "max_time=0 is not allowed; give seconds above 0"),
        ("benchmark(max_time='soon')", "max_time='soon' is not allowed; give seconds above 0"),
        ("benchmark(max_time=float('nan'))", "max_time=nan is not allowed; give seconds above 0"),
        ("benchmark(min_time=-1)", "min_time=-1 is not allowed; give seconds from 0"),
        ("benchmark(min_rounds=0)", "min_rounds=0 is not allowed; give a whole number from 1"),
        ("benchmark(min_rounds=2.5)", "min_rounds=2.5 is not allowed; give a whole number from 1"),
        ("benchmark(max_rounds=True)", "max_rounds=True is not allowed; give a whole number from 1"),
        ("benchmark(timer='perf')", "timer='perf' is not allowed; give a function that returns seconds"),
        ("benchmark(disable_gc='no')", "disable_gc='no' is not allowed; give True or False"),
        ("benchmark(warmup='off')", "warmup='off' is not allowed; give True or False"),
        ("benchmark(warmup_iterations=-1)", "warmup_iterations=-1 is not allowed; give a whole number from 0"),
        ("benchmark(cprofile=2)", "cprofile=2 is not allowed; give True or False"),
        ("benchmark(calibration_precision=0)", "calibration_precision=0 is not allowed; give a whole number from 1"),
        ("benchmark(precision=2)", "precision=2 is not allowed; give a number between 0 and 1"),
        ("benchmark(confidence='high')", "confidence='high' is not allowed; give a number between 0 and 1"),
    ],
)
def test_a_wrong_keyword_is_a_usage_error_that_names_test_key_and_forms(
    pytester: pytest.Pytester, marker: str, complaint: str
):
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_a(benchmark): pass")
    result = pytester.runpytest_inprocess(*QUICKLY)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in result.stderr.str()
    assert "::test_a: " in result.stderr.str()


def test_a_marker_of_that_name_which_others_use_is_left_alone_where_nothing_is_measured(pytester: pytest.Pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.benchmark(size='large')\ndef test_a(): pass")
    pytester.runpytest_subprocess(*WITHOUT_PYTEST_BENCHMARK, "-p", "no:asyncio").assert_outcomes(passed=1)


@pytest.fixture
def options(pytester: pytest.Pytester) -> Options:
    return read_options(pytester.parseconfig("--jarvis-budget=3"))


@pytest.mark.parametrize(
    ("asked", "plan"),
    [
        ({}, {"budget_seconds": 3.0, "warmup_seconds": 0.3, "min_samples": 5}),
        ({"max_time": 0.5}, {"budget_seconds": 0.5, "warmup_seconds": 0.05}),
        ({"max_time": "0.5"}, {"budget_seconds": 0.5}),
        ({"min_time": 0.01}, {"sample_seconds": 0.01}),
        ({"min_time": 1e-6}, {"sample_seconds": Plan().sample_seconds}),
        ({"min_rounds": 9}, {"min_samples": 9}),
        ({"max_rounds": 9}, {"max_samples": 9}),
        ({"disable_gc": False}, {"pause_collector": False}),
        ({"disable_gc": True}, {"pause_collector": True}),
        ({"warmup": False}, {"warmup_seconds": 0.0}),
        ({"warmup_iterations": 0}, {"warmup_seconds": 0.0}),
        ({"warmup": True, "warmup_iterations": 10}, {"warmup_seconds": 0.3}),
    ],
)
def test_what_the_keywords_ask_for_is_in_the_plan(options: Options, asked: dict[str, Any], plan: dict[str, Any]):
    made = plan_of(asked, options)
    assert {name: getattr(made, name) for name in plan} == pytest.approx(plan)


def test_timer_and_profile_of_the_keywords_count(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import itertools, pytest

        ticks = itertools.count()

        def ticking():
            return float(next(ticks))

        @pytest.mark.benchmark(timer=ticking, max_time=0.01, min_rounds=1)
        def test_timer(benchmark):
            benchmark.pedantic(len, ("",), rounds=4)

        @pytest.mark.benchmark(cprofile=True)
        def test_profile(benchmark):
            benchmark(sorted, [3, 1, 2])
        """
    )
    for words in ((), WITHOUT_PYTEST_BENCHMARK):
        assert pytester.runpytest_subprocess(*QUICKLY, *words).ret == 0
        found = measured(pytester)
        assert found["test_timer"]["metrics"]["time"]["head"]["median"] == 1.0
        assert found["test_profile"]["profile"]["engine"] == "cprofile"
        assert found["test_timer"]["profile"] is None


@pytest.mark.parametrize("marker", ["benchmark", "codspeed_benchmark"])
def test_the_markers_time_is_announced(pytester: pytest.Pytester, marker: str):
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.{marker}(max_time=0.02)\n"
        "def test_a(codspeed_benchmark): codspeed_benchmark(len, '')"
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.stdout.fnmatch_lines(["jarvisperf: 1 benchmark, about 0.02 s of measuring"])


if importlib.util.find_spec("pytest_codspeed"):  # it is not installed in the tests' environment

    def test_the_real_plugin_beside_this_one_is_replaced_while_measuring(pytester: pytest.Pytester):
        pytester.makepyfile(SUITE)
        for words in ((), WITHOUT_PYTEST_BENCHMARK):
            pytester.runpytest_subprocess(*QUICKLY, *words).assert_outcomes(passed=4)
            assert measured(pytester)["test_fixture"]["metrics"]["time"]["head"]["samples"] >= 5


@pytest.mark.parametrize("words", [(), WITHOUT_PYTEST_BENCHMARK], ids=["with pytest-benchmark", "without"])
def test_a_generator_function_is_refused_where_it_is_measured_and_called_elsewhere(
    pytester: pytest.Pytester, words: tuple[str, ...]
):
    pytester.makepyfile(
        """
        def numbers():
            yield 1

        def test_call(benchmark): assert list(benchmark(numbers)) == [1]
        def test_rounds(benchmark): assert list(benchmark.pedantic(numbers)) == [1]
        def test_consumed(benchmark): assert benchmark(lambda: list(numbers())) == [1]
        """
    )
    pytester.runpytest_subprocess("-p", "no:asyncio", *words).assert_outcomes(passed=3)
    result = pytester.runpytest_subprocess(*QUICKLY, *words)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*numbers returned a generator, which runs nothing before it is consumed*"])
