"""Counts the calls of an arm's own functions while something runs, with a profile function (`sys.setprofile`).

This slows down what it watches, so it never runs while something is measured.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from jarvisperf.clocks import REAL
from jarvisperf.profiles.source_files import Places
from jarvisperf.suspects.model import ExecutedFunction, Execution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import CodeType, FrameType
    from typing import Self

    from jarvisperf.measure.targets import Target

MOST_EVENTS = 3_000_000  # some two seconds of calls that do nothing
COUNTED_CALLS = 3
LONG_SECONDS = 2.0  # after a call that takes as long, no further one is counted
FARTHEST_CALLER = 30  # frames to look back, past library code
_WITHOUT_NAME = re.compile(r"(\.<locals>)?\.<(lambda|genexpr|listcomp|dictcomp|setcomp)>$")


class CallCounter:
    """Counts calls while it is entered; it may be entered again, and then continues.

    Args:
        most_events: Stop watching after this number of calls and returns.

    Attributes:
        codes: The code objects that ran, by their ids: hashing them would take longer than most calls.
        callers: The code object that called each one first, likewise.
        has_given_up: Whether it stopped watching because there were too many calls.
    """

    def __init__(self, most_events: int = MOST_EVENTS) -> None:
        self.codes: dict[int, CodeType] = {}
        self.callers: dict[int, CodeType | None] = {}
        self._starts: dict[int, int] = {}
        self.has_given_up = False
        self._first_instruction: dict[int, int] = {}
        self._left = most_events
        self._outer: Any = None
        self._outer_of_threads: Any = None

    def __enter__(self) -> Self:
        self._outer, self._outer_of_threads = sys.getprofile(), threading.getprofile()
        _profile_threads(self._see)
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        _profile_threads(None)
        threading.setprofile(self._outer_of_threads)
        sys.setprofile(self._outer)

    def starts(self, code: CodeType) -> int:
        """Return how often a code object was called; of a generator, its starts count, not its resumptions."""
        return self._starts.get(id(code), 0)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        self._left -= 1
        if event == "call":
            code = frame.f_code
            number = id(code)
            if number not in self.codes:
                self.callers[number] = frame.f_back.f_code if frame.f_back else None
                self._first_instruction[number] = frame.f_lasti
                self._starts[number] = 0
                self.codes[number] = code  # last, because another thread reads the others once it is here
            if frame.f_lasti == self._first_instruction[number]:
                self._starts[number] += 1
        if self._left < 0:
            self.has_given_up = True
            sys.setprofile(None)


def _profile_threads(function: Any) -> None:
    """Watch the other threads as well: all of them, but before Python 3.12 only those that start from now on."""
    getattr(threading, "setprofile_all_threads", threading.setprofile)(function)


def count_calls(target: Target, prepared: Sequence[CallCounter], roots: Sequence[Path]) -> Execution:
    """Count the calls of a target that has been called before, so that its first call's imports and caches are out.

    Args:
        target: The target; it is called a few times more.
        prepared: Have watched what ran before it.
        roots: The arm's folders; code elsewhere is the same in both arms.
    """
    from jarvisperf.measure.instrumentation import uninstrumented

    iterations = target.fixed_iterations or 1
    counter = CallCounter()
    before, processes = threading.active_count(), _children_seconds()
    calls = 0
    with uninstrumented():
        begin = REAL.wall()
        while calls < COUNTED_CALLS * iterations and not counter.has_given_up:
            target.samples(iterations, 1, counter)
            calls += iterations
            if REAL.wall() - begin > LONG_SECONDS:
                break
    sees_all_threads = before == 1 or hasattr(threading, "setprofile_all_threads")
    used_processes = _children_seconds() != processes or _has_children()
    code = _OwnCode(roots)
    executed = code.functions(counter, calls)
    functions = {one.key: one for watched in prepared for one in code.functions(watched, 0)}
    functions |= {one.key: one for one in executed}
    has_given_up = any(one.has_given_up for one in (counter, *prepared))
    return Execution(
        functions=tuple(functions.values()),
        modules=code.modules(),
        is_complete=sees_all_threads and not used_processes and not has_given_up,
    )


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _has_children() -> bool:
    """Return whether this process has child processes that are still running."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


class _OwnCode:
    """Names code objects of the arm's own files."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [os.path.realpath(root) + os.sep for root in roots]
        self._shown = Places(roots)
        self._places: dict[str, str] = {}

    def place(self, file: str) -> str:
        """Return a file's place; empty if it is not the arm's own."""
        if file not in self._places:
            path = os.path.realpath(file)
            self._places[file] = next(
                (
                    f"{number}/{path[len(root) :].replace(os.sep, '/')}"
                    for number, root in enumerate(self._roots)
                    if path.startswith(root) and not file.startswith("<")
                ),
                "",
            )
        return self._places[file]

    def functions(self, counter: CallCounter, calls: int) -> list[ExecutedFunction]:
        """Return the own functions that a counter has seen.

        Args:
            counter: The counter.
            calls: The calls of the target that it watched; 0: it watched what ran before.
        """
        found: dict[tuple[str, str], ExecutedFunction] = {}
        for code in list(counter.codes.values()):  # other threads that it watches may add some
            place, name = self.place(code.co_filename), function_name(code)
            if not place or name.startswith("<"):
                continue
            is_part = name != code.co_qualname
            known = found.get((place, name))
            if known is not None and (is_part or known.line <= code.co_firstlineno):
                continue
            found[place, name] = ExecutedFunction(
                place=place,
                file=self._shown.frame("", code.co_filename, 0).file,
                name=name,
                line=code.co_firstlineno,
                calls=counter.starts(code) / calls if calls else 0.0,
                caller=self._caller(code, counter),
            )
        return list(found.values())

    def _caller(self, code: CodeType, counter: CallCounter) -> str:
        """Return the nearest own function above a code object."""
        name, above = function_name(code), counter.callers.get(id(code))
        for _ in range(FARTHEST_CALLER):
            if above is None:
                return ""
            place = self.place(above.co_filename)
            if place and (place, function_name(above)) != (self.place(code.co_filename), name):
                return f"{place}::{function_name(above)}"
            above = counter.callers.get(id(above))
        return ""

    def modules(self) -> tuple[str, ...]:
        """Return the places of the loaded modules that are the arm's own."""
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        return tuple(sorted({place for file in files if isinstance(file, str) and (place := self.place(file))}))


def function_name(code: CodeType) -> str:
    """Return the qualified name of the function that a code object belongs to; ``<module>`` has none."""
    name: str = code.co_qualname
    while (shorter := _WITHOUT_NAME.sub("", name)) != name:
        name = shorter
    return name
