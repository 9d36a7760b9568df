"""What a metric is: its name and unit, how it is measured, and how its values are judged and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jarvisperf.measure.metrics.units import Unit, unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.measure.startup import Command, ProcessSample
    from jarvisperf.measure.targets import Target
    from jarvisperf.runs.model import Better, Metric
    from jarvisperf.runs.summary import Summary

WORST_THRESHOLD = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTimedCalls:
    """The target is called many times, and samples of equal length are timed: see `measure.sampling`.

    In lockstep the arms take their samples in turns, in several forks of each launch.

    Attributes:
        method: The clock.
    """

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSingleCalls:
    """The target is called once for each value.

    Attributes:
        methods: Returns what the values are measured by on this machine: a word or two for the metric, and for each
            of those measured with it. In lockstep both arms must have the same.
        values: Calls the target and returns the metric's value, and that of each metric measured with it; given the
            target and the methods.
        profile: What a profile of the target must show to explain the values.
    """

    methods: Callable[[], tuple[str, ...]]
    values: Callable[[Target, tuple[str, ...]], Sequence[float]]
    profile: Literal["time", "memory"] = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfProcesses:
    """A fresh process is started for each value.

    Attributes:
        methods: What the values are measured by: a word or two for the metric, and for each of those measured with it.
        command: Returns the command to run, given what the test gave; raises TypeError or ValueError.
        values: Returns the metric's value, and that of each metric measured with it; given the process that ended, the
            command, and what it wrote.
    """

    methods: tuple[str, ...]
    command: Callable[..., Command]
    values: Callable[[ProcessSample, Command, Callable[[], str]], Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind:
    """Defines a metric; everything that measures, compares or shows one asks its kind.

    Attributes:
        name: The name in options, markers, reports and stored runs; an identifier.
        unit: What its values are counted in.
        axis_label: What its medians are called on an axis, like ``time per call``.
        better: Which direction is the good one.
        threshold: How much worse it may get where nobody says, as a share: 0.05 is 5 %.
        prior_deviation: The standard deviation from run to run that is assumed where one stored run shows none, as a
            share.
        floor_deviation: The smallest such deviation that is believed, however well a few stored runs agree.
        smallest: Smaller values count as this in ratios: 0 has none, and below a page bytes are bookkeeping.
        follows_machine: Whether a slower machine makes its values larger. The yardstick is then divided out, and a run
            whose control showed a difference does not decide about it.
        measurement: How an arm measures it; None: with another metric only.
        also: The metrics that are measured with it, value by value.
    """

    name: str
    unit: Unit
    axis_label: str
    better: Better = "lower"
    threshold: float = WORST_THRESHOLD
    prior_deviation: float = 0.10
    floor_deviation: float = 0.003
    smallest: float = 0.0
    follows_machine: bool = False
    measurement: OfTimedCalls | OfSingleCalls | OfProcesses | None = None
    also: tuple[MetricKind, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name.startswith("max_"):
            raise ValueError(f"a metric's name is an identifier that does not begin with max_, got {self.name!r}")
        if not self.threshold > 0:
            raise ValueError(f"threshold of {self.name} is {self.threshold!r}; expected a share above 0, like 0.05")

    @property
    def together(self) -> tuple[MetricKind, ...]:
        """This metric, then those that are measured with it."""
        return (self, *self.also)

    def counted(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return values as they count in a ratio."""
        return tuple(max(value, self.smallest) for value in values)

    def summary(self, samples: Sequence[float], iterations: int = 1) -> Summary:
        """Summarize samples; the one number that is shown and compared is their median.

        Lockstep compares the samples pair by pair instead, see `gate.verdict.estimate`.

        Args:
            samples: Values of the metric, in its unit per iteration.
            iterations: Calls in each sample.

        Raises:
            ValueError: There are none, or one is negative or not finite.
        """
        from jarvisperf.runs.summary import summarize

        return summarize(samples, iterations)

    def metric(self, samples: Sequence[float], method: str, iterations: int = 1) -> Metric:
        """Return what a run keeps of samples.

        Args:
            samples: Values of the metric, in its unit per iteration.
            method: What they were measured by.
            iterations: Calls in each sample.
        """
        from jarvisperf.runs.model import Metric

        return Metric(
            unit=self.unit.symbol, better=self.better, method=method, summary=self.summary(samples, iterations)
        )


def stored_kind(name: str, unit: str, better: Better = "lower") -> MetricKind:
    """Describe a metric that a stored run or a report has and nothing defines here.

    Args:
        name: Its name.
        unit: Its unit's symbol.
        better: Which direction is the good one.
    """
    identifier = name if name.isidentifier() and not name.startswith("max_") else "metric"
    return MetricKind(name=identifier, unit=unit_of(unit), axis_label=name, better=better, follows_machine=unit == "s")
