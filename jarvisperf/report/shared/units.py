"""Figures as people read them: four digits and a unit."""

from __future__ import annotations

import math
import re
import sys

LEAST_READABLE, MOST_READABLE = 1e-9, 1e15

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def digits(value: float) -> str:
    """Write a number with four significant digits and thousands apart; an exponent only where it is beyond reading."""
    if value == 0 or not LEAST_READABLE <= abs(value) < MOST_READABLE:
        return f"{value:.4g}"
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def seconds(value: float) -> str:
    """Write seconds: ``12.34 µs``."""
    scale, unit = next(((scale, unit) for scale, unit in _SECONDS if abs(value) >= scale), _SECONDS[-1])
    return f"{digits(value / scale)} {unit}"


def size(value: float) -> str:
    """Write bytes: ``12.34 MiB``."""
    scale, unit = next(((scale, unit) for scale, unit in _BYTES if abs(value) >= scale), _BYTES[-1])
    return f"{value:,.0f} B" if unit == "B" else f"{digits(value / scale)} {unit}"


def quantity(value: float, unit: str) -> str:
    """Write a metric's value in its unit, ``s`` or ``B``."""
    return seconds(value) if unit == "s" else size(value)


def rounded(value: float, unit: str) -> str:
    """Write a round value without the zeros behind its point: ``10 µs``."""
    number, _, name = quantity(value, unit).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {name}"


def times(ratio: float) -> str:
    """Write how many times: ``12.34x``."""
    return f"{ratio:,.0f}x" if 1_000 <= ratio < MOST_READABLE else f"{digits(ratio)}x"


def percent(share: float) -> str:
    """Write a share: 0.0123 is ``1.2%``."""
    if abs(share) < 10:
        return f"{share * 100:.1f}%"
    return f"{share * 100:,.0f}%" if abs(share) < MOST_READABLE else f"{digits(share * 100)}%"


def ratio(value: float) -> str:
    """Write a ratio of head and base: ``1.234``, ``1.2e+04``, or ``inf`` where nothing bounds it."""
    if value >= sys.float_info.max:
        return "inf"
    return f"{value:.3f}" if abs(value) < 1_000 else f"{value:.3g}"


def interval(ends: tuple[float, float]) -> str:
    """Write the interval of a ratio: ``0.990 to 1.010``."""
    return f"{ratio(ends[0])} to {ratio(ends[1])}"


# Characters that move the cursor or set colours (C0 and C1, which start escape sequences), end a line, or turn the
# direction of the text after them (Unicode Standard Annex 9: a name with an override reads as a different one).
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Escape characters that a terminal or log would act on: a backslash and their name or number, as in Python."""
    return _ACTING.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
