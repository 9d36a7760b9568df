"""The calls that suites of pytest-benchmark and pytest-codspeed make, handed to this plugin's harness."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.bench.sampling import Plan, Samples
    from jarvisperf.bench.targets import Clock
    from pytest_jarvisperf.harness import Harness
    from pytest_jarvisperf.record import Record

__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function


class BenchmarkCalls:
    """Measures what one test hands over.

    Coroutines are handed back as they are: users of both plugins await them themselves. What a generator would do is
    not in its function's time either, and nobody could want that time: where it is measured it is refused.

    Args:
        record: The test's.
        plan: How long and how finely.
        harness: Takes the targets.
        clock: The author's own, seconds as a float; None: they chose none.
        measures: Whether the targets are measured, not only called.
    """

    def __init__(self, record: Record, plan: Plan, harness: Harness, clock: Clock | None, *, measures: bool) -> None:
        self._measures = measures
        self._record = record
        self._plan = plan
        self._harness = harness
        self._clock = clock

    def time(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Samples]:
        """Time a function; give what its first call returned, and the samples.

        Raises:
            LazyResultError: The function makes a generator.
        """
        from jarvisperf.bench.targets import FunctionTarget

        made = FunctionTarget(function, args, kwargs)
        if self._clock is not None:
            made.use_clock(self._clock)
        result, samples = self._harness.time(self._record, made, self._plan)
        self._check(function, result)
        return result, samples

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
    ) -> tuple[Any, Samples]:
        """Time a function for a number of rounds; give what its last call returned, and the samples.

        Args:
            target: What to time.
            args: Its positional arguments, where `setup` gives none.
            kwargs: Its keyword arguments, where `setup` gives none.
            setup: Called before each round, outside the timing; may return ``(args, kwargs)``. pytest-benchmark calls
                it without arguments, pytest-codspeed with those of the target: it gets them if it cannot do without.
            teardown: Called after each round with the arguments, outside the timing.
            rounds: Samples to take.
            warmup_rounds: Rounds before, which do not count.
            iterations: Calls in each round; with a `setup` it must be 1.

        Raises:
            ValueError: `rounds`, `warmup_rounds` or `iterations` is out of range.
            LazyResultError: The function makes a generator.
        """
        from jarvisperf.bench.checks import check_whole_number
        from jarvisperf.bench.targets import SetUpTarget

        check_whole_number("rounds", rounds, least=1)
        check_whole_number("warmup_rounds", warmup_rounds, least=0)
        made = SetUpTarget(
            target,
            args,
            kwargs,
            setup=None if setup is None else _without_arguments(setup, args, kwargs or {}),
            teardown=teardown,
            iterations=iterations,
            awaits=False,
        )
        if self._clock is not None:
            made.use_clock(self._clock)
        result, samples = self._harness.rounds(self._record, made, rounds, warmup_rounds)
        self._check(target, result)
        return result, samples

    def _check(self, function: Callable[..., Any], result: Any) -> None:
        """Refuse a measured function that has done none of its work, and note one whose coroutine others await."""
        from jarvisperf.bench.lazy_results import describe, lazy_note, refuse_lazy

        if not self._measures:
            return
        if not inspect.iscoroutine(result):
            refuse_lazy(function, result)
            self._record.note(lazy_note(function, result))
            return
        self._record.note(
            f"{describe(function)} returned a coroutine, and what it does when it is awaited is not in the figures; "
            "jarvis_bench awaits coroutine functions"
        )


def _without_arguments(setup: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Callable[[], Any]:
    """Give a setup function that is called without arguments: it gets the target's where it needs them."""
    if _takes(setup) or not _takes(setup, *args, **kwargs):
        return setup
    return lambda: setup(*args, **kwargs)


def _takes(function: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    """Tell whether a function can be called with these arguments; one without a readable signature is said to."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except ValueError:
        return True
    except TypeError:
        return False
    return True
