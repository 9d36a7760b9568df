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

    Coroutines are handed back as they are: users of both plugins await them themselves.

    Args:
        record: The test's.
        plan: How long and how finely.
        harness: Takes the targets.
        clock: The author's own, seconds as a float; None: they chose none.
    """

    def __init__(self, record: Record, plan: Plan, harness: Harness, clock: Clock | None) -> None:
        self._record = record
        self._plan = plan
        self._harness = harness
        self._clock = clock

    def time(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Samples]:
        """Time a function; give what its first call returned, and the samples."""
        from jarvisperf.bench.targets import FunctionTarget

        made = FunctionTarget(function, args, kwargs)
        if self._clock is not None:
            made.use_clock(self._clock)
        return self._harness.time(self._record, made, self._plan)

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
        return self._harness.rounds(self._record, made, rounds, warmup_rounds)


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
