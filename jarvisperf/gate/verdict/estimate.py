"""Estimates one number per launch: a robust centre of the paired log ratios."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BELOW_RESOLUTION = "the target is below the clock's resolution"
TRIMMED_SHARE = 0.35  # share of the ratios left out on each side


def log_ratio(base: Sequence[float], head: Sequence[float]) -> float:
    """Estimate log(head / base) from values that were taken in pairs.

    The paired log ratios are heavy-tailed (one slice is interrupted, the other is not), so the middle 30 % are
    averaged: nearly as robust as the median, and smoother when values are few or tied. docs/lab/lockstep.md
    compares this with the median, Hodges-Lehmann, and ratios of quantiles.

    Args:
        base: Positive finite values, one or more.
        head: The same number of values, in the same order.

    Raises:
        ValueError: There are no pairs, or a value is not positive and finite.
    """
    if not base or len(base) != len(head):
        raise ValueError(f"values must come in pairs: {len(base)} of base, {len(head)} of head")
    for value in (*base, *head):
        if not 0 < value < math.inf:
            why = "the clock ran backwards or returns no time" if value else BELOW_RESOLUTION
            raise ValueError(f"a value of {value:g} has no ratio: {why}")
    # Subtract logarithms, because a quotient of very unequal values would be 0 or infinite.
    ratios = sorted(math.log(after) - math.log(before) for before, after in zip(base, head, strict=True))
    return trimmed_mean(ratios, TRIMMED_SHARE)


def trimmed_mean(ordered: Sequence[float], share: float) -> float:
    """Average sorted values, leaving out the smallest and the largest.

    Values at the edges have fractional weights, so the result changes smoothly with the share.

    Args:
        ordered: Values in ascending order, one or more.
        share: The share to leave out on each side, below 0.5.
    """
    count = len(ordered)
    left = count * share
    weights = [max(0.0, min(index + 1, count - left) - max(index, left)) for index in range(count)]
    return math.fsum(weight * value for weight, value in zip(weights, ordered, strict=True)) / math.fsum(weights)
