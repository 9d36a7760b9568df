"""Collects the results of a lockstep run's launches, benchmark by benchmark."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from jarvisperf.gate.verdict.bounded import ratio_of
from jarvisperf.gate.verdict.estimate import log_ratio, trimmed_mean
from jarvisperf.measure.metrics import SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.gate.lockstep.slices import PairedSamples
    from jarvisperf.gate.verdict.decide import Judgement
    from jarvisperf.measure.metrics import MetricKind

State = Literal["open", "decided", "new", "skipped", "error"]

KEPT_SAMPLES = 4_000
FEWEST_FOR_DRIFT = 8
EQUAL_COUNTS = math.log(1.0005)  # counts of instructions that differ by less are equal
FORKS_TRIMMED_SHARE = 0.25  # on each side, because now and then a fork is several per cent off


class LaunchFigures(NamedTuple):
    """One launch's figures for one metric.

    Attributes:
        base: The median of base's samples, in the unit, per iteration.
        head: The median of head's samples, likewise.
        log_ratio: The launch's estimate of log(head / base), from samples in pairs.
    """

    base: float
    head: float
    log_ratio: float


class Witness(msgspec.Struct, frozen=True):
    """The instructions that both arms execute.

    Attributes:
        base: Base's instructions per call, the median of the launches.
        head: The same of head.
        ratio: head / base, likewise.
        lowest: The smallest ratio of a launch.
        highest: The largest one.
        launches: The number of launches, each with its own seeds.
        method: How they were counted.
        settles: Whether equal counts turned the verdict on time into ``unchanged``.
    """

    base: float
    head: float
    ratio: float
    lowest: float
    highest: float
    launches: int
    method: str
    settles: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether the counts of every launch are equal."""
        return self.lowest >= math.exp(-EQUAL_COUNTS) and self.highest <= math.exp(EQUAL_COUNTS)


@dataclass(slots=True)
class MetricTally:
    """One metric of one benchmark.

    Attributes:
        kind: The metric's kind.
        log_ratios: One number per launch.
        launches: The figures of each absorbed launch.
        parts: One number per fork of the running launch.
        drifts: For each fork, the logarithm of the duration of its last calls divided by that of its first ones.
        base: Samples of base, in the unit, per iteration.
        head: Samples of head, likewise.
        iterations: Calls per sample in the last launch.
        method: The clock of the last launch.
        judgement: The verdict so far; None before the first look.
        witness: The instructions of both arms, if they were counted because time could not tell.
    """

    kind: MetricKind
    log_ratios: list[float] = field(default_factory=list)
    launches: list[LaunchFigures] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    drifts: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    iterations: int = 1
    method: str = ""
    judgement: Judgement | None = None
    witness: Witness | None = None

    def add(self, samples: PairedSamples) -> None:
        """Add the result of one fork of a launch.

        Raises:
            ValueError: A time was 0.
        """
        base, head = self.kind.counted(samples.base), self.kind.counted(samples.head)
        self.parts.append(log_ratio(base, head))
        if len(head) >= FEWEST_FOR_DRIFT:
            third = len(head) // 3
            for arm in (base, head):
                logarithms = [math.log(value) for value in arm]
                self.drifts.append(statistics.median(logarithms[-third:]) - statistics.median(logarithms[:third]))
        self.iterations = samples.iterations
        self.method = samples.method
        self._keep(samples.base, samples.head)

    def end_launch(self) -> None:
        """Combine the launch's forks into one number; they share imported modules, so they are not independent."""
        if self.parts:
            self.log_ratios.append(trimmed_mean(sorted(self.parts), FORKS_TRIMMED_SHARE))
            self.parts.clear()

    def absorb(self, launch: MetricTally) -> None:
        """Add the results of one launch that has ended."""
        self.log_ratios += launch.log_ratios
        if launch.log_ratios:
            base, head = (statistics.median(values) for values in (launch.base, launch.head))
            self.launches += [LaunchFigures(base, head, log_ratio) for log_ratio in launch.log_ratios]
        self.drifts += launch.drifts
        self.iterations, self.method = launch.iterations, launch.method
        self._keep(launch.base, launch.head)

    def _keep(self, base: Sequence[float], head: Sequence[float]) -> None:
        for kept, values in ((self.base, base), (self.head, head)):
            kept.extend(values[: KEPT_SAMPLES - len(kept)])

    @property
    def growth(self) -> float:
        """Duration of the last calls divided by that of the first ones (median); 1.0 if too few are known."""
        return ratio_of(statistics.median(self.drifts)) if len(self.drifts) >= FEWEST_FOR_DRIFT else 1.0


@dataclass(slots=True)
class Tally:
    """One benchmark.

    Attributes:
        state: ``open`` while more launches are needed.
        metrics: The measured metrics, by name.
        forks: The number of forks of a launch in which it is measured.
        seconds: Time that its samples took, both arms together.
        message: The reason why it has no verdict, in one line.
        traceback: The failure as pytest shows it.
        is_final: Whether the error is final, because another attempt would take as long again.
        xfail: The reason why it was expected to fail; None if it was not.
        group: The group that the test named at run time.
        extra_info: The author's notes.
        unequal: The reason why both arms may have had different inputs, in a few words.
        notes: Notes of the arms for readers of the figures, in order.
        taken_over: When the interrupted run started that decided it, ISO 8601; empty: this run measures it.
    """

    state: State = "open"
    forks: int = 1
    metrics: dict[str, MetricTally] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    traceback: str = ""
    is_final: bool = False
    xfail: str | None = None
    group: str | None = None
    extra_info: dict[str, str] = field(default_factory=dict)
    unequal: str = ""
    notes: dict[str, None] = field(default_factory=dict)
    taken_over: str = ""

    def add(self, kind: MetricKind, samples: PairedSamples) -> None:
        """Add the result of one fork of a launch for a metric.

        Raises:
            ValueError: A time was 0.
        """
        if kind.unit is SECONDS:
            self.seconds += samples.measuring_seconds
        self.metrics.setdefault(kind.name, MetricTally(kind)).add(samples)

    def end_launch(self) -> None:
        """Combine each metric's forks into one number."""
        for metric in self.metrics.values():
            metric.end_launch()

    def absorb(self, launch: Tally) -> None:
        """Add the results of one launch that has ended."""
        for name, metric in launch.metrics.items():
            self.metrics.setdefault(name, MetricTally(metric.kind)).absorb(metric)
        self.seconds += launch.seconds
        self.forks = min(self.forks, launch.forks)
        self.xfail, self.group, self.extra_info = launch.xfail, launch.group, launch.extra_info
        self.notes.update(launch.notes)
        self.unequal = self.unequal or launch.unequal
        if launch.state != "open" and self.state in {"open", "new"}:
            self.end(launch.state, launch.message, launch.traceback)

    def end(self, state: State, message: str, traceback: str = "") -> None:
        """Close it without a verdict."""
        self.state, self.message, self.traceback = state, message, traceback

    @property
    def launches(self) -> int:
        """Number of its launches."""
        return max((len(metric.log_ratios) for metric in self.metrics.values()), default=0)
