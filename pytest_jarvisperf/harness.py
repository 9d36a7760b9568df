"""What happens when a test hands over its target: it is called once, or it is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.bench.sampling import Plan, Samples
    from jarvisperf.bench.targets import Target
    from pytest_jarvisperf.record import Record


__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function


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

    def startup(self, record: Record, argv: Sequence[str], budget_seconds: float) -> None:
        """Time whole fresh processes."""


class QuickHarness:
    """Calls each target once: benchmark tests as ordinary tests."""

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:  # noqa: ARG002
        """Call the target once and give that call as the only sample."""
        return self.rounds(record, target, 1, 0)

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:  # noqa: ARG002
        """Call the target once and give that call as the only sample."""
        from jarvisperf.bench.sampling import Samples

        seconds, result = target.timed_call()
        return result, Samples(1, (seconds,))

    def memory(self, record: Record, target: Target) -> Any:  # noqa: ARG002
        """Call the target once."""
        return target.call()

    def startup(self, record: Record, argv: Sequence[str], budget_seconds: float) -> None:  # noqa: ARG002
        """Run the process once."""
        from jarvisperf.bench.startup import Launcher

        with Launcher() as launcher:
            launcher.run(argv)


class MeasuringHarness:
    """Measures each target in this process and notes the figures in the test's record."""

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan; the result is that of its first call."""
        from jarvisperf.bench.sampling import measure

        result = target.call()
        samples = measure(target, plan)
        self._note_time(record, samples)
        return result, samples

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds; the result is that of the last call."""
        from jarvisperf.bench.sampling import measure_rounds

        result, samples = measure_rounds(target, rounds, warmup_rounds)
        self._note_time(record, samples)
        return result, samples

    def memory(self, record: Record, target: Target) -> Any:
        """Measure the peak memory of a few calls."""
        from jarvisperf.bench.memory import METHOD, peak_bytes
        from jarvisperf.runs.model import Metric
        from jarvisperf.runs.summary import summarize

        result = target.call()
        peaks = [float(peak_bytes(target)) for _ in range(3)]
        record.metrics["memory"] = Metric(unit="B", better="lower", method=METHOD, summary=summarize(peaks))
        return result

    def startup(self, record: Record, argv: Sequence[str], budget_seconds: float) -> None:
        """Time fresh processes: one that does not count, then as many as the budget holds, 3 to 20."""
        from jarvisperf.bench.startup import RSS_METHOD, TIME_METHOD, measure_startup
        from jarvisperf.runs.model import Metric
        from jarvisperf.runs.summary import summarize

        samples = measure_startup(argv, budget_seconds)
        for name, unit, method, values in (
            ("startup", "s", TIME_METHOD, [sample.seconds for sample in samples]),
            ("memory", "B", RSS_METHOD, [float(sample.peak_rss_bytes) for sample in samples]),
        ):
            record.metrics[name] = Metric(unit=unit, better="lower", method=method, summary=summarize(values))  # type: ignore[arg-type]

    @staticmethod
    def _note_time(record: Record, samples: Samples) -> None:
        from jarvisperf.runs.model import Metric

        record.metrics["time"] = Metric(unit="s", better="lower", method="perf_counter", summary=samples.summarize())
