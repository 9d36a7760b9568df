"""Figures as people read them: four digits and a unit."""

from __future__ import annotations

import sys

from jarvisperf.measure.metrics.units import MOST_READABLE, digits, unit_of

LEAST_WITH_ONE_DECIMAL = 0.0005


def quantity(value: float, unit: str) -> str:
    """Format a metric's value, given its unit's symbol."""
    return unit_of(unit).text(value)


def short(value: float, unit: str) -> str:
    """Format a metric's value with three digits, for sentences: ``3.78 µs``."""
    return unit_of(unit).text(value, significant=3)


def rounded(value: float, unit: str) -> str:
    """Write a round value without trailing zeros: ``10 µs``."""
    number, _, name = quantity(value, unit).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {name}"


def times(ratio: float) -> str:
    """Write a factor: ``12.34x``."""
    return f"{ratio:,.0f}x" if 1_000 <= ratio < MOST_READABLE else f"{digits(ratio)}x"


def percent(share: float) -> str:
    """Write a share: 0.0123 is ``1.2%``. A small one keeps a digit: only 0 is ``0.0%``."""
    if 0 < abs(share) < LEAST_WITH_ONE_DECIMAL:
        return f"{share * 100:.1g}%"
    if abs(share) < 10:
        return f"{share * 100:.1f}%"
    return f"{share * 100:,.0f}%" if abs(share) < MOST_READABLE else f"{digits(share * 100)}%"


def ratio(value: float) -> str:
    """Write a ratio head / base: ``1.234``, ``1.2e+04``, or ``inf`` if it is unbounded."""
    if value >= sys.float_info.max:
        return "inf"
    return f"{value:.3f}" if abs(value) < 1_000 else f"{value:.3g}"


def interval(ends: tuple[float, float]) -> str:
    """Write the interval of a ratio: ``0.990 to 1.010``."""
    return f"{ratio(ends[0])} to {ratio(ends[1])}"
