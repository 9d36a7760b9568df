"""Measurements in async tests: the test awaits them, and forgetting to await one is an error."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from jarvisperf.measure.targets import Target
    from jarvisperf.measure.targets.waiters import Waiter

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function
T = TypeVar("T", bound="Target")
R = TypeVar("R")


class _Begun(NamedTuple):
    """A measurement that was handed out: the call as the test wrote it, and a function that releases its resources."""

    call: str
    coroutine: Coroutine[Any, Any, Any]
    discard: Callable[[], object]


class AwaitedMeasurements:
    """The measurements that one async test has to await."""

    def __init__(self) -> None:
        self._begun: list[_Begun] = []
        self._is_measuring = False

    def begin(
        self, call: str, make: Callable[[Waiter], T], measure: Callable[[T], R], discard: Callable[[], object]
    ) -> Coroutine[Any, Any, R]:
        """Return a coroutine that measures when it is awaited.

        Args:
            call: The call as the test wrote it, like ``jarvis_bench(work)``.
            make: Creates the target, given the waiter that awaits its calls.
            measure: Measures the target; runs in its own thread and may block.
            discard: Called if nobody awaits the coroutine.
        """
        coroutine = self._measure(call, make, measure)
        self._begun.append(_Begun(call, coroutine, discard))
        return coroutine

    async def _measure(self, call: str, make: Callable[[Waiter], T], measure: Callable[[T], R]) -> R:
        from jarvisperf.measure.targets.waiters import RunningTask

        if self._is_measuring:
            raise RuntimeError(f"{call} would run at the same time as another measurement: await one after the other")
        self._is_measuring = True
        task = RunningTask()
        target = make(task)
        try:
            return await task.work(lambda: measure(target))
        finally:
            self._is_measuring = False
            target.close()

    def finish(self) -> None:
        """Fail if a measurement was never awaited."""
        forgotten = [begun for begun in self._begun if inspect.getcoroutinestate(begun.coroutine) == "CORO_CREATED"]
        self._begun = []
        for begun in forgotten:
            begun.coroutine.close()
            begun.discard()
        if forgotten:
            call = forgotten[0].call
            pytest.fail(f"{call} was never awaited, so nothing was measured: write await {call}", pytrace=False)
