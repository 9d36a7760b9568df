"""Tests every outcome of a benchmark in lockstep: fine, slow, broken, new, missing, expected to fail. One run covers
them all.

Launches take most of the time of such a test, so benchmarks that do not disturb each other share them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from stranger import WORK, Stranger

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = f"""
{WORK}
def raise_in_base(): raise ValueError('only in base')
def raise_in_head(): pass
def raise_no_valid_text(): raise ValueError('a name: \\udcff')
"""
HEAD = f"""
{WORK}
def raise_in_base(): pass
def raise_in_head(): raise ValueError('only in head')
def raise_no_valid_text(): raise ValueError('a name: \\udcff')
def added(n): return n
"""
BENCH = """
import pkg, pytest

def test_work(jarvis_bench):
    jarvis_bench(pkg.work, 500)

@pytest.mark.jarvis_bench(before="test_work")
def test_less(jarvis_bench):
    jarvis_bench(pkg.work, 50)

@pytest.mark.jarvis_threshold(max_time="1us")
def test_over_its_limit(jarvis_bench):
    jarvis_bench(pkg.work, 500)

def test_raises_in_base(jarvis_bench):
    jarvis_bench(pkg.raise_in_base)

def test_raises_in_head(jarvis_bench):
    jarvis_bench(pkg.raise_in_head)

def test_raises_no_valid_text(jarvis_bench):
    jarvis_bench(pkg.raise_no_valid_text)

def test_pops(jarvis_bench):
    jarvis_bench([1].pop)

def test_raises_late(jarvis_bench):
    jarvis_bench(list(range(300)).pop)

def test_peak(jarvis_bench):
    jarvis_bench.memory([1].pop)

@pytest.mark.parametrize("rounds", [2, 3, 9])
def test_rounds(benchmark, rounds):
    calls = iter(range(rounds))
    benchmark.pedantic(lambda: pkg.work(300 + 0 * next(calls)), rounds=rounds, iterations=1)

def test_nothing(jarvis_bench):
    jarvis_bench(lambda: None)

@pytest.mark.benchmark(timer=lambda: 1.0)  # a clock that is too coarse to tick meanwhile
def test_coarse(benchmark):
    benchmark.pedantic(pkg.work, (10,), rounds=9, iterations=2)

@pytest.mark.xfail(reason="SOME DAY")
def test_fails_as_expected(jarvis_bench):
    jarvis_bench(lambda: 1 / 0)

@pytest.mark.xfail(run=False)
def test_is_not_run(jarvis_bench):
    jarvis_bench(lambda: 1 / 0)

@pytest.mark.xfail
def test_passes_unexpectedly(jarvis_bench):
    jarvis_bench(pkg.work, 500)
"""
GONE = "\ndef test_gone(jarvis_bench):\n    jarvis_bench(len, [])\n"
ADDED = "\ndef test_added(jarvis_bench):\n    jarvis_bench(pkg.added, 10)\n"
NEW_FILE = "from pkg import added\ndef test_in_a_new_file(jarvis_bench): jarvis_bench(added, 10)\n"
NO_OUTPUT = "ended without any output: it was killed, ran out of memory, or called os._exit"


class Compared(NamedTuple):
    """A run: its exit status and output and, by test name, the outcomes and the report's entries."""

    status: int
    output: str
    ends: Mapping[str, str]
    entries: Mapping[str, Any]

    def verdict(self, name: str) -> str:
        """Return the verdict on time, with `unchanged` for `inconclusive`: two launches decide little on a busy
        machine."""
        word = self.entries[name]["metrics"]["time"]["verdict"]
        return "unchanged" if word == "inconclusive" else word


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    files = {"pkg/__init__.py": BASE, "benchmarks/test_bench.py": BENCH + GONE}
    project = Stranger(tmp_path_factory.mktemp("outcomes"), files)
    project.write(
        {"pkg/__init__.py": HEAD, "benchmarks/test_bench.py": BENCH + ADDED, "benchmarks/test_new_file.py": NEW_FILE}
    )
    return compare(project)


def compare(project: Stranger) -> Compared:
    status = project.against("--jarvis-threshold=300%", "-rA", "-p", "no:asyncio")
    ends = {name: end for end, name in re.findall(r"^([A-Z]+) \S+::(\S+)", project.output, flags=re.MULTILINE)}
    return Compared(status, project.output, ends, project.entries)


def line_like(output: str, pattern: str) -> bool:
    return re.search(f"^{pattern}", output, flags=re.MULTILINE) is not None


def test_one_run_reports_every_benchmark_by_itself(compared: Compared):
    assert compared.status == 1
    assert "INTERNALERROR" not in compared.output
    fine = {"test_work", "test_less", "test_nothing", "test_added", "test_in_a_new_file"}
    fine |= {f"test_rounds[{rounds}]" for rounds in (2, 3, 9)}
    assert {name for name, end in compared.ends.items() if end == "PASSED"} == fine
    assert compared.verdict("test_work") == compared.verdict("test_nothing") == "unchanged"


def test_a_pair_is_compared_too(compared: Compared):
    before = {name: entry["before"] for name, entry in compared.entries.items()}
    assert before["test_work"] is None
    assert before["test_less"]["id"] == "benchmarks/test_bench.py::test_work"
    assert before["test_less"]["ratios"]["time"] > 2


def test_absolute_limits_hold(compared: Compared):
    assert compared.ends["test_over_its_limit"] == "FAILED"
    assert line_like(compared.output, r".*head .* is over the limit of 1\.000 µs")


@pytest.mark.parametrize("arm", ["base", "head"])
def test_an_arm_that_raises_is_an_error_with_its_traceback(compared: Compared, arm: str):
    name = f"test_raises_in_{arm}"
    assert compared.ends[name] == "FAILED"
    assert compared.entries[name]["error"] == f"{arm}: ValueError: only in {arm}"
    assert line_like(compared.output, rf".*def raise_in_{arm}\(\): raise ValueError\('only in {arm}'\)")


def test_a_message_that_is_no_valid_text_is_shown_as_escapes(compared: Compared):
    assert compared.ends["test_raises_no_valid_text"] == "FAILED"
    assert r"head: ValueError: a name: \udcff" in compared.output.splitlines()


@pytest.mark.parametrize("name", ["test_pops", "test_raises_late", "test_peak"])
def test_a_target_that_raises_later_than_at_its_first_call_is_an_error(compared: Compared, name: str):
    assert compared.ends[name] == "FAILED"
    assert compared.entries[name]["error"].endswith(": IndexError: pop from empty list")


@pytest.mark.parametrize("rounds", [2, 3, 9])
def test_a_pedantic_target_without_setup_is_called_no_more_often_than_its_rounds(compared: Compared, rounds: int):
    assert compared.ends[f"test_rounds[{rounds}]"] == "PASSED"


def test_a_target_below_its_clocks_resolution_is_an_error_that_says_so(compared: Compared):
    assert compared.ends["test_coarse"] == "FAILED"
    assert "a value of 0 has no ratio: the target is below the clock's resolution" in compared.output


def test_what_is_expected_to_fail_is_reported_as_pytest_does(compared: Compared):
    names = ("test_fails_as_expected", "test_is_not_run", "test_passes_unexpectedly")
    assert [compared.ends[name] for name in names] == ["XFAIL", "XFAIL", "XPASS"]
    assert line_like(compared.output, r"XFAIL \S+::test_fails_as_expected - SOME DAY")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("test_added", "AttributeError: module 'pkg' has no attribute 'added'"),
        ("test_in_a_new_file", "cannot import name 'added' from 'pkg'"),
    ],
)
def test_a_benchmark_that_the_base_lacks_is_new_and_passes_and_it_is_told_why(compared: Compared, name: str, why: str):
    assert compared.ends[name] == "PASSED"
    assert compared.verdict(name) == "new"
    assert line_like(compared.output, f"NEW {name}: base lacks what it uses .*{why}")
    assert f"not compared: {why}" not in compared.output


def test_a_benchmark_that_is_gone_fails(compared: Compared):
    assert compared.ends["test_gone"] == "FAILED"
    assert compared.entries["test_gone"]["metrics"]["time"]["verdict"] == "missing"
    assert line_like(compared.output, "missing: the benchmark exists in base but not in head")


ENDING = """
import os, signal, sys, pkg, pytest

def test_exits(jarvis_bench): jarvis_bench(pkg.leave)
def test_interrupts(jarvis_bench): jarvis_bench(pkg.interrupt)
def test_ends_pytest(jarvis_bench): jarvis_bench(pkg.end_pytest)
def test_is_killed_in_head(jarvis_bench): jarvis_bench(pkg.die_in_head)
def test_fine(jarvis_bench): jarvis_bench(len, [])
"""
ENDS = """
import os, pytest, signal
def leave(): os._exit(0)
def interrupt(): raise KeyboardInterrupt
def end_pytest(): pytest.exit('ENOUGH')
def die_in_head(): pass
"""


@pytest.fixture(scope="module")
def with_ended_workers(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    files = {"pkg/__init__.py": ENDS, "benchmarks/test_bench.py": ENDING}
    project = Stranger(tmp_path_factory.mktemp("ended"), files)
    killed = "def die_in_head(): os.kill(os.getpid(), signal.SIGKILL)"
    project.write({"pkg/__init__.py": ENDS.replace("def die_in_head(): pass", killed)})
    return compare(project)


@pytest.mark.parametrize(
    ("name", "arm", "words"),
    [
        ("test_exits", "base", NO_OUTPUT),
        ("test_interrupts", "base", "pkg/__init__.py:4: KeyboardInterrupt"),
        ("test_ends_pytest", "base", "ENOUGH"),
        (
            "test_is_killed_in_head",
            "head",
            "ended without any output: it was killed, ran out of memory, or called os._exit",
        ),
    ],
)
def test_a_benchmark_that_ends_its_process_is_an_error_of_its_own(
    with_ended_workers: Compared, name: str, arm: str, words: str
):
    assert with_ended_workers.ends[name] == "FAILED"
    error = with_ended_workers.entries[name]["error"]
    assert error.startswith(f"the {arm} worker ended")
    assert words in error


def test_what_ends_its_process_costs_no_other_benchmark(with_ended_workers: Compared):
    assert with_ended_workers.ends["test_fine"] == "PASSED"
    assert with_ended_workers.verdict("test_fine") == "unchanged"
