"""The control: the same code on both arms, inside the run. Where that shows a difference, the run is not trusted."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from jarvisperf.gate.bounded import ratio_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_EXTRA_TIME = 0.15
FEWEST_LAUNCHES = 2  # of its own that a benchmark must have, for their spread to be known
LEAST_SHARE = 1e-12  # no single difference counts for more than 7 standard deviations
CONSEQUENCE = (
    "so what it found of time and startup is inconclusive, except for regressions that a second set of launches "
    "confirmed"
)
ERROR = 0.001  # the chance that the control distrusts a sound run
LAUNCH_COST_IN_BENCHMARKS = 2  # starting a pair takes about as long as measuring so many


class Control:
    """Gathers how far identical code differed, in standard deviations of each benchmark's own launches."""

    def __init__(self) -> None:
        self._pairs: list[tuple[float, Sequence[float]]] = []
        self._launches = 0
        self._compared = 0
        self._next = 0

    @property
    def has_run(self) -> bool:
        """Whether there was a control at all."""
        return self._launches > 0

    def affordable_share(self, launch_seconds: float, control_seconds: float, benchmarks: int, lanes: int) -> int:
        """Tell how many benchmarks the next control launch may measure; 0: wait until more time was spent.

        Args:
            launch_seconds: Time spent on launches so far.
            control_seconds: Time spent on the control so far.
            benchmarks: How many there are.
            lanes: How many pairs run at a time.
        """
        allowed = MOST_EXTRA_TIME * launch_seconds - control_seconds
        per_launch = launch_seconds / max(1, self._compared)
        per_benchmark = per_launch / (benchmarks + LAUNCH_COST_IN_BENCHMARKS)
        if per_benchmark <= 0:
            return 0
        return max(0, min(benchmarks, math.floor(lanes * (allowed / per_benchmark - LAUNCH_COST_IN_BENCHMARKS))))

    def note_launch(self) -> None:
        """Count a batch of launches of the comparison itself."""
        self._compared += 1

    def rotate(self, names: Sequence[str], share: int) -> list[str]:
        """Give the next `share` names, going round."""
        if not names or share < 1:
            return []
        start = self._next % len(names)
        self._next += share
        return [names[(start + step) % len(names)] for step in range(min(share, len(names)))]

    def ran(self) -> None:
        """Count a control launch."""
        self._launches += 1

    def add(self, log_ratio: float, own_launches: Sequence[float]) -> None:
        """Add one benchmark's control.

        Args:
            log_ratio: log(same / base) of the control launch.
            own_launches: log(head / base) of its ordinary launches: their spread is the measure.
        """
        self._pairs.append((log_ratio, own_launches))

    @property
    def trusted(self) -> bool:
        """Whether identical code looked identical."""
        scores = self._scores()
        if not scores:
            return True
        from scipy.special import ndtri

        together = abs(math.fsum(scores)) / math.sqrt(len(scores))
        return together <= -float(ndtri(ERROR / 2))

    def describe(self) -> str:
        """Say in one line what the control found."""
        if not self._pairs:
            return "no control was run"
        middle = ratio_of(statistics.median(value for value, _ in self._pairs)) - 1
        said = f"identical code differed by {middle:+.1%} in the middle case ({len(self._pairs)} controls)"
        return said if self.trusted else f"{said}, {CONSEQUENCE}"

    def _scores(self) -> list[float]:
        """Standardize each difference by its benchmark's spread, as normal scores of a t distribution."""
        from scipy.special import ndtri, stdtr

        scores = []
        for value, own in self._pairs:
            if len(own) < FEWEST_LAUNCHES:
                continue
            spread = statistics.stdev(own)
            # Launches that agree exactly leave no room for a difference, and none for doubt where there is none.
            deviations = value / spread if spread else math.copysign(math.inf, value) if value else 0.0
            share = float(stdtr(len(own) - 1, deviations))
            scores.append(float(ndtri(min(max(share, LEAST_SHARE), 1 - LEAST_SHARE))))
        return scores
