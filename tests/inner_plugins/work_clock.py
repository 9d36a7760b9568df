"""A clock that work advances, and the plugin that times benchmarks by it, so that a busy machine changes no verdict.

A project inside of a test imports this module and calls `advance`; `stranger.py` has such a function.
"""

from __future__ import annotations

from typing import Any

from jarvisperf.clocks import REAL
from jarvisperf.measure.targets import FunctionTarget

seconds = 0.0
initialize = FunctionTarget.__init__


def advance(more_seconds: float) -> None:
    global seconds  # noqa: PLW0603 - a clock has one state
    seconds += more_seconds


def now() -> float:
    return seconds


def timed_by_work(
    self: FunctionTarget, function: Any, args: Any = (), kwargs: Any = None, clock: Any = REAL.wall, first: Any = None
) -> None:
    initialize(self, function, args, kwargs, now if clock is REAL.wall else clock, first)


def pytest_configure() -> None:
    FunctionTarget.__init__ = timed_by_work


def pytest_unconfigure() -> None:
    FunctionTarget.__init__ = initialize
