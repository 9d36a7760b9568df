"""The `jarvis_bench` fixture: what a test calls to hand over its target."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_jarvisperf.bridges.marker import WARMUP_SHARE
from pytest_jarvisperf.measuring.async_tests import AwaitedMeasurements
from pytest_jarvisperf.measuring.harness import note_instruments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.measure.targets import Target
    from jarvisperf.measure.waiters import Waiter
    from pytest_jarvisperf.markers import BenchMarker
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.measuring.record import Record

__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function
R = TypeVar("R")


class MetricAlreadyMeasuredError(RuntimeError):
    """A test measured the same metric twice; its second figures would have replaced the first."""


class JarvisBench:
    """Measures targets for one test; called like pytest-benchmark's `benchmark`.

    Without ``--jarvis-bench`` every target is called once. In an async test, what measures coroutines is awaited:
    ``await jarvis_bench(func)``; the calls then run in the test's own event loop. A plain test with async fixtures has
    them run in the loop of those fixtures.

    Args:
        record: Of the test.
        marker: What the test's marker says.
        budget_seconds: Measuring time, where the marker names none.
        harness: Takes the targets.
        find_loop: Finds the loop of the test's async fixtures; gives None where it has none.

    Attributes:
        extra_info: Notes that appear in the report; values become text.
        group: The group that the benchmark is shown in; may be set.
    """

    def __init__(
        self,
        record: Record,
        marker: BenchMarker,
        budget_seconds: float,
        harness: Harness,
        find_loop: Callable[[], Waiter | None],
    ) -> None:
        self._record = record
        self._marker = marker
        self._budget_seconds = marker.budget_seconds or budget_seconds
        self._harness = harness
        self._find_loop = find_loop
        self._measured: set[str] = set()
        self._awaited = AwaitedMeasurements()
        self.extra_info: dict[str, Any] = {}
        self.group = record.group

    def __call__(self, func: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        """Time a function; a coroutine function is awaited.

        Args:
            func: What to time.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What the function returned the first time (a coroutine function: what it returned when awaited).

        Raises:
            MetricAlreadyMeasuredError: This test has measured time already.
            Exception: What the function raises, as it is.
        """
        from jarvisperf.measure.sampling import Plan

        self._claim("time")
        warmup = self._marker.warmup_seconds
        plan = Plan(
            budget_seconds=self._budget_seconds,
            warmup_seconds=self._budget_seconds * WARMUP_SHARE if warmup is None else warmup,
        )

        def measure(target: Target) -> Any:
            return self._harness.time(self._record, target, plan)[0]

        if self._marker.setup is None:
            return self._measure_calls("jarvis_bench", func, args, kwargs, measure)  # type: ignore[no-any-return]
        return self._measure_with_set_up(  # type: ignore[no-any-return]
            "jarvis_bench", func, args, kwargs, measure, {"setup": self._marker.setup}
        )

    def pedantic(
        self,
        target: Callable[..., R],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> R:
        """Time a function for a fixed number of rounds.

        Args:
            target: What to time; a coroutine function is awaited.
            args: Its positional arguments, where `setup` gives none.
            kwargs: Its keyword arguments, where `setup` gives none.
            setup: Called before each round, outside the timing; may return ``(args, kwargs)``.
            teardown: Called after each round with the arguments, outside the timing.
            rounds: Samples to take.
            warmup_rounds: Rounds before, which do not count.
            iterations: Calls in each round; with a `setup` it must be 1.

        Returns:
            What the last call returned.

        Raises:
            MetricAlreadyMeasuredError: This test has measured time already.
            TypeError: `rounds`, `warmup_rounds` or `iterations` is not a whole number.
            ValueError: One of them is out of range.
            Exception: What the function raises, as it is.
        """
        from jarvisperf.checks import whole_number

        self._claim("time")
        whole_number("rounds", rounds, at_least=1)
        whole_number("warmup_rounds", warmup_rounds, at_least=0)

        def measure(made: Target) -> Any:
            return self._harness.rounds(self._record, made, rounds, warmup_rounds)[0]

        more = {"setup": setup, "teardown": teardown, "iterations": iterations}
        return self._measure_with_set_up(  # type: ignore[no-any-return]
            "jarvis_bench.pedantic", target, args, kwargs, measure, more
        )

    def memory(self, func: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        """Measure the peak memory of a call, after one that warms up.

        Args:
            func: What to measure; a coroutine function is awaited.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What the function returned the first time.

        Raises:
            MetricAlreadyMeasuredError: This test has measured memory already.
            Exception: What the function raises, as it is.
        """
        self._claim("memory")

        def measure(target: Target) -> Any:
            return self._harness.memory(self._record, target)

        return self._measure_calls("jarvis_bench.memory", func, args, kwargs, measure)  # type: ignore[no-any-return]

    def startup(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | os.PathLike[str] | None = None
    ) -> None:
        """Time whole fresh processes, from start to end, and measure their peak resident size.

        Args:
            argv: The program and its arguments, like ``[sys.executable, "-c", "import json"]``.
            env: The environment of the processes; None: this process's own. In lockstep the arm's folders come first
                in its ``PYTHONPATH``.
            cwd: Their working folder; None: this process's own.

        Raises:
            MetricAlreadyMeasuredError: This test has measured startup or memory already.
            TypeError: `argv` is not a list of words.
            ValueError: It is empty.
            jarvisperf.measure.startup.ProcessFailedError: A process could not be started or failed.
        """
        from jarvisperf.measure.startup import Command, check_words

        self._claim("startup")
        self._claim("memory")
        command = Command(tuple(check_words(argv)), env, None if cwd is None else os.fspath(cwd))
        self._harness.startup(self._record, command, self._budget_seconds)

    def finish(self) -> None:
        """Note what the test said about itself; fail where it forgot to await a measurement."""
        self._record.describe(self.group, self.extra_info)
        self._awaited.finish()

    def _measure_calls(
        self,
        call: str,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        measure: Callable[[Target], Any],
    ) -> Any:
        """Measure a function; inside an event loop give a coroutine that does, where its calls are awaited."""
        from jarvisperf.measure.lazy_results import describe, lazy_note
        from jarvisperf.measure.targets import look_at

        with self._record.watching_target():
            handed = look_at(func, args, kwargs)
        if handed.first is not None and not handed.is_awaited:
            self._record.note(lazy_note(func, handed.first[1]))
        return self._measure(
            f"{call}({describe(func)}, ...)", handed.target, measure, handed.discard, is_awaited=handed.is_awaited
        )

    def _measure_with_set_up(
        self,
        call: str,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        measure: Callable[[Target], Any],
        more: Mapping[str, Any],
    ) -> Any:
        from jarvisperf.measure.lazy_results import describe
        from jarvisperf.measure.targets import SetUpTarget, any_is_awaited

        def make(waiter: Waiter | None) -> Target:
            return SetUpTarget(func, args, kwargs, waiter=waiter, **more)

        is_awaited = any_is_awaited(func, more.get("setup"), more.get("teardown"))
        return self._measure(f"{call}({describe(func)}, ...)", make, measure, lambda: None, is_awaited=is_awaited)

    def _measure(
        self,
        call: str,
        make: Callable[[Waiter | None], Target],
        measure: Callable[[Target], Any],
        discard: Callable[[], object],
        *,
        is_awaited: bool,
    ) -> Any:
        from jarvisperf.measure.waiters import is_inside_a_loop

        if is_awaited and is_inside_a_loop():
            note_instruments(self._record)  # here, on the thread of the loop
            return self._awaited.begin(call, make, measure, discard)
        target = make(self._find_loop() if is_awaited else None)
        try:
            return measure(target)
        finally:
            target.close()

    def _claim(self, metric: str) -> None:
        if metric in self._measured:
            raise MetricAlreadyMeasuredError(
                f"{self._record.id} measures {metric} twice: a test measures each metric once, make it two tests"
            )
        self._measured.add(metric)
