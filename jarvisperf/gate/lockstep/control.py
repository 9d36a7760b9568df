"""The control: runs the same code on both arms within the run; if that shows a difference, the run is not trusted."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.verdict.bounded import ratio_of
from jarvisperf.gate.verdict.distributions import normal_quantile, t_probability, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_EXTRA_TIME = 0.15
FEWEST_LAUNCHES = 2  # ordinary launches a benchmark needs before their spread is known
LEAST_SHARE = 1e-12  # no single difference counts for more than 7 standard deviations
CONSEQUENCE = (
    "so its verdicts on durations are inconclusive, except for regressions that a second set of launches confirmed"
)
MOST_FREEDOM = 1e6  # indistinguishable from a normal distribution
ERROR = 0.001  # the probability that the control distrusts a sound run
LAUNCH_COST_IN_BENCHMARKS = 2  # starting a pair takes about as long as measuring this many


class ControlState(msgspec.Struct, frozen=True):
    """What a control has found, as plain data.

    Attributes:
        pairs: For each benchmark of each control launch: log(same / base), the launch's number, and the log ratios of
            the benchmark's ordinary launches.
        launches: Number of control launches that measured anything.
        compared: Number of batches of ordinary launches.
        failures: Why benchmarks could not be measured.
    """

    pairs: list[tuple[float, int, list[float]]]
    launches: int
    compared: int
    failures: list[str]


class Control:
    """Collects how far identical code differed, in standard deviations of each benchmark's own launches."""

    def __init__(self) -> None:
        self._pairs: list[tuple[float, Sequence[float]]] = []
        self._control_launches: list[object] = []  # one per pair
        self._launches = 0
        self._failures: list[str] = []  # why a benchmark could not be measured, in order
        self._compared = 0
        self._next = 0

    @classmethod
    def continued(cls, state: ControlState) -> Control:
        """Return a control that continues where that of an interrupted run ended."""
        control = cls()
        for log_ratio, launch, own_launches in state.pairs:
            control.add(log_ratio, own_launches, launch=("earlier", launch))
        control._launches, control._compared = state.launches, state.compared
        control._failures = list(state.failures)
        return control

    def state(self) -> ControlState:
        """Return what it has found so far."""
        numbers = {launch: number for number, launch in enumerate(dict.fromkeys(self._control_launches))}
        return ControlState(
            [
                (log_ratio, numbers[launch], list(own))
                for (log_ratio, own), launch in zip(self._pairs, self._control_launches, strict=True)
            ],
            self._launches,
            self._compared,
            list(self._failures),
        )

    @property
    def has_run(self) -> bool:
        """Whether any control launch has measured anything."""
        return self._launches > 0

    def affordable_share(
        self, launch_seconds: float, control_seconds: float, benchmarks: int, lanes: int, to_come: int = 0
    ) -> int:
        """Return how many benchmarks the next control launch may measure; 0 until more time has been spent.

        Args:
            launch_seconds: Time spent on launches so far.
            control_seconds: Time spent on the control so far.
            benchmarks: Number of benchmarks.
            lanes: Number of pairs that run at a time.
            to_come: Number of batches in `launch_seconds` that have not run yet, if it includes estimated time.
        """
        allowed = MOST_EXTRA_TIME * launch_seconds - control_seconds
        per_launch = launch_seconds / max(1, self._compared + to_come)
        per_benchmark = per_launch / (benchmarks + LAUNCH_COST_IN_BENCHMARKS)
        if per_benchmark <= 0:
            return 0
        return max(0, min(benchmarks, math.floor(lanes * (allowed / per_benchmark - LAUNCH_COST_IN_BENCHMARKS))))

    def note_launch(self) -> None:
        """Count a batch of launches of the comparison itself."""
        self._compared += 1

    def rotate(self, names: Sequence[str], share: int) -> list[str]:
        """Return the next `share` names, starting over at the end."""
        if not names or share < 1:
            return []
        start = self._next % len(names)
        self._next += share
        return [names[(start + step) % len(names)] for step in range(min(share, len(names)))]

    def ran(self) -> None:
        """Count a control launch that has measured something."""
        self._launches += 1

    def failed(self, name: str, reason: str) -> None:
        """Note a benchmark that a control launch could not measure, and why."""
        self._failures.append(f"{name}: {reason}")

    def add(self, log_ratio: float, own_launches: Sequence[float], launch: object = None) -> None:
        """Add one benchmark's control.

        Args:
            log_ratio: log(same / base) of the control launch.
            own_launches: log(head / base) of its ordinary launches, in order; their spread is the yardstick.
            launch: Identifies the control launch; None: no other benchmark was measured in it.
        """
        self._pairs.append((log_ratio, own_launches))
        self._control_launches.append(object() if launch is None else launch)

    @property
    def trusted(self) -> bool:
        """Whether identical code looked identical; False also if no control could be measured.

        Benchmarks in one launch share random influences, such as where code and data lie in memory, which matters most
        in a large suite of similar calls. The ordinary launches show how much they share. The sum of the scores is
        compared with a t distribution with Satterthwaite's degrees of freedom (1946).
        """
        if self._failures and not self.has_run:
            return False
        scores = self._scores()
        if not scores:
            return True
        sizes = Counter(launch for launch, _ in scores).values()
        shared, launches = self._shared_share()
        by_themselves = float(sum(sizes))
        together = shared * sum(size * (size - 1) for size in sizes)
        variance = by_themselves + together
        freedom = (launches - 1) * (variance / together) ** 2 if together else MOST_FREEDOM
        leaning = abs(math.fsum(score for _, score in scores)) / math.sqrt(variance)
        return leaning <= -t_quantile(min(freedom, MOST_FREEDOM), ERROR / 2)

    def _shared_share(self) -> tuple[float, int]:
        """Estimate the correlation of benchmarks within a launch; also return the number of launches used.

        It is the variance of a launch's mean standardized deviation in excess of what the same number of independent
        deviations would have.
        """
        deviations: dict[int, list[float]] = {}
        for _, own in self._pairs:
            spread = statistics.stdev(own) if len(own) >= FEWEST_LAUNCHES else 0.0
            centre = statistics.fmean(own) if spread else 0.0
            for launch, value in enumerate(own if spread else ()):
                # The spread of few launches may be small by chance; this makes each deviation's variance 1.
                scale = math.sqrt(len(own) / (len(own) - 1))
                deviation = min(max((value - centre) / spread, -len(own)), len(own))  # exceeded only by rounding
                deviations.setdefault(launch, []).append(scale * deviation)
        excess = [statistics.fmean(found) ** 2 - 1 / len(found) for found in deviations.values()]
        return (min(1.0, max(0.0, statistics.fmean(excess))), len(excess)) if excess else (0.0, 0)

    def describe(self) -> str:
        """Describe in one line what the control found."""
        if self._failures and not self.has_run:
            return f"identical code could not be measured as a control ({self._failures[0]}), {CONSEQUENCE}"
        if not self._pairs:
            return "no control was run"
        lost = f", {len(self._failures)} more failed" if self._failures else ""
        middle = ratio_of(statistics.median(value for value, _ in self._pairs)) - 1
        result = f"identical code differed by {middle:+.1%} in the median case ({len(self._pairs)} controls{lost})"
        return result if self.trusted else f"{result}, {CONSEQUENCE}"

    def _scores(self) -> list[tuple[object, float]]:
        """Standardize each difference by its benchmark's spread, as normal scores of a t distribution, by launch."""
        scores = []
        for launch, (value, own) in zip(self._control_launches, self._pairs, strict=True):
            if len(own) < FEWEST_LAUNCHES:
                continue
            spread = statistics.stdev(own)
            # If the launches agree exactly, any difference is certain, and equality is no reason for doubt.
            deviations = value / spread if spread else math.copysign(math.inf, value) if value else 0.0
            share = max(t_probability(len(own) - 1, -abs(deviations)), LEAST_SHARE)
            scores.append((launch, math.copysign(normal_quantile(share), deviations)))
        return scores
