"""Ratio arithmetic that returns 0 or infinity instead of raising, so that extreme figures cannot end a run."""

from __future__ import annotations

import math


def ratio_of(logarithm: float) -> float:
    """Return the ratio with this logarithm: 0 or infinity beyond the range of floats."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def interval_of(centre: float, reach: float) -> tuple[float, float]:
    """Return the interval of a ratio whose logarithm lies within `centre` ± `reach`; `reach` may be infinite."""
    return ratio_of(centre - reach), ratio_of(centre + reach)


def inverted(interval: tuple[float, float]) -> tuple[float, float]:
    """Convert an interval of head / base to one of base / head."""
    low, high = (1 / end if end else math.inf for end in interval)
    return high, low
