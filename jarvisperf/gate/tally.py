"""What the launches of a lockstep run brought, benchmark by benchmark."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jarvisperf.gate.estimate import log_ratio

if TYPE_CHECKING:
    from jarvisperf.gate.slices import PairedSamples
    from jarvisperf.gate.verdict import Judgement

State = Literal["open", "decided", "new", "skipped", "error"]

SMALLEST_BYTES = 4096.0  # a page: less is bookkeeping of the allocator, and 0 has no ratio
KEPT_SAMPLES = 4_000


@dataclass(slots=True)
class MetricTally:
    """One metric of one benchmark.

    Attributes:
        unit: ``s`` or ``B``.
        log_ratios: One number per launch.
        base: Samples of the base, in the unit, per iteration.
        head: The same of the head.
        iterations: Calls per sample in the last launch.
        method: The clock of the last launch.
        judgement: The verdict so far; None before the first look.
    """

    unit: Literal["s", "B"]
    log_ratios: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    iterations: int = 1
    method: str = ""
    judgement: Judgement | None = None

    def add(self, samples: PairedSamples) -> None:
        """Add what one launch brought.

        Raises:
            ValueError: A time was 0.
        """
        base, head = samples.base, samples.head
        if self.unit == "B":
            base = tuple(max(value, SMALLEST_BYTES) for value in base)
            head = tuple(max(value, SMALLEST_BYTES) for value in head)
        self.log_ratios.append(log_ratio(base, head))
        self.iterations = samples.iterations
        self.method = samples.method
        for kept, values in ((self.base, samples.base), (self.head, samples.head)):
            kept.extend(values[: max(0, KEPT_SAMPLES - len(kept))])


@dataclass(slots=True)
class Tally:
    """One benchmark.

    Attributes:
        state: ``open`` while more launches are wanted.
        metrics: What was measured, by the metric's name.
        seconds: Time that its samples took, both arms together.
        message: Why it has no verdict, in one line.
        traceback: The failure as pytest shows it.
        group: The group that the test named while it ran.
        extra_info: The author's notes.
    """

    state: State = "open"
    metrics: dict[str, MetricTally] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    traceback: str = ""
    group: str | None = None
    extra_info: dict[str, str] = field(default_factory=dict)

    def add(self, metric: str, samples: PairedSamples) -> None:
        """Add what one launch brought for a metric.

        Raises:
            ValueError: A time was 0.
        """
        unit: Literal["s", "B"] = "B" if metric == "memory" else "s"
        if unit == "s":
            self.seconds += samples.iterations * (math.fsum(samples.base) + math.fsum(samples.head))
        self.metrics.setdefault(metric, MetricTally(unit)).add(samples)

    def end(self, state: State, message: str, traceback: str = "") -> None:
        """Close it without a verdict."""
        self.state, self.message, self.traceback = state, message, traceback

    @property
    def launches(self) -> int:
        """How many launches it has."""
        return max((len(metric.log_ratios) for metric in self.metrics.values()), default=0)
