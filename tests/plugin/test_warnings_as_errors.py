"""Tests projects with warnings as errors or strict settings, in every mode and under xdist."""

from __future__ import annotations

import pytest
from git_project import GitProject
from light_pytest import NO_CONTROL

pytestmark = pytest.mark.usefixtures("every_plugin")
BENCH = """
import pytest

@pytest.mark.benchmark(group="sums")
def test_sum(benchmark):
    benchmark(sum, range(100))

def test_more(jarvis_bench):
    jarvis_bench(sum, range(100))

def test_functional():
    pass
"""
STRICT = "\nstrict = true" if pytest.version_tuple >= (9,) else ""
INI = f"[pytest]\nfilterwarnings = error\naddopts = -n 1 -p no:asyncio --strict-markers --strict-config{STRICT}\n"
CLEAR = "--jarvis-threshold=10000%"


class Project(GitProject):
    words = ("-p", "no:cacheprovider", "--jarvis-budget=0.05", "--jarvis-launches=2", *NO_CONTROL)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    pytest.importorskip("xdist")
    made = Project(pytester)
    made.write("test_bench.py", BENCH)
    made.write("tox.ini", INI)
    made.commit()
    return made


def test_no_mode_ends_with_an_error_for_a_warning_about_xdist(project: Project):
    for words in (
        (),
        ("--jarvis-bench", "--jarvis-save=main"),
        ("--jarvis-bench", "--jarvis-compare=main", CLEAR, "-W", "error"),
        ("--jarvis-bench", "--jarvis-against=HEAD", "-W", "error", "--benchmark-json=out.json"),
    ):
        result = project.run(*words)
        assert result.ret == 0, words
        result.assert_outcomes(passed=3)


def test_what_pytest_benchmark_says_of_the_run_is_still_shown(pytester: pytest.Pytester):
    pytest.importorskip("pytest_benchmark")
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = -p no:asyncio -p no:cacheprovider\n")
    pytester.makepyfile("def test_a(): pass")
    result = pytester.runpytest_subprocess("--jarvis-bench", "--benchmark-json=out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # no benchmark was measured
    result.stdout.fnmatch_lines(["jarvisperf: no benchmark was measured*"])
    assert "pytest-benchmark: Not saving anything" in result.stderr.str() + result.stdout.str()
    assert "INTERNALERROR" not in result.stderr.str() + result.stdout.str()


def test_what_pytest_benchmark_says_of_a_test_stays_an_error_of_that_test(pytester: pytest.Pytester):
    pytest.importorskip("pytest_benchmark")
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = -p no:asyncio -p no:cacheprovider\n")
    pytester.makepyfile("def test_a(benchmark): pass")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    assert "INTERNALERROR" not in result.stdout.str()
