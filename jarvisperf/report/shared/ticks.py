"""Tick values of axes: round numbers, at least two on any axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 3
STEPS_IN_A_DECADE: tuple[tuple[float, ...], ...] = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
NICE_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
LARGEST_DOUBLING = 1_000  # no quantity of ours spans more powers of two


def linear_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values between `low` and `high`, at equal distances.

    Args:
        low: The axis begins here.
        high: The axis ends here, above `low`.
        most: The largest number of ticks, 2 or more.
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 0.0
    for step in (power * nice for nice in (*NICE_STEPS, 20.0)):
        if not step:
            break
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [number * step for number in range(first, last + 1)]
    return [low, high]


def log_ticks(low: float, high: float, most: int = 5, base: int = 10) -> list[float]:
    """Return round values between two positive ones for a logarithmic axis, at least two.

    Powers of the base if there are enough of them; otherwise values between them; otherwise, if the ends are close,
    values at equal distances.

    Args:
        low: The axis begins here; above 0.
        high: The axis ends here, above `low`.
        most: The largest number of ticks, 2 or more.
        base: 10, or 2 for sizes in memory.
    """
    for steps in STEPS_IN_A_DECADE if base == 10 else ((1,),):
        found = _powers(low, high, steps, base)
        if len(found) >= FEWEST:
            return _thinned(found, most)
    return linear_ticks(low, high, most)


def _powers(low: float, high: float, steps: Sequence[float], base: int) -> list[float]:
    first, last = math.floor(math.log(low, base)) - 1, math.ceil(math.log(high, base)) + 1
    values = (step * float(base) ** power for power in range(first, last + 1) for step in steps)
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def _thinned(values: list[float], most: int) -> list[float]:
    return values[:: math.ceil(len(values) / most)]
