"""Tests the progress line, which only terminals that can move their cursor show."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from git_project import GitProject

from pytest_jarvisperf.sessions.progress import Countdown, duration, precise_duration

TESTS = """
import pytest

def test_plain():
    pass

def test_one(jarvis_bench):
    jarvis_bench(sum, range(100))

def test_bad(jarvis_bench):
    jarvis_bench(lambda: 1 / 0)

@pytest.mark.jarvis_bench(budget=0.04)
def test_last(jarvis_bench):
    jarvis_bench(sum, range(100))
"""
BENCH = ("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio", "-p", "no:cacheprovider")


def on_terminal(folder: Path, *words: str, **variables: str) -> str:
    """Run pytest on a separate terminal, and return everything that it writes there."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *BENCH, *words],
        cwd=folder, stdin=other, stdout=other, stderr=other, env={**os.environ, "TERM": "xterm", **variables},
    )  # fmt: skip
    os.close(other)
    shown = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # Linux raises this for a terminal that no process has open any more
            part = b""
        if not part:
            break
        shown += part
    os.close(main)
    process.wait()
    return shown.decode()


def test_a_terminal_sees_which_benchmark_runs_and_how_long_the_rest_takes(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=TESTS)
    shown = on_terminal(pytester.path)
    assert "benchmark 1 of 3, about 0 s left  test_bench.py::test_one" in shown
    assert re.search(r"benchmark 3 of 3, about \d+ s left  test_bench.py::test_last", shown)
    # Each text is written one line below and removed again before pytest continues in its own line: after one plain
    # test ("test_bench.py ."), the next character is in column 16.
    assert "\n\r\x1b[2K\x1b[1A\x1b[16G" in shown.replace("\r\n\r", "\n\r")


def test_a_narrow_terminal_cuts_the_line(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=TESTS)
    assert "\x1b[2Kbenchmark 1 of 3, a\x1b[1A" in on_terminal(pytester.path, COLUMNS="20")


@pytest.mark.parametrize(
    ("words", "variables"),
    [((), {"TERM": "dumb"}), (("-s",), {}), (("-q",), {}), (("--log-cli-level=INFO",), {})],
    ids=["dumb", "uncaptured", "quiet", "live logs"],
)
def test_no_line_where_it_would_be_in_the_way(
    pytester: pytest.Pytester, words: tuple[str, ...], variables: dict[str, str]
):
    pytester.makepyfile(test_bench=TESTS)
    shown = on_terminal(pytester.path, *words, **variables)
    assert "s left" not in shown
    assert "2 benchmarks measured, 1 failed" in shown


def test_a_pipe_gets_no_line(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=TESTS)
    assert "s left" not in pytester.runpytest_subprocess(*BENCH).stdout.str()


def test_the_time_left_goes_by_the_pace_of_those_that_measured():
    now = 0.0
    countdown = Countdown({"a": 2.0, "b": 2.0, "c": 2.0, "d": 100.0}, clock=lambda: now)
    assert countdown.begin("a") == "benchmark 1 of 4, about 106 s left  a"
    now = 4.0
    countdown.end("a")
    assert countdown.begin("b") == "benchmark 2 of 4, about 3 min left  b"
    countdown.end("b", measured=False)
    assert countdown.begin("c") == "benchmark 3 of 4, about 3 min left  c"
    now = 8.0
    countdown.end("c")
    assert countdown.begin("c") == "benchmark 4 of 4, about 3 min left  c"  # a flaky one is rerun
    countdown.end("c")
    assert countdown.begin("d") == "benchmark 4 of 4, about 3 min left  d"
    countdown.end("d")
    assert countdown.begin("late") == "benchmark 4 of 4, about 0 s left  late"


def test_long_times_are_minutes():
    assert [duration(seconds) for seconds in (0.4, 119, 150, 7_200)] == ["0 s", "119 s", "2 min", "120 min"]


def test_a_benchmark_whose_call_exceeds_its_budget_is_reckoned_with_at_what_it_takes():
    now = 0.0
    countdown = Countdown({"a": 2.0, "b": 2.0, "c": 2.0}, clock=lambda: now)
    countdown.begin("a")
    assert countdown.replan("a", 40.0) == "benchmark 1 of 3, about 44 s left  a"
    now = 44.0
    countdown.end("a")
    assert countdown.begin("b") == "benchmark 2 of 3, about 4 s left  b"  # the long one says nothing about the others
    assert countdown.replan("late", 40.0) == "benchmark 2 of 3, about 4 s left  late"


def test_declared_rounds_count_from_the_first_one_on_whatever_the_budget():
    now = 0.0
    countdown = Countdown({"a": 2.0, "b": 2.0}, clock=lambda: now)
    countdown.begin("a")
    now = 10.0  # its fixtures, and one round
    assert countdown.replan("a", 30.0) == "benchmark 1 of 2, about 32 s left  a"
    now = 40.0
    countdown.end("a")
    assert countdown.begin("b") == "benchmark 2 of 2, about 2 s left  b"
    now = 41.0
    assert countdown.replan("b", 0.0) == "benchmark 2 of 2, about 0 s left  b"  # fewer than fit in the budget
    countdown.end("b", measured=False)
    assert countdown.taken == {"a": 40.0}


def test_a_terminal_sees_declared_rounds_in_the_time_that_is_left(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=ROUNDS)
    assert re.search(r"benchmark 1 of 1, about [1-9]\d* s left", on_terminal(pytester.path))


ROUNDS = """
import time

def test_rounds(jarvis_bench):
    jarvis_bench.pedantic(time.sleep, (0.07,), rounds=30)
"""


def announced_seconds(result: pytest.RunResult) -> float:
    (found,) = re.findall(r"jarvisperf: 1 benchmark, about (.*) s of measuring", result.stdout.str())
    return float(found)


def test_the_second_run_announces_what_the_first_one_took(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=ROUNDS.replace("30", "10"))
    words = BENCH[:-2]  # with the cache
    assert announced_seconds(pytester.runpytest_subprocess(*words)) == 0.02
    (kept,) = json.loads((pytester.path / ".pytest_cache/v/jarvisperf/seconds").read_text()).values()
    assert kept[1] >= 0.7
    assert announced_seconds(pytester.runpytest_subprocess(*words)) == pytest.approx(kept[1], rel=0.05)  # two digits
    assert announced_seconds(pytester.runpytest_subprocess(*words, "--jarvis-budget=0.03")) == 0.03  # not comparable


def test_what_the_cache_holds_in_another_form_is_ignored(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=ROUNDS.replace("30", "2"))
    file = pytester.path / ".pytest_cache/v/jarvisperf/seconds"
    file.parent.mkdir(parents=True)
    for text in ("[1, 2]", '{"test_bench.py::test_rounds": 7}', '{"test_bench.py::test_rounds": ["0.02 s", null]}'):
        file.write_text(text)
        result = pytester.runpytest_subprocess(*BENCH[:-2])
        assert result.ret == 0
        assert announced_seconds(result) == 0.02


def test_a_cache_that_cannot_be_written_costs_no_report(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=ROUNDS.replace("30", "2"))
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makefile("", taken="a file, not a folder")
    pytester.runpytest_subprocess(*BENCH[:-2], "-o", "cache_dir=taken/cache")
    assert (pytester.path / "reports/report.json").exists()  # however pytest's own plugins report it


def test_long_measuring_is_announced_in_minutes():
    assert [precise_duration(seconds) for seconds in (0.06, 7.03, 119.4, 4_000)] == ["0.06 s", "7 s", "119 s", "67 min"]


LONG = """
import time, pytest

@pytest.mark.jarvis_bench(budget=0.01)
def test_long(jarvis_bench):
    jarvis_bench(time.sleep, 0.05)

def test_short(jarvis_bench):
    jarvis_bench(sum, range(100))
"""


def test_a_call_that_exceeds_the_budget_is_said_before_it_is_measured(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=LONG)
    result = pytester.runpytest_subprocess(*BENCH)
    (line,) = [line for line in result.stdout.lines if "one call takes" in line]
    assert re.search(
        r"test_long: one call takes [\d.]+ s, more than its budget of 0\.01 s; it is measured with as few calls as "
        r"possible, at least [\d.]+ s",
        line,
    )
    assert result.stdout.lines.index(line) < next(n for n, one in enumerate(result.stdout.lines) if "passed" in one)
    result.assert_outcomes(passed=2)


def test_in_lockstep_too(pytester: pytest.Pytester):
    project = GitProject(pytester)
    project.write("test_bench.py", LONG)
    project.commit()
    result = project.run(*BENCH, "--jarvis-against=HEAD", "--jarvis-launches=2")
    assert result.ret == 0
    (line,) = [line for line in result.stdout.lines if "one call takes" in line]
    assert re.search(r"test_long: one call takes [\d.]+ s", line)
