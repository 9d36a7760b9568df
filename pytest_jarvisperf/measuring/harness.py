"""Harnesses, which take a test's target and either call it once or measure it."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from jarvisperf.clocks import REAL
from jarvisperf.measure.metrics import TIME, OfProcesses, OfSingleCalls
from jarvisperf.measure.metrics.time import CLOCK
from pytest_jarvisperf.measuring.capture import capture_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jarvisperf.measure.metrics import MetricKind, Metrics
    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.side_by_side import Together
    from jarvisperf.measure.startup import Command
    from jarvisperf.measure.targets import Target
    from jarvisperf.measure.yardstick import Yardstick
    from pytest_jarvisperf.measuring.record import BenchmarkRecord


__tracebackhide__ = True  # hides these frames from tracebacks: the error comes from the user's function
SINGLE_CALLS = 3  # samples of a metric that is measured call by call
READINGS_ASIDE = 3  # yardstick readings before and after: one interruption does not move a median of 6
RECENT_SECONDS = 0.5  # a reading this old is still valid; a shared machine's speed changes within seconds


class Harness(Protocol):
    """Measures the targets of tests.

    Every method returns what the target returned, and the samples if there are any.
    """

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan."""

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds that the test specifies."""

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Compare several targets with each other; return the results of their first calls by name."""

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Measure a metric on single calls."""

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:
        """Measure a metric on fresh processes."""


class QuickHarness:
    """Calls each target once: benchmark tests as ordinary tests."""

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:  # noqa: ARG002
        """Call the target once, and return that call as the only sample."""
        return self.rounds(record, target, 1, 0)

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:  # noqa: ARG002
        """Call the target once, and return that call as the only sample."""
        from jarvisperf.measure.sampling import Samples

        seconds, result = target.timed_call()
        return result, Samples(1, (seconds,))

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:  # noqa: ARG002
        """Call each target once."""
        return together.call()

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:  # noqa: ARG002
        """Call the target once."""
        return target.call()

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:  # noqa: ARG002
        """Run the process once."""
        from jarvisperf.measure.startup import Launcher

        with Launcher(command.env, command.cwd) as launcher:
            launcher.run(command.words)


def further_metrics(harness: Harness, metrics: Metrics, names: Sequence[str]) -> Harness:
    """Wrap a harness so that it measures these metrics for every timed function."""
    return harness if tuple(names) == (TIME.name,) else _FurtherMetrics(harness, [metrics[name] for name in names])


class _FurtherMetrics:
    """Wraps a harness so that it measures the metrics of ``--jarvis-metrics`` for every timed function.

    Args:
        inner: The harness that measures.
        kinds: The metrics to measure, one or more; without `time`, time is not measured.
    """

    def __init__(self, inner: Harness, kinds: Sequence[MetricKind]) -> None:
        self._inner = inner
        self._kinds = [kind for kind in kinds if isinstance(kind.measurement, OfSingleCalls)]
        self._times = TIME in kinds

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan if time is among the metrics, then measure the others."""
        taken = self._inner.time(record, target, plan) if self._times else None
        return self._measured(record, target, taken)

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds, then measure the other metrics.

        If the test specifies a single call, and every call has the same arguments, it is only timed.
        """
        if rounds == 1 and not target.sets_up:
            record.note("only its time was measured: pedantic(rounds=1) allows one call")
            return self._inner.rounds(record, target, rounds, warmup_rounds)
        taken = self._inner.rounds(record, target, rounds, warmup_rounds) if self._times else None
        return self._measured(record, target, taken)

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Compare the times of several targets, which the other metrics are not measured for."""
        return self._inner.compare(record, together, plan)

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Measure a metric that a test requests by name."""
        return self._inner.calls(record, kind, target)

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:
        """Measure a metric that a test requests by name."""
        self._inner.processes(record, kind, command, budget_seconds)

    def _measured(
        self, record: BenchmarkRecord, target: Target, taken: tuple[Any, Samples] | None
    ) -> tuple[Any, Samples]:
        if taken is None:
            taken = QuickHarness().rounds(record, target, 1, 0)
        for kind in self._kinds:
            self._inner.calls(record, kind, target)
        return taken


class MeasuringHarness:
    """Measures each target in this process and adds the figures to the test's record.

    Attributes:
        yardstick: The readings taken around the targets; None before the first.
        tell_long: Called if one call takes longer than the budget, before it is measured, with the test's id, the
            seconds of a call, and the minimum seconds that measuring takes.
        tell_rounds: Called after the first of a declared number of rounds, with the test's id and the seconds that the
            remaining ones take at that pace.
    """

    def __init__(self) -> None:
        self.yardstick: Yardstick | None = None
        self.tell_long: Callable[[str, float, float], None] | None = None
        self.tell_rounds: Callable[[str, float], None] | None = None

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan; the result is that of its first call."""
        from jarvisperf.measure.sampling import measure

        with record.watching_target():
            seconds, result = target.timed_call()
            if seconds > plan.budget_seconds and not target.has_own_clock and self.tell_long is not None:
                # One call to warm up, one to calibrate, then the samples.
                self.tell_long(record.id, seconds, seconds * (2 + min(plan.min_samples, plan.max_samples or math.inf)))
            with self._beside_yardstick(record), capture_aside():
                samples = measure(target, plan)
        self._note_time(record, samples)
        return result, samples

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds; the result is that of the last call."""
        from jarvisperf.measure.sampling import measure_rounds

        def tell_first(seconds: float) -> None:
            if self.tell_rounds is not None:
                self.tell_rounds(record.id, seconds * (warmup_rounds + rounds - 1))

        with record.watching_target(), self._beside_yardstick(record), capture_aside(replay=True):
            result, samples = measure_rounds(target, rounds, warmup_rounds, tell_first)
        self._note_time(record, samples)
        return result, samples

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Measure targets in turns, in forked copies of this process if possible; the test's time is their sum."""
        from pytest_jarvisperf.measuring.comparing import compare_targets

        with record.watching_target():
            seconds, results = together.timed_call()
            with self._beside_yardstick(record), capture_aside():
                compared = compare_targets(together.targets, plan, seconds)
        record.side_by_side = compared.found
        record.note(compared.note)
        record.metrics[TIME.name] = TIME.metric(compared.rounds, CLOCK, 1)
        return results

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Measure a metric on a few single calls; the result is that of a call before them."""
        assert isinstance(kind.measurement, OfSingleCalls)  # noqa: S101  # the caller looked
        with record.watching_target():
            result = target.call()
            methods = kind.measurement.methods()
            with capture_aside():
                calls = [_timed(kind.measurement, target, methods) for _ in range(SINGLE_CALLS)]
        record.call_seconds = max(record.call_seconds, min(seconds for seconds, _ in calls))
        _note(record, kind, methods, [values for _, values in calls])
        return result

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:
        """Measure a metric on fresh processes: one to warm up, then as many as fit in the budget, 3 to 20."""
        from jarvisperf.measure.startup import measure_processes

        measurement = kind.measurement
        assert isinstance(measurement, OfProcesses)  # noqa: S101  # the caller looked
        with record.watching_target(), self._beside_yardstick(record):
            values = measure_processes(command, budget_seconds, measurement.values)
        _note(record, kind, measurement.methods, values)

    @contextmanager
    def _beside_yardstick(self, record: BenchmarkRecord) -> Iterator[None]:
        """Read the yardstick before and after; successive measurements of a test share one reading.

        A reading takes a few milliseconds, so short benchmarks that follow each other share the readings between them.
        """
        from jarvisperf.measure.instrumentation import uninstrumented

        note_instruments(record)
        if self.yardstick is None:
            self.yardstick = _warm_yardstick()
        yardstick = self.yardstick
        with uninstrumented():
            oldest = yardstick.refresh(READINGS_ASIDE, RECENT_SECONDS)
        if record.first_reading is None:
            record.first_reading = oldest
        yield
        with uninstrumented():
            yardstick.refresh(READINGS_ASIDE, RECENT_SECONDS)
        record.yardstick = yardstick.since(record.first_reading)

    @staticmethod
    def _note_time(record: BenchmarkRecord, samples: Samples) -> None:
        record.metrics[TIME.name] = TIME.metric(samples.seconds, CLOCK, samples.iterations)


def _timed(measurement: OfSingleCalls, target: Target, methods: tuple[str, ...]) -> tuple[float, Sequence[float]]:
    """Measure one call; return how long that took as well."""
    start = REAL.wall()
    values = measurement.values(target, methods)
    return REAL.wall() - start, values


def _note(record: BenchmarkRecord, kind: MetricKind, methods: Sequence[str], values: Iterable[Sequence[float]]) -> None:
    """Note the values of a metric and of those that are measured with it."""
    for each, method, samples in zip(kind.together, methods, zip(*values, strict=True), strict=True):
        record.metrics[each.name] = each.metric(samples, method)


def note_instruments(record: BenchmarkRecord) -> None:
    """Note tools that slow the target and cannot be turned off; call this on the thread that makes the calls."""
    from jarvisperf.measure.instrumentation import remaining_instruments

    for name in remaining_instruments():
        record.note(f"{name} watches this process, so the figures include its cost: measure without it")


def _warm_yardstick() -> Yardstick:
    from jarvisperf.measure.yardstick import Yardstick, reference_workloads

    workloads = reference_workloads()
    for work in workloads.values():
        work()  # the first call of each allocates its memory
    return Yardstick(workloads=workloads)
