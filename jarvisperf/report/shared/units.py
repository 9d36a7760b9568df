"""Figures as people read them: four digits and a unit."""

from __future__ import annotations

import re
import sys

from jarvisperf.measure.metrics.units import MOST_READABLE, digits, unit_of


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
    """Write a share: 0.0123 is ``1.2%``."""
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


# Characters that move the cursor or set colours (C0 and C1, which start escape sequences), end a line, or change the
# direction of the text after them (Unicode Standard Annex 9: an override makes a name look like a different one), and
# characters of no width, which make two names look equal.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


_IN_ASCII = str.maketrans({"µ": "u", "…": "...", "→": "->", "\u2013": "-", "\u2014": "-"})


def visible(text: str) -> str:
    """Escape characters that a terminal or log would act on, in the way of Python's string literals."""
    return _ACTING.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def ascii_only(text: str) -> str:
    """Write text for a terminal that shows only ASCII: ``us`` for ``µs``, and what has no such form as an escape.

    pytest would otherwise escape the whole text that it writes, line breaks included.
    """
    return text.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode("ascii")
