"""The definition of a metric: its name and unit, how it is measured, and how its values are judged and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from jarvisperf.measure.metrics.units import Unit, unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.measure.startup import Command, ProcessSample
    from jarvisperf.measure.targets import Target
    from jarvisperf.runs.model import Better, Metric
    from jarvisperf.runs.summary import Summary

DEFAULT_THRESHOLD = 0.10


class OfTimedCalls(NamedTuple):
    """Measured by timing samples of many calls; see `measure.sampling`. Only used for `time`.

    In lockstep, the arms take their samples in turns, in several forks of each launch.

    Attributes:
        method: The clock.
    """

    method: str


class OfSingleCalls(NamedTuple):
    """Measured by calling the target once per value.

    Attributes:
        methods: Returns how the metric is measured on this machine, in a word or two, and likewise for each metric in
            `MetricKind.also`. In lockstep, both arms must return the same.
        values: Calls the target and returns the value of the metric, then those of the metrics in `MetricKind.also`;
            takes the target and the methods.
        profile: The kind of profile that explains the values.
    """

    methods: Callable[[], tuple[str, ...]]
    values: Callable[[Target, tuple[str, ...]], Sequence[float]]
    profile: Literal["time", "memory"] = "time"


class OfProcesses(NamedTuple):
    """Measured by starting a fresh process per value.

    Attributes:
        methods: How the metric is measured, in a word or two, and likewise for each metric in `MetricKind.also`.
        command: Returns the command to start; takes the arguments that the test passed, and raises TypeError or
            ValueError if they are wrong.
        values: Returns the value of the metric, then those of the metrics in `MetricKind.also`; takes the figures of
            the finished process, the command, and a function that returns its output.
    """

    methods: tuple[str, ...]
    command: Callable[..., Command]
    values: Callable[[ProcessSample, Command, Callable[[], str]], Sequence[float]]


class MetricKind(NamedTuple):
    """Defines a metric. All code that measures, compares or shows a metric relies on its kind.

    Attributes:
        name: The name in options, markers, reports and stored runs; an identifier.
        unit: The unit of its values.
        axis_label: The label of an axis for its values, like ``time per call``.
        better: Which direction is better.
        threshold: Default threshold, as a share: 0.05 is 5 %.
        prior_deviation: Standard deviation from run to run, as a share, to assume if there is only one stored run.
        floor_deviation: Smallest standard deviation from run to run to believe, however closely stored runs agree.
        smallest: Smaller values count as this one in ratios, because 0 has no ratio.
        follows_machine: Whether a slower machine increases the values. If so, values of stored runs are divided by the
            yardstick, and a run whose control showed a difference decides nothing about the metric.
        measurement: How an arm measures it; None if it is only measured along with another metric.
        also: Metrics that are measured along with it.
    """

    name: str
    unit: Unit
    axis_label: str
    better: Better = "lower"
    threshold: float = DEFAULT_THRESHOLD
    prior_deviation: float = 0.10
    floor_deviation: float = 0.003
    smallest: float = 0.0
    follows_machine: bool = False
    measurement: OfTimedCalls | OfSingleCalls | OfProcesses | None = None
    also: tuple[MetricKind, ...] = ()

    @property
    def together(self) -> tuple[MetricKind, ...]:
        """This metric, then those that are measured along with it."""
        return (self, *self.also)

    def counted(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return values as they count in a ratio: at least `smallest`."""
        return tuple(max(value, self.smallest) for value in values)

    def summary(self, samples: Sequence[float], iterations: int = 1) -> Summary:
        """Summarize samples. Their median is the number that is shown, and compared between stored runs.

        Lockstep compares samples pair by pair instead; see `gate.verdict.estimate`.

        Args:
            samples: Values of the metric, in its unit per iteration.
            iterations: Calls per sample.

        Raises:
            ValueError: There are no samples, or one is negative or not finite.
        """
        from jarvisperf.runs.summary import summarize

        return summarize(samples, iterations)

    def metric(self, samples: Sequence[float], method: str, iterations: int = 1) -> Metric:
        """Return samples as a run stores them.

        Args:
            samples: Values of the metric, in its unit per iteration.
            method: How they were measured.
            iterations: Calls per sample.
        """
        from jarvisperf.runs.model import Metric

        return Metric(
            unit=self.unit.symbol, better=self.better, method=method, summary=self.summary(samples, iterations)
        )


def stored_kind(name: str, unit: str, better: Better = "lower") -> MetricKind:
    """Describe a metric of a stored run or report that is not defined here.

    Args:
        name: Its name.
        unit: The symbol of its unit.
        better: Which direction is better.
    """
    return MetricKind(name=name, unit=unit_of(unit), axis_label=name, better=better, follows_machine=unit == "s")
