"""What happens when a test hands over its target: it is called once, or it is measured."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from pytest_jarvisperf.measuring.capture import capture_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.startup import Command
    from jarvisperf.measure.targets import Target
    from jarvisperf.measure.yardstick import Yardstick
    from pytest_jarvisperf.measuring.record import Record


__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function
READINGS_ASIDE = 3  # of the yardstick, before and after: a median of 6, which one interruption does not move
RECENT_SECONDS = 0.5  # a reading this old still stands for now: a shared machine's speed changes within seconds


class Harness(Protocol):
    """Takes the targets of the tests.

    Every method gives what the target returned, and the samples where there are any.
    """

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan."""

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds that the test's author decided."""

    def memory(self, record: Record, target: Target) -> Any:
        """Measure the peak memory of a call."""

    def startup(self, record: Record, command: Command, budget_seconds: float) -> None:
        """Time whole fresh processes."""


class QuickHarness:
    """Calls each target once: benchmark tests as ordinary tests."""

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:  # noqa: ARG002
        """Call the target once and give that call as the only sample."""
        return self.rounds(record, target, 1, 0)

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:  # noqa: ARG002
        """Call the target once and give that call as the only sample."""
        from jarvisperf.measure.sampling import Samples

        seconds, result = target.timed_call()
        return result, Samples(1, (seconds,))

    def memory(self, record: Record, target: Target) -> Any:  # noqa: ARG002
        """Call the target once."""
        return target.call()

    def startup(self, record: Record, command: Command, budget_seconds: float) -> None:  # noqa: ARG002
        """Run the process once."""
        from jarvisperf.measure.startup import Launcher

        with Launcher(command.env, command.cwd) as launcher:
            launcher.run(command.words)


class MeasuringHarness:
    """Measures each target in this process and notes the figures in the test's record.

    Attributes:
        yardstick: The readings beside all targets; None before the first one.
        tell_long: Called where one call takes longer than the budget, before it is measured: with the test's id, the
            seconds of a call, and those that measuring takes at least.
        tell_rounds: Called after the first of a declared number of rounds, with the test's id and the seconds that the
            remaining ones take at that pace.
    """

    def __init__(self) -> None:
        self.yardstick: Yardstick | None = None
        self.tell_long: Callable[[str, float, float], None] | None = None
        self.tell_rounds: Callable[[str, float], None] | None = None

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan; the result is that of its first call."""
        from jarvisperf.measure.sampling import measure

        seconds, result = target.timed_call()
        if seconds > plan.budget_seconds and not target.has_own_clock and self.tell_long is not None:
            # One call warms up, one calibrates; then come the samples.
            self.tell_long(record.id, seconds, seconds * (2 + min(plan.min_samples, plan.max_samples or math.inf)))
        with self._beside_yardstick(record), capture_aside():
            samples = measure(target, plan)
        self._note_time(record, samples)
        return result, samples

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds; the result is that of the last call."""
        from jarvisperf.measure.sampling import measure_rounds

        def tell_first(seconds: float) -> None:
            if self.tell_rounds is not None:
                self.tell_rounds(record.id, seconds * (warmup_rounds + rounds - 1))

        with self._beside_yardstick(record), capture_aside(replay=True):
            result, samples = measure_rounds(target, rounds, warmup_rounds, tell_first)
        self._note_time(record, samples)
        return result, samples

    def memory(self, record: Record, target: Target) -> Any:
        """Measure the peak memory of a few calls."""
        from jarvisperf.measure.memory import memory_method, peak_bytes
        from jarvisperf.runs.model import Metric
        from jarvisperf.runs.summary import summarize

        result = target.call()
        method = memory_method()
        with capture_aside():
            peaks = [float(peak_bytes(target, method)) for _ in range(3)]
        record.metrics["memory"] = Metric(unit="B", better="lower", method=method, summary=summarize(peaks))
        return result

    def startup(self, record: Record, command: Command, budget_seconds: float) -> None:
        """Time fresh processes: one that does not count, then as many as the budget holds, 3 to 20."""
        from jarvisperf.measure.startup import RSS_METHOD, TIME_METHOD, measure_startup
        from jarvisperf.runs.model import Metric
        from jarvisperf.runs.summary import summarize

        with self._beside_yardstick(record):
            samples = measure_startup(command.words, budget_seconds, env=command.env, cwd=command.cwd)
        for name, unit, method, values in (
            ("startup", "s", TIME_METHOD, [sample.seconds for sample in samples]),
            ("memory", "B", RSS_METHOD, [float(sample.peak_rss_bytes) for sample in samples]),
        ):
            record.metrics[name] = Metric(unit=unit, better="lower", method=method, summary=summarize(values))  # type: ignore[arg-type]

    @contextmanager
    def _beside_yardstick(self, record: Record) -> Iterator[None]:
        """Read the yardstick before and after; what a test measures one after the other has one reading together.

        A reading takes some milliseconds: short benchmarks that follow each other share the readings between them.
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
    def _note_time(record: Record, samples: Samples) -> None:
        from jarvisperf.runs.model import Metric

        record.metrics["time"] = Metric(unit="s", better="lower", method="perf_counter", summary=samples.summarize())


def note_instruments(record: Record) -> None:
    """Note what slows the target and could not be taken off; call it where the calls are made."""
    from jarvisperf.measure.instrumentation import remaining_instruments

    for name in remaining_instruments():
        record.note(f"{name} watches this process, so its cost is in the figures: measure without it")


def _warm_yardstick() -> Yardstick:
    from jarvisperf.measure.yardstick import Yardstick, reference_workloads

    workloads = reference_workloads()
    for work in workloads.values():
        work()  # the first call of each pays for its memory
    return Yardstick(workloads=workloads)
