"""Tests that a run whose control shows a difference between identical code never ends green with only `unchanged`."""

from __future__ import annotations

import json

import pytest
from git_project import GitProject
from light_pytest import NO_REASONS, TIMED_BY_WORK

# The control runs base's code from a third folder; here the code is a hundred times slower in that folder. The work
# advances a clock of its own, so that a busy machine cannot change a verdict.
WORK = """
import pathlib

import work_clock

SECONDS = 2e-3 if "same" in pathlib.Path(__file__).parts else 2e-5

def work():
    work_clock.advance(SECONDS)

def other():
    return work()
"""
BENCH = """
import pkg

def test_work(jarvis_bench):
    jarvis_bench(pkg.work)

def test_other(jarvis_bench):
    jarvis_bench(pkg.other)
"""


pytestmark = pytest.mark.usefixtures("with_control")


class Project(GitProject):
    words = (
        "--jarvis-bench",
        "--jarvis-against=HEAD",
        "--jarvis-budget=0.3",
        "--jarvis-launches=2",
        "--jarvis-threshold=90%",
        "-p",
        "no:asyncio",
        *NO_REASONS,
        *TIMED_BY_WORK,
    )


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    made = Project(pytester)
    made.write("pkg/__init__.py", WORK)
    made.write("benchmarks/test_bench.py", BENCH)
    made.commit()
    return made


def test_identical_code_that_differs_makes_the_run_inconclusive_but_for_what_regressed_twice(project: Project):
    project.write("pkg/__init__.py", WORK.replace("return work()", "return [work() for _ in range(12)]"))
    result = project.run("--jarvis-inconclusive=fail")
    assert result.ret == 1
    report = json.loads((project.root / "reports" / "report.json").read_text())
    assert report["trusted"] is False
    work, other = (entry["metrics"]["time"] for entry in report["benchmarks"])
    assert (work["verdict"], other["verdict"]) == ("inconclusive", "regressed")
    assert "identical code differed" in work["doubt"]
    result.stdout.fnmatch_lines(["time: inconclusive, *identical code differed in this run*"])
    result.stdout.fnmatch_lines(["*run NOT trusted, because identical code differed in it*"])
    result.stdout.fnmatch_lines(["*this run cannot be trusted: identical code differed by +*"])


def test_an_untrusted_run_that_may_pass_says_that_nothing_was_decided(project: Project):
    result = project.run("-k", "test_work")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["0 of 1 regressed, 1 inconclusive; run NOT trusted*"])


def test_a_control_that_can_never_be_measured_leaves_no_run_trusted(project: Project):
    fails = WORK.replace("def work():", "def work():\n    if SECONDS == 2e-3:\n        raise OSError('no room')")
    project.write("pkg/__init__.py", fails)
    project.commit()
    result = project.run("--jarvis-inconclusive=fail")
    assert result.ret == 1
    report = json.loads((project.root / "reports" / "report.json").read_text())
    assert report["trusted"] is False
    assert {entry["metrics"]["time"]["verdict"] for entry in report["benchmarks"]} == {"inconclusive"}
    result.stdout.fnmatch_lines(["*identical code could not be measured as a control (*no room*"])
