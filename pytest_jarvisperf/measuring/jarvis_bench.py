"""The `jarvis_bench` fixture, which a test calls to have a target measured."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from jarvisperf.measure.metrics import BUILT_IN, TIME, OfProcesses
from pytest_jarvisperf.markers.pytest_benchmark import WARMUP_SHARE
from pytest_jarvisperf.measuring.event_loops.async_tests import AwaitedMeasurements
from pytest_jarvisperf.measuring.harness import note_instruments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.measure.metrics import MetricKind, Metrics
    from jarvisperf.measure.side_by_side import Together
    from jarvisperf.measure.targets import Target
    from jarvisperf.measure.targets.waiters import Waiter
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

__tracebackhide__ = True  # hides these frames from tracebacks: the error comes from the user's function
R = TypeVar("R")


class MetricAlreadyMeasuredError(RuntimeError):
    """A test measured the same metric twice; the second figures would have replaced the first."""


class JarvisBench:
    """Measures targets for one test; called like pytest-benchmark's `benchmark`.

    Without ``--jarvis-bench`` every target is called once. In an async test, measurements of coroutine functions are
    awaited: ``await jarvis_bench(func)``; the calls then run in the test's own event loop. In a plain test with async
    fixtures they run in the loop of those fixtures.

    Args:
        record: The test's record.
        budget_seconds: Measuring time, unless the marker sets one.
        harness: Measures the targets.
        find_loop: Returns the loop of the test's async fixtures, None if there are none.
        metrics: The metrics of this session.

    Attributes:
        extra_info: Notes that appear in the report; values become text.
        group: The group that reports show the benchmark in; may be set.
    """

    def __init__(
        self,
        record: BenchmarkRecord,
        budget_seconds: float,
        harness: Harness,
        find_loop: Callable[[], Waiter | None],
        metrics: Metrics = BUILT_IN,
    ) -> None:
        self._record = record
        self._budget_seconds = record.marker.budget_seconds or budget_seconds
        self._harness = harness
        self._find_loop = find_loop
        self._metrics = metrics
        self._measured: set[str] = set()
        self._awaited = AwaitedMeasurements()
        self.extra_info: dict[str, Any] = {}
        self.group = record.group

    def __call__(self, func: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        """Time a function; a coroutine function is awaited.

        Args:
            func: The function to time.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The result of the first call (of a coroutine function, the awaited result).

        Raises:
            MetricAlreadyMeasuredError: This test has already measured time.
            Exception: Whatever the function raises.
        """
        from jarvisperf.measure.sampling import Plan

        self._claim(TIME)
        warmup = self._record.marker.warmup_seconds
        plan = Plan(
            budget_seconds=self._budget_seconds,
            warmup_seconds=self._budget_seconds * WARMUP_SHARE if warmup is None else warmup,
        )

        def measure(target: Target) -> Any:
            return self._harness.time(self._record, target, plan)[0]

        if self._record.marker.setup is None:
            return self._measure_calls("jarvis_bench", func, args, kwargs, measure)  # type: ignore[no-any-return]
        return self._measure_with_set_up(  # type: ignore[no-any-return]
            "jarvis_bench", func, args, kwargs, measure, {"setup": self._record.marker.setup}
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
            target: The function to time; a coroutine function is awaited.
            args: Its positional arguments, unless `setup` returns them.
            kwargs: Its keyword arguments, unless `setup` returns them.
            setup: Called before each round, outside the timing; may return ``(args, kwargs)``.
            teardown: Called after each round with the arguments, outside the timing.
            rounds: Samples to take.
            warmup_rounds: Rounds to run first, which do not count.
            iterations: Calls in each round; with a `setup` it must be 1.

        Returns:
            The result of the last call.

        Raises:
            MetricAlreadyMeasuredError: This test has already measured time.
            TypeError: `rounds`, `warmup_rounds` or `iterations` is not a whole number.
            ValueError: One of them is out of range.
            Exception: Whatever the function raises.
        """
        from jarvisperf.checks import whole_number

        self._claim(TIME)
        whole_number("rounds", rounds, at_least=1)
        whole_number("warmup_rounds", warmup_rounds, at_least=0)

        def measure(made: Target) -> Any:
            return self._harness.rounds(self._record, made, rounds, warmup_rounds)[0]

        more = {"setup": setup, "teardown": teardown, "iterations": iterations}
        return self._measure_with_set_up(  # type: ignore[no-any-return]
            "jarvis_bench.pedantic", target, args, kwargs, measure, more
        )

    def compare(self, functions: Mapping[str, Callable[[], R]]) -> dict[str, R]:
        """Compare the times of several functions, measured in turns; the report ranks them.

        With ``--jarvis-against``, one call of each together is the target, which shows a change in any of them.

        Args:
            functions: Two or more functions by name, called without arguments; coroutine functions are awaited.

        Returns:
            The results of the first calls by name, so that the test can check that all of them did the same work.

        Raises:
            MetricAlreadyMeasuredError: This test has already measured time.
            TypeError: `functions` is not a mapping of names to functions.
            ValueError: There are fewer than two, or a name is empty.
            Exception: Whatever a function raises.
        """
        from jarvisperf.measure.sampling import Plan
        from pytest_jarvisperf.measuring.comparing import checked_functions, look_at_all

        self._claim(TIME)
        plan = Plan(budget_seconds=self._budget_seconds)
        with self._record.watching_target():
            handed = look_at_all(checked_functions(functions))

        def measure(together: Together) -> dict[str, R]:
            return self._harness.compare(self._record, together, plan)

        return self._measure(  # type: ignore[no-any-return]
            "jarvis_bench.compare(...)", handed.together, measure, handed.discard, is_awaited=handed.is_awaited
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the method that measures the metric of this name: ``jarvis_bench.memory(func, *args, **kwargs)``.

        Metrics of calls accept a function with its arguments, and return the result of its first call; coroutine
        functions are awaited. Metrics of processes accept the arguments documented in their file in
        `jarvisperf.measure.metrics`, and return nothing. Each raises MetricAlreadyMeasuredError if this test has
        already measured the metric.

        Raises:
            AttributeError: No metric of this name can be measured like this.
        """
        metrics: Metrics = self.__dict__.get("_metrics", BUILT_IN)
        if name not in metrics.measurable:
            raise AttributeError(
                f"jarvis_bench cannot measure {name!r}; choose one of: {', '.join(metrics.measurable)}"
            )
        kind = metrics[name]
        return functools.partial(
            self._measure_processes if isinstance(kind.measurement, OfProcesses) else self._measure_single_calls, kind
        )

    def __dir__(self) -> list[str]:
        """Include the methods that measure metrics."""
        return [*super().__dir__(), *self._metrics.measurable]

    def _measure_single_calls(self, kind: MetricKind, func: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        self._claim(kind)

        def measure(target: Target) -> Any:
            return self._harness.calls(self._record, kind, target)

        return self._measure_calls(f"jarvis_bench.{kind.name}", func, args, kwargs, measure)  # type: ignore[no-any-return]

    def _measure_processes(self, kind: MetricKind, /, *args: Any, **kwargs: Any) -> None:
        assert isinstance(kind.measurement, OfProcesses)  # noqa: S101  # the caller looked
        self._claim(kind)
        self._harness.processes(self._record, kind, kind.measurement.command(*args, **kwargs), self._budget_seconds)

    def finish(self, asked: Sequence[str] = (TIME.name,)) -> None:
        """Record the test's group and notes; fail if it forgot to await a measurement.

        Args:
            asked: The metrics of ``--jarvis-metrics``.
        """
        self._record.describe(self.group, self.extra_info)
        self._awaited.finish()
        lacking = [name for name in asked if name not in self._measured]
        if lacking and self._measured and TIME.name not in self._measured and tuple(asked) != (TIME.name,):
            self._record.note(
                f"{' and '.join(lacking)} not measured: --jarvis-metrics applies to calls of jarvis_bench(func) and "
                f"benchmark(func), and this test only asks for {' and '.join(sorted(self._measured))}"
            )

    def _measure_calls(
        self,
        call: str,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        measure: Callable[[Target], Any],
    ) -> Any:
        """Measure a function; inside an event loop, return a coroutine that does if its calls are awaited."""
        from jarvisperf.measure.targets.call_targets import look_at
        from jarvisperf.measure.targets.lazy_results import describe, lazy_note

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
        from jarvisperf.measure.targets.call_targets import SetUpTarget, any_is_awaited
        from jarvisperf.measure.targets.lazy_results import describe

        def make(waiter: Waiter | None) -> Target:
            return SetUpTarget(func, args, kwargs, waiter=waiter, **more)

        is_awaited = any_is_awaited(func, more.get("setup"), more.get("teardown"))
        return self._measure(f"{call}({describe(func)}, ...)", make, measure, lambda: None, is_awaited=is_awaited)

    def _measure(
        self,
        call: str,
        make: Callable[[Waiter | None], Target],
        measure: Callable[[Any], Any],
        discard: Callable[[], object],
        *,
        is_awaited: bool,
    ) -> Any:
        from jarvisperf.measure.targets.waiters import is_inside_a_loop

        if is_awaited and is_inside_a_loop():
            note_instruments(self._record)  # on the loop's thread
            return self._awaited.begin(call, make, measure, discard)
        target = make(self._find_loop() if is_awaited else None)
        try:
            return measure(target)
        finally:
            target.close()

    def _claim(self, kind: MetricKind) -> None:
        for each in kind.together:
            if each.name in self._measured:
                raise MetricAlreadyMeasuredError(
                    f"{self._record.id} measures {each.name} twice, but a test can measure each metric only once: "
                    "split it into two tests"
                )
            self._measured.add(each.name)
