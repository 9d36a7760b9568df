"""Arithmetic of ratios that ends at 0 and infinity where Python's would raise: no figure may end a run."""

from __future__ import annotations

import math


def ratio_of(logarithm: float) -> float:
    """Give the ratio whose logarithm this is: 0 or infinity where a float holds nothing closer."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def interval_of(centre: float, reach: float) -> tuple[float, float]:
    """Give the interval of a ratio whose logarithm lies within `centre` ± `reach`; `reach` may be infinite."""
    return ratio_of(centre - reach), ratio_of(centre + reach)


def inverted(interval: tuple[float, float]) -> tuple[float, float]:
    """Give the interval of base / head from that of head / base."""
    low, high = (1 / end if end else math.inf for end in interval)
    return high, low
