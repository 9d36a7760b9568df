"""Counting calls: what counts as one, in which thread, and when not everything was seen."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from suspects.arms_in_process import executed_in
from waiting import PROCESS_SECONDS

from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.suspects.call_counts import CallCounter, count_calls
from jarvisperf.suspects.model import Execution

SEEN_BEFORE = 1_000  # so much code that reading it takes longer than a thread's turn
A_MOMENT_SECONDS = 0.0001

WORK = """
import threading

READY = threading.Event()

def helper(): return 1
def numbers():
    yield 1
    yield 2
    yield 3
def prepare(): return [helper()]
def work(prepared):
    return sum(numbers()) + sum(one() for one in [lambda: helper()] * 5)
def in_a_thread(prepared):
    thread = threading.Thread(target=numbers_in_thread)
    thread.start()
    thread.join()
def numbers_in_thread(): return list(numbers())
class Point:
    def __init__(self): self.x = 1
    @property
    def double(self):
        def inner(): return 2 * self.x
        return inner()
def methods(prepared): return Point().double
"""


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arm")
    (folder / "work.py").write_text(WORK)
    return folder


def calls_in(execution: Execution) -> dict[str, float]:
    return {function.name: function.calls for function in execution.functions if function.calls}


def test_calls_are_counted_per_call_of_the_target_and_generators_by_their_starts(arm: Path):
    assert calls_in(executed_in([arm])) == {"work": 1, "numbers": 1, "helper": 5}


def test_what_only_ran_before_the_target_has_no_calls(arm: Path):
    functions = {function.name: function for function in executed_in([arm]).functions}
    assert functions["prepare"].calls == 0
    assert functions["helper"].calls == 5


def test_functions_have_their_qualified_names_places_and_callers(arm: Path):
    functions = {one.name: one for one in executed_in([arm], "methods").functions if one.calls}
    assert set(functions) == {"methods", "Point.__init__", "Point.double", "Point.double.<locals>.inner"}
    inner = functions["Point.double.<locals>.inner"]
    assert inner.caller == "0/work.py::Point.double"
    assert (inner.file, WORK.splitlines()[inner.line - 1].strip()) == ("work.py", "def inner(): return 2 * self.x")


def test_a_thread_that_the_target_starts_is_seen(arm: Path):
    assert calls_in(executed_in([arm], "in_a_thread")) == {"in_a_thread": 1, "numbers_in_thread": 1, "numbers": 1}


def test_library_code_is_left_out_and_own_modules_are_listed(arm: Path):
    execution = executed_in([arm], "in_a_thread")
    assert {function.place for function in execution.functions} == {"0/work.py"}
    assert execution.modules == ("0/work.py",)
    assert execution.is_complete


def test_a_process_started_by_the_target_makes_it_incomplete():
    def start() -> None:
        subprocess.run([sys.executable, "-c", "sum(range(100_000))"], check=True)

    assert not count_calls(FunctionTarget(start), [], []).is_complete


@pytest.mark.skipif(hasattr(threading, "setprofile_all_threads"), reason="this Python shows the calls of every thread")
def test_a_thread_from_before_makes_it_incomplete():
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert not count_calls(FunctionTarget(int), [], []).is_complete
    finally:
        end.set()
        thread.join()


def test_too_many_calls_make_it_incomplete_and_end_the_watch():
    def nothing() -> None:
        pass

    with CallCounter(most_events=100) as prepared:
        for _ in range(1_000):
            nothing()
    assert prepared.has_given_up
    assert prepared.starts(nothing.__code__) < 100
    assert not count_calls(FunctionTarget(int), [prepared], []).is_complete


def test_another_profile_function_is_restored():
    def other(*_: object) -> None:
        """See nothing."""

    before = sys.getprofile()
    sys.setprofile(other)
    try:
        with CallCounter():
            assert sys.getprofile() is not other
        assert sys.getprofile() is other
    finally:
        sys.setprofile(before)


def test_what_ran_before_may_still_be_running_elsewhere(tmp_path: Path):
    """So it is with async tests: the event loop's thread is watched while another one counts."""
    counter, end, is_watched = CallCounter(), threading.Event(), threading.Event()
    usual = sys.getswitchinterval()

    def runs_new_code() -> None:
        exec(compile("def new(): pass\nnew()", str(tmp_path / "new.py"), "exec"), {})

    def runs_ever_new_code() -> None:
        with counter:
            for _ in range(SEEN_BEFORE):
                runs_new_code()
            is_watched.set()
            while not end.wait(A_MOMENT_SECONDS):  # without pauses, what was seen would take ever longer to read
                runs_new_code()

    thread = threading.Thread(target=runs_ever_new_code)
    sys.setswitchinterval(A_MOMENT_SECONDS)  # threads interrupt each other often
    thread.start()
    try:
        assert is_watched.wait(PROCESS_SECONDS)
        for _ in range(5):
            execution = count_calls(FunctionTarget(sorted, ([],)), [counter], [tmp_path])
    finally:
        end.set()
        thread.join()
        sys.setswitchinterval(usual)
    assert [function.name for function in execution.functions] == ["new"]
