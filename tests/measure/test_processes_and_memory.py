"""Tests fresh processes and peak memory."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import tracemalloc
from typing import Any

import pytest

from jarvisperf.measure.memory import Method, memory_method, peak_bytes
from jarvisperf.measure.startup import Launcher, ProcessFailedError, measure_startup
from jarvisperf.measure.targets import make_target

MEBIBYTE = 1 << 20
METHODS = ("memray", "tracemalloc")


def test_a_process_is_timed_from_start_to_end():
    with Launcher() as launcher:
        sample = launcher.run([sys.executable, "-S", "-c", "import time; time.sleep(0.2)"])
    assert sample.seconds >= 0.2


def test_the_peak_is_the_processes_own_and_not_its_parents():
    ballast = bytearray(200 * MEBIBYTE)
    with Launcher() as launcher:
        small = launcher.run([sys.executable, "-S", "-c", "pass"])
        large = launcher.run([sys.executable, "-S", "-c", f"bytearray(100 * {MEBIBYTE})"])
    assert len(ballast) > small.peak_rss_bytes
    assert large.peak_rss_bytes - small.peak_rss_bytes == pytest.approx(100 * MEBIBYTE, rel=0.1)


def test_a_failing_process_shows_its_last_words():
    with Launcher() as launcher, pytest.raises(ProcessFailedError, match=r"ended with status 3: oh no"):
        launcher.run([sys.executable, "-c", "import sys; print('oh no', flush=True); sys.exit(3)"])


def test_a_program_that_is_not_there_is_named():
    with Launcher() as launcher, pytest.raises(ProcessFailedError, match="cannot start '/no/such/program'"):
        launcher.run(["/no/such/program"])


@pytest.mark.parametrize(
    ("argv", "error"),
    [("python -c pass", TypeError), (b"python", TypeError), (None, TypeError), ([], ValueError)],
)
def test_what_is_no_list_of_words_is_refused_with_an_example(argv: Any, error: type[Exception]):
    with Launcher() as launcher:
        for measure in (launcher.run, lambda argv: measure_startup(argv, budget_seconds=0)):
            with pytest.raises(error, match=r"argv is .*: give a list of str, like \[sys.executable, '-c', 'pass'\]"):
                measure(argv)
        assert launcher.run([sys.executable, "-S", "-c", "pass"]).seconds > 0


def test_the_launcher_goes_on_after_a_failure():
    with Launcher() as launcher:
        with pytest.raises(ProcessFailedError):
            launcher.run(["/no/such/program"])
        assert launcher.run([sys.executable, "-S", "-c", "pass"]).seconds > 0


def test_a_slow_process_is_started_the_fewest_times():
    assert len(measure_startup([sys.executable, "-S", "-c", "pass"], budget_seconds=0)) == 3


@pytest.mark.parametrize("method", METHODS)
def test_the_peak_of_a_call_is_what_it_took_beyond_before(method: Method):
    assert peak_bytes(make_target(lambda: bytearray(5 * MEBIBYTE)), method) == pytest.approx(5 * MEBIBYTE, rel=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_memory_that_was_let_go_inside_the_call_counts_at_its_peak(method: Method):
    def work() -> None:
        for _ in range(3):
            bytearray(4 * MEBIBYTE)

    assert peak_bytes(make_target(work), method) == pytest.approx(4 * MEBIBYTE, rel=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_what_the_first_call_keeps_does_not_count(method: Method):
    kept: list[bytearray] = []

    def work() -> None:
        if not kept:
            kept.append(bytearray(5 * MEBIBYTE))

    assert peak_bytes(make_target(work), method) < MEBIBYTE


def test_memray_sees_native_allocations_that_tracemalloc_does_not():
    def work() -> None:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:  # SQLite allocates through the C library
            connection.execute("create table blobs (content blob)")
            connection.execute("insert into blobs values (zeroblob(?))", [5 * MEBIBYTE])

    assert memory_method() == "memray"
    assert peak_bytes(make_target(work), "memray") > 5 * MEBIBYTE > peak_bytes(make_target(work), "tracemalloc")


def test_a_trace_that_somebody_else_started_goes_on():
    tracemalloc.start()
    try:
        peak_bytes(make_target(lambda: None), "tracemalloc")
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
