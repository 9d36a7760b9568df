"""Passes the calls that suites of pytest-benchmark and pytest-codspeed make to this plugin's harness."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from pytest_jarvisperf.measuring.event_loops.async_tests import AwaitedMeasurements
from pytest_jarvisperf.measuring.harness import QuickHarness, note_instruments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.targets.call_targets import Clock, Target
    from jarvisperf.measure.targets.waiters import Waiter
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

__tracebackhide__ = True  # hides these frames from tracebacks: the error comes from the user's function


class BenchmarkCalls:
    """Measures the target of one test.

    A coroutine is measured inside an async test, which awaits the measurement: ``await benchmark(func)``. Elsewhere it
    is rejected, because both plugins would only time its creation. In an ordinary run it is returned as it is.

    Args:
        record: The test's record.
        plan: How to take the samples.
        harness: Measures the targets.
        clock: A custom clock that returns seconds as a float; None: the usual one.
        keep: Called with the samples; None: samples are discarded.
    """

    def __init__(
        self,
        record: BenchmarkRecord,
        plan: Plan,
        harness: Harness,
        clock: Clock | None,
        keep: Callable[[Samples], None] = lambda _: None,
    ) -> None:
        self._record = record
        self._plan = plan
        self._harness = harness
        self._clock = clock
        self._keep = keep
        self._measures = not isinstance(harness, QuickHarness)
        self._awaited = AwaitedMeasurements()

    def time(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Time a function and return the result of its first call; in an async test, return a coroutine that does so.

        Raises:
            LazyResultError: A call does none of the work: it creates a generator, or a coroutine in a plain test.
        """
        from jarvisperf.clocks import REAL
        from jarvisperf.measure.targets.call_targets import FunctionTarget, calls_are_awaited, look_at
        from jarvisperf.measure.targets.lazy_results import describe, lazy_note

        def measure(target: Target) -> Any:
            result, samples = self._harness.time(self._record, target, self._plan)
            self._keep(samples)
            return result

        clock = self._clock or REAL.wall
        if not self._measures:
            return measure(FunctionTarget(function, args, kwargs, clock))
        if calls_are_awaited(function):
            _refuse_outside_of_a_loop(function)
        with self._record.watching_target():
            handed = look_at(function, args, kwargs, clock)
        if not handed.is_awaited:
            if handed.first is not None:
                self._record.note(lazy_note(function, handed.first[1]))
            return measure(handed.target())
        try:
            _refuse_outside_of_a_loop(function)
        except TypeError:
            handed.discard()
            raise
        note_instruments(self._record)  # on the loop's thread
        return self._awaited.begin(f"benchmark({describe(function)}, ...)", handed.target, measure, handed.discard)

    def finish(self) -> None:
        """Fail if the test forgot to await a measurement."""
        self._awaited.finish()

    def rounds(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[..., Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        """Time a function for a number of rounds and return the result of its last call.

        In an async test, coroutine functions are awaited, also as setup or teardown. The test then has to await the
        return value.

        Args:
            target: The function to time.
            args: Its positional arguments, unless `setup` returns them.
            kwargs: Its keyword arguments, unless `setup` returns them.
            setup: Called before each round, outside the timing; may return ``(args, kwargs)``. pytest-benchmark calls
                it without arguments, pytest-codspeed with those of the target; here it gets them if it requires any.
            teardown: Called after each round with the arguments, outside the timing.
            rounds: Samples to take.
            warmup_rounds: Rounds to run first, which do not count.
            iterations: Calls in each round; with a `setup` it must be 1.

        Raises:
            TypeError: `rounds`, `warmup_rounds` or `iterations` is not a whole number.
            ValueError: One of them is out of range.
            LazyResultError: A call does none of the work, see `time`.
        """
        from jarvisperf.checks import whole_number
        from jarvisperf.clocks import REAL
        from jarvisperf.measure.targets.call_targets import SetUpTarget, any_is_awaited
        from jarvisperf.measure.targets.lazy_results import describe

        whole_number("rounds", rounds, at_least=1)
        whole_number("warmup_rounds", warmup_rounds, at_least=0)
        prepare = None if setup is None else _without_arguments(setup, args, kwargs or {})
        is_awaited = self._measures and any_is_awaited(target, prepare, teardown)

        def make(waiter: Waiter | None = None) -> Target:
            return SetUpTarget(
                target,
                args,
                kwargs,
                setup=prepare,
                teardown=teardown,
                iterations=iterations,
                clock=self._clock or REAL.wall,
                waiter=waiter,
                awaits=self._measures,
            )

        def measure(made: Target) -> Any:
            result, samples = self._harness.rounds(self._record, made, rounds, warmup_rounds)
            self._keep(samples)
            return result

        if not is_awaited:
            return measure(make())
        _refuse_outside_of_a_loop(target)
        return self._awaited.begin(f"benchmark.pedantic({describe(target)}, ...)", make, measure, lambda: None)


def _refuse_outside_of_a_loop(function: Callable[..., Any]) -> None:
    """Reject a coroutine function in a plain test, where nothing awaits its calls while they are timed."""
    from jarvisperf.measure.targets.lazy_results import LazyResultError, describe
    from jarvisperf.measure.targets.waiters import is_inside_a_loop

    if not is_inside_a_loop():
        raise LazyResultError(
            f"{describe(function)} makes a coroutine, and the fixture benchmark does not await it in a plain test, so "
            "its time is meaningless: use the fixture jarvis_bench, which does, or write await benchmark(...) in an "
            "async test"
        )


def _without_arguments(setup: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Callable[[], Any]:
    """Return a setup function that can be called without arguments; it gets the target's if it requires some."""
    if _takes(setup) or not _takes(setup, *args, **kwargs):
        return setup
    return functools.partial(setup, *args, **kwargs)


def _takes(function: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    """Return whether a function can be called with these arguments; True if its signature cannot be read."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except ValueError:
        return True
    except TypeError:
        return False
    return True
