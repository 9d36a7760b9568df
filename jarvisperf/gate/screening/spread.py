"""Estimates how far apart two runs of the same code are; pure arithmetic on logarithms."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class Spread(msgspec.Struct, frozen=True):
    """The run-to-run standard deviation of a figure's logarithm.

    Attributes:
        deviation: Standard deviation; 0.01 is about 1 %.
        freedom: The estimate's degrees of freedom.
    """

    deviation: float
    freedom: float


def successive_spread(logarithms: Sequence[float]) -> Spread:
    """Estimate the spread from the differences between neighbouring runs.

    A baseline's code changes over time. A change shifts all later runs but only one difference, so the estimate sees
    the noise, not the history. This is half the mean square successive difference (von Neumann, Kent, Bellinson and
    Hart, "The Mean Square Successive Difference", 1941); for independent runs its variance is that of a chi-square
    with 2 (n - 1)^2 / (3 n - 4) degrees of freedom.

    Args:
        logarithms: One figure's logarithms in two or more runs, in chronological order.

    Raises:
        ValueError: There are fewer than two.
    """
    count = len(logarithms)
    if count < 2:
        raise ValueError(f"{count} runs have no spread: pass two or more")
    squares = [(later - earlier) ** 2 for earlier, later in itertools.pairwise(logarithms)]
    return Spread(
        deviation=math.sqrt(statistics.fmean(squares) / 2),
        freedom=2 * (count - 1) ** 2 / (3 * count - 4),
    )
