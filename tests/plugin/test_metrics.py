"""Tests metrics that are one file each (`allocations`, `import_time`) or come from another plugin, from test to
report."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from git_project import GitProject
from waiting import PROCESS_SECONDS

from pytest_jarvisperf import hooks

if TYPE_CHECKING:
    from pathlib import Path

RECORD = ("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio")
AGAINST = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "-p", "no:asyncio")
PACKAGE = """
def fill():
    return [object() for _ in range(1_000)]

def score():
    return 1 - len(fill()) / 10_000
"""
BENCHMARKS = """
import pytest
import pkg

def test_blocks(jarvis_bench):
    assert len(jarvis_bench.allocations(pkg.fill)) >= 1_000

async def test_async_blocks(jarvis_bench):
    async def fill():
        return pkg.fill()
    await jarvis_bench.allocations(fill)

def test_import(jarvis_bench):
    assert jarvis_bench.import_time("pkg") is None
"""

SECOND_TIME = """
from jarvisperf.measure.metrics import BYTES, MetricKind

def pytest_jarvis_metrics():
    return [MetricKind(name="time", unit=BYTES, axis_label="another")]
"""


def metrics_of(root: Path) -> dict[str, dict[str, Any]]:
    """Return each benchmark's metrics in report.json, by the test's name without parameters."""
    report = json.loads((root / "reports" / "report.json").read_text())
    return {one["id"].partition("::")[2].partition("[")[0]: one["metrics"] for one in report["benchmarks"]}


@pytest.fixture
def project(pytester: pytest.Pytester) -> GitProject:
    made = GitProject(pytester)
    made.words = AGAINST
    made.write("pkg/__init__.py", PACKAGE)
    made.write("conftest.py", "")
    return made


def test_blocks_bytes_and_the_time_of_an_import_are_recorded(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest\nanyio_mode = auto")
    pytester.makepyfile(test_bench=BENCHMARKS, pkg=PACKAGE)
    formats = "--jarvis-report-formats=json,csv,open_metrics"
    result = pytester.runpytest_subprocess(*RECORD[:-2], formats, "-p", "anyio", timeout=PROCESS_SECONDS)
    assert result.ret == 0, result.stdout.str()
    found = metrics_of(pytester.path)
    for name in ("test_blocks", "test_async_blocks"):
        blocks, size = found[name]["allocations"], found[name]["allocated_bytes"]
        assert (blocks["unit"], size["unit"]) == ("blocks", "B")
        assert 1_000 <= blocks["head"]["median"] < 5_000
        assert size["head"]["median"] > 8_000
    imported = found["test_import"]["import_time"]
    assert imported["unit"] == "s"
    assert imported["method"] == "python -X importtime"
    assert imported["head"]["samples"] >= 3
    assert 0 < imported["head"]["median"] < 10
    result.stdout.fnmatch_lines(["*test_blocks*", "*allocations*blocks*"])
    text = (pytester.path / "reports" / "metrics.txt").read_text()
    assert "jarvisperf_median_blocks" in text
    assert "allocated_bytes" in (pytester.path / "reports" / "report.csv").read_text()


def test_quality_is_the_number_that_a_function_returns(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        def test_good(jarvis_bench):
            assert jarvis_bench.quality(lambda: 0.75) == 0.75

        @pytest.mark.parametrize("returned", [["found"], 1.5, -0.1, float("nan"), None])
        def test_no_quality(jarvis_bench, returned):
            jarvis_bench.quality(lambda: returned)

        @pytest.mark.jarvis_threshold(quality="1%")
        def test_coroutine(jarvis_bench):
            async def search():
                return 1
            jarvis_bench.quality(search)
        """
    )
    result = pytester.runpytest_subprocess(*RECORD, timeout=PROCESS_SECONDS)
    result.assert_outcomes(passed=2, failed=5)
    result.stdout.fnmatch_lines(
        [
            "*TypeError: quality is what the function returns, but it returned [[]'found*",
            "*ValueError: quality is 1.5: return a number from 0 (useless) to 1 (perfect)",
        ]
    )
    found = metrics_of(pytester.path)
    assert (found["test_good"]["quality"]["head"]["median"], found["test_good"]["quality"]["unit"]) == (0.75, "score")
    assert found["test_coroutine"]["quality"]["head"]["median"] == 1


def test_quality_has_no_upper_limit(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.jarvis_threshold(max_quality=0.5)
        def test_a(jarvis_bench): ...
        """
    )
    result = pytester.runpytest_inprocess(*RECORD)
    assert result.ret != 0
    assert "max_quality" in result.stdout.str() + result.stderr.str()


def test_an_option_has_functions_measured_by_several_metrics(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        calls = []

        def test_function(jarvis_bench):
            assert jarvis_bench(lambda: bytes(100_000)) == bytes(100_000)

        def test_set_up(jarvis_bench):
            jarvis_bench.pedantic(sorted, setup=lambda: (([3, 2, 1],), {}), rounds=3)

        def test_a_single_call_stays_one(jarvis_bench):
            jarvis_bench.pedantic(calls.append, (1,), rounds=1)
            assert len(calls) == 1

        def test_by_name(jarvis_bench):
            jarvis_bench.memory(bytes, 100_000)
        """
    )
    result = pytester.runpytest_subprocess(*RECORD, "--jarvis-metrics=time,allocations", timeout=PROCESS_SECONDS)
    assert result.ret == 0
    said = " ".join(result.stdout.str().split())
    assert "test_by_name: time and allocations not measured: --jarvis-metrics applies to calls of jarvis_bench" in said
    assert "and this test only asks for memory" in said
    both = {"time", "allocations", "allocated_bytes"}
    assert {name: set(metrics) for name, metrics in metrics_of(pytester.path).items()} == {
        "test_function": both,
        "test_set_up": both,
        "test_a_single_call_stays_one": {"time"},
        "test_by_name": {"memory"},
    }
    assert (
        pytester.runpytest_subprocess(
            *RECORD, "--jarvis-metrics=memory", "-k", "test_function", timeout=PROCESS_SECONDS
        ).ret
        == 0
    )
    assert {name: set(metrics) for name, metrics in metrics_of(pytester.path).items()} == {"test_function": {"memory"}}


@pytest.mark.parametrize("names", ["time,speed", "startup", ""])
def test_the_option_refuses_what_is_not_measured_on_calls(pytester: pytest.Pytester, names: str):
    result = pytester.runpytest_inprocess("--jarvis-bench", f"--jarvis-metrics={names}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jarvis-metrics: *is not allowed; give one or more of: time, memory, allocations*"])


def test_more_blocks_than_the_absolute_limit_fail_the_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.jarvis_threshold(max_allocations=100)
        def test_too_many(jarvis_bench):
            jarvis_bench.allocations(lambda: [object() for _ in range(1_000)])

        @pytest.mark.jarvis_threshold(max_allocations="0 blocks", max_import_time="1e6s")
        def test_none(jarvis_bench):
            jarvis_bench.allocations(lambda: None)
        """
    )
    result = pytester.runpytest_subprocess(*RECORD, timeout=PROCESS_SECONDS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*allocations: *blocks is over the limit of 100 blocks*"])


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("allocations=5", "*allocations=5 is not allowed; give a percentage like '5%' or 'off'*"),
        ("max_allocations='many'", "*give a number like 1000 or '1000 blocks'*"),
        ("max_import_time=3", "*give a time like '2ms'*"),
    ],
)
def test_a_limit_that_cannot_be_read_is_a_usage_error(pytester: pytest.Pytester, limits: str, message: str):
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.jarvis_threshold({limits})\ndef test_a(jarvis_bench): jarvis_bench(int)"
    )
    result = pytester.runpytest_inprocess("--jarvis-bench")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_what_nothing_measures_is_no_method(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench.speed(int)")
    result = pytester.runpytest_inprocess(*RECORD)
    result.stdout.fnmatch_lines(["*cannot measure 'speed'; choose one of: memory, startup, allocations, import_time*"])


def test_more_blocks_than_in_the_base_are_a_regression_and_a_threshold_can_allow_them(project: GitProject):
    tests = f"{BENCHMARKS}\n@pytest.mark.jarvis_threshold(allocations='60%', allocated_bytes='60%')\n"
    tests = tests.replace("async def test_async", "async def _async")
    tests += "def test_allowed(jarvis_bench): jarvis_bench.allocations(pkg.fill)\n"
    tests += "def test_quality(jarvis_bench): jarvis_bench.quality(pkg.score)\n"
    project.write("test_bench.py", tests)
    project.commit()
    project.write("pkg/__init__.py", PACKAGE.replace("1_000", "1_300"))
    result = project.run("--jarvis-launches=4", "--jarvis-threshold=allocations=5%,import_time=off")
    found = metrics_of(project.root)
    assert found["test_blocks"]["allocations"]["verdict"] == "regressed", result.stdout.str()
    assert found["test_blocks"]["allocations"]["ratio"] == pytest.approx(1.3, abs=0.05)
    assert found["test_blocks"]["allocated_bytes"]["verdict"] == "regressed"
    assert found["test_blocks"]["allocations"]["threshold"] == pytest.approx(0.05)
    assert found["test_allowed"]["allocations"]["verdict"] == "unchanged"
    quality = found["test_quality"]["quality"]
    assert (quality["verdict"], quality["base"]["median"], quality["head"]["median"]) == ("regressed", 0.9, 0.87)
    result.stdout.fnmatch_lines(["quality: 3.3% lower*: base 0.900 of 1, head 0.870 of 1*"])
    imported = found["test_import"]["import_time"]
    assert imported["base"]["median"] > 0
    assert imported["method"] == "python -X importtime, lockstep"
    result.stdout.fnmatch_lines(["allocations: * more *: base *blocks, head *blocks*"])


def test_functions_are_compared_by_several_metrics_and_an_unchanged_count_is_exact(project: GitProject):
    project.write("test_bench.py", "import pkg\n\ndef test_fill(jarvis_bench): jarvis_bench(pkg.fill)\n")
    project.commit()
    result = project.run("--jarvis-launches=4", "--jarvis-metrics=time,allocations", "--jarvis-threshold=300%")
    found = metrics_of(project.root)["test_fill"]
    assert set(found) == {"time", "allocations", "allocated_bytes"}, result.stdout.str()
    assert found["allocations"]["interval"] == [1.0, 1.0]
    assert found["allocations"]["verdict"] == "unchanged"


def test_a_plugin_adds_a_metric_that_is_compared_and_limited_like_the_others(project: GitProject):
    documented = inspect.getdoc(hooks.pytest_jarvis_metrics) or ""
    project.write("conftest.py", textwrap.dedent(documented.partition("Example::\n")[2]))
    project.write(
        "test_bench.py",
        "import pkg, pytest\n\n@pytest.mark.jarvis_threshold(python_calls='1%', max_python_calls=1_000)\n"
        "def test_calls(jarvis_bench): jarvis_bench.python_calls(pkg.fill)\n",
    )
    project.commit()
    project.write("pkg/__init__.py", f"{PACKAGE}\nold = fill\ndef fill(): return old()\n")
    project.run("--jarvis-launches=4")
    found = metrics_of(project.root)["test_calls"]["python_calls"]
    assert found["verdict"] == "regressed"
    assert found["unit"] == "calls"
    assert found["head"]["median"] == found["base"]["median"] + 1


@pytest.mark.parametrize(
    ("conftest", "message"),
    [
        ("def pytest_jarvis_metrics(): return 5", "*pytest_jarvis_metrics returned 5; return a list of MetricKind*"),
        (
            SECOND_TIME,
            "*two metrics have the name 'time'; rename one of them*",
        ),
    ],
)
def test_a_plugin_that_adds_something_else_is_named(pytester: pytest.Pytester, conftest: str, message: str):
    pytester.makeconftest(conftest)
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
