"""The data model of a proof: every comparison with its known answer, and the conclusions."""

from __future__ import annotations

import msgspec

from jarvisperf.gate.verdict.decide import FourVerdicts  # msgspec reads the annotations

SCHEMA = "jarvisperf.proof/1"


class KnownComparison(msgspec.Struct, frozen=True):
    """One comparison with a known answer.

    Attributes:
        id: The benchmark.
        round: The number of the round, from 0.
        injected: The injected slowdown, as a share; 0: identical code.
        verdict: The gate's verdict; null if there was none.
        ratio: What the gate measured.
        interval: Its interval.
        sure_interval: The wider interval that is valid for the whole suite.
        launches: Number of launches.
        spread: The standard deviation of the launches' log ratios; null with fewer than two.
        error: Why there was no verdict; null if there was one.
    """

    id: str
    round: int
    injected: float
    verdict: FourVerdicts | None = None
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    sure_interval: tuple[float, float] | None = None
    launches: int = 0
    spread: float | None = None
    error: str | None = None


class Detection(msgspec.Struct, frozen=True):
    """How often slowdowns of one size were found.

    Attributes:
        times_threshold: The size as a multiple of the benchmarks' thresholds.
        comparisons: How many were made.
        found: How many were reported as regressed.
        at_least: The lower bound of the true share, with 95 % confidence.
    """

    times_threshold: float
    comparisons: int
    found: int
    at_least: float


class ProvenBenchmark(msgspec.Struct, frozen=True):
    """What the proof says about one benchmark.

    Attributes:
        id: The benchmark.
        threshold: Its threshold, as a share.
        budget_seconds: Its budget.
        noticeable: The smallest slowdown that the gate would find in 95 of 100 comparisons; null if unknown.
        needed: The smallest threshold at which identical code is found unchanged in 95 of 100; null if unknown.
        to_fix: What makes it noisy or impossible to measure.
    """

    id: str
    threshold: float
    budget_seconds: float
    noticeable: float | None
    needed: float | None
    to_fix: tuple[str, ...] = ()


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof.

    Attributes:
        created: When it started, ISO 8601 in UTC.
        seconds: How long it took.
        machine: The machine, in one line.
        commit: The commit that was compared with itself.
        rounds: The number of rounds; each compares several benchmarks, as an ordinary run does.
        identical: Number of comparisons of identical code with a verdict.
        false_alarms: How many of them were regressed or improved.
        alarms_at_most: The upper bound of the true share of false alarms, with 95 % confidence.
        undecided: How many of them were inconclusive.
        detections: How often slowdowns were found, by size.
        threshold: The recommended threshold, leaving out benchmarks to fix unless all are; null if no usual one fits.
        budget_seconds: The recommended budget for the thresholds in use, likewise; null if none of the usual ones fits.
        benchmarks: Every benchmark that was measured.
        comparisons: Every comparison.
        interrupted: Whether it was ended early.
        schema: The version of this layout.
    """

    created: str
    seconds: float
    machine: str
    commit: str
    rounds: int
    identical: int
    false_alarms: int
    alarms_at_most: float
    undecided: int
    detections: tuple[Detection, ...]
    threshold: float | None
    budget_seconds: float | None
    benchmarks: tuple[ProvenBenchmark, ...]
    comparisons: tuple[KnownComparison, ...]
    interrupted: bool = False
    schema: str = SCHEMA

    @property
    def is_good(self) -> bool:
        """Whether something was compared without a false alarm."""
        return self.identical > 0 and self.false_alarms == 0
