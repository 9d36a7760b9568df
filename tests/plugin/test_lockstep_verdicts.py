"""Verdicts in lockstep: slower, equal and faster code, memory and startup. One run with as many launches as it takes.

The functions advance a clock of their own, so that a busy machine cannot change a verdict; only a process's start takes
real time, and head's takes many times as long. What the gate makes of real time is measured by the gate lab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import pytest
from stranger import Stranger

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = """
seconds = 0.0

def take(more_seconds):
    global seconds
    seconds += more_seconds

def slower(): take(20e-6)
def same(): take(20e-6)
def faster(): take(20e-6)
def fill(): return bytearray(1 << 20)
"""
HEAD = (
    FUNCTIONS.replace("slower(): take(20e-6)", "slower(): take(40e-6)")
    .replace("faster(): take(20e-6)", "faster(): take(6e-6)")
    .replace("1 << 20", "3 << 20")
)
BENCH = """
import sys

import pkg, pytest

its_clock = pytest.mark.benchmark(timer=lambda: pkg.seconds)

@its_clock
def test_slower(benchmark): benchmark(pkg.slower)

@its_clock
def test_same(benchmark): benchmark(pkg.same)

@its_clock
def test_faster(benchmark): benchmark(pkg.faster)

def test_memory(jarvis_bench): jarvis_bench.memory(pkg.fill)

@pytest.mark.jarvis_bench(budget=4)
def test_startup(jarvis_bench):
    jarvis_bench.startup([sys.executable, "-S", "-c", "import pkg.start"])

@its_clock
@pytest.mark.jarvis_bench(budget=2)
def test_grows(benchmark):
    seen = []
    def grow():
        seen.extend(range(10))
        pkg.take(len(seen) * 1e-7)
    benchmark(grow)
"""
OPTIONS = (
    "--jarvis-budget=0.3",
    "--jarvis-launches=12",
    "--jarvis-threshold=time=30%,memory=10%,startup=30%",
    "--junitxml=reports/junit.xml",
    "-p",
    "no:asyncio",
)


class Judged(NamedTuple):
    """A project after a run: its exit status, its commit, and what git said of the repository before and after."""

    project: Stranger
    status: int
    commit: str
    repository_before: list[str]
    repository_after: list[str]

    def verdict(self, name: str, metric: str = "time") -> str:
        verdict: str = self.project.entries[name]["metrics"][metric]["verdict"]
        return verdict

    def case(self, name: str) -> ET.Element:
        """The benchmark's entry in the JUnit file."""
        cases = ET.parse(self.project.root / "reports" / "junit.xml").getroot().iter("testcase")
        (found,) = (case for case in cases if case.get("name") == name)
        return found


def repository(project: Stranger) -> list[str]:
    return [project.git("status", "--porcelain"), project.git("worktree", "list"), project.git("stash", "list")]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder: Path = tmp_path_factory.mktemp("verdicts")
    project = Stranger(folder, {"pkg/__init__.py": FUNCTIONS, "pkg/start.py": "", "benchmarks/test_bench.py": BENCH})
    project.write({"pkg/__init__.py": HEAD, "pkg/start.py": "import time\ntime.sleep(0.2)\n", "pkg/new.py": ""})
    project.has_control = True
    commit, before = project.git("rev-parse", "HEAD").strip(), repository(project)
    status = project.against(*OPTIONS)
    return Judged(project, status, commit, before, repository(project))


def test_slower_code_is_a_failed_test_with_a_line_of_figures(judged: Judged):
    assert judged.status == 1
    entry = judged.project.entries["test_slower"]
    metric = entry["metrics"]["time"]
    assert metric["verdict"] == "regressed"
    assert metric["interval"][0] < 2 < metric["interval"][1] or metric["ratio"] == pytest.approx(2, rel=0.15)
    assert metric["threshold"] == 0.3
    lines = pytest.LineMatcher(judged.project.output.splitlines())
    lines.fnmatch_lines(["jarvisperf: 6 benchmarks, at most * s of measuring and the start of 12 pairs *"])
    lines.fnmatch_lines(["time: * slower (*): base *s, head *s, threshold 30%"])
    case = judged.case("test_slower")
    assert case.find("failure") is not None
    assert {one.get("name"): one.get("value") for one in case.iter("property")}["jarvis_time_verdict"] == "regressed"


def test_equal_and_faster_code_pass(judged: Judged):
    assert judged.verdict("test_same") == "unchanged"
    assert judged.verdict("test_faster") == "improved"
    assert all(judged.case(name).find("failure") is None for name in ("test_same", "test_faster"))


@pytest.mark.parametrize("metric", ["memory", "startup"])
def test_memory_and_startup_are_compared_too(judged: Judged, metric: str):
    assert judged.verdict(f"test_{metric}", metric) == "regressed"
    assert judged.case(f"test_{metric}").find("failure") is not None


def test_memory_alone_is_compared_where_only_memory_is_measured(judged: Judged):
    assert judged.project.entries["test_memory"]["metrics"].keys() == {"memory"}


def test_calls_that_take_longer_and_longer_are_pointed_out(judged: Judged):
    lines = pytest.LineMatcher(judged.project.output.splitlines())
    lines.fnmatch_lines(["*test_grows: its last calls took * times as long as its first ones*"])


def test_the_report_names_both_sides(judged: Judged):
    report = judged.project.report
    assert report["mode"] == "lockstep"
    assert report["base"]["commit"] == judged.commit
    assert report["head"]["dirty"] is True


def test_the_users_repository_stays_as_it_was(judged: Judged):
    assert judged.repository_after == judged.repository_before
