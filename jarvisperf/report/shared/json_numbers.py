"""Numbers that JSON can hold: it has no infinity, so the largest float stands for a ratio without an upper bound."""

from __future__ import annotations

import sys

UNBOUNDED = sys.float_info.max


def in_json(ratio: float) -> float:
    """Give a ratio as a report holds it."""
    return min(ratio, UNBOUNDED)


def interval_in_json(interval: tuple[float, float]) -> tuple[float, float]:
    """Give an interval of a ratio as a report holds it."""
    return in_json(interval[0]), in_json(interval[1])
