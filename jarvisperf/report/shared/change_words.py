"""A change in everyday words: ``9.4% slower (7.7 to 11.1%)``, ``1.7x faster``.

A change is always stated as seen from base: half the time is ``2.0x faster``, a tenth less time ``10% faster``. So the
percentages can be compared with a threshold, which is a share of base as well.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from jarvisperf.measure.metrics.units import unit_of

FACTOR_FROM = 1.5  # changes of this factor and above are written as factors
MOST_DECIMALS = 2
WHOLE_FROM = 9.95  # from here on, whole numbers are precise enough
NO_DECIMALS_FROM = 1_000
POWERS_FROM = 1e9  # larger changes are written as powers of ten
FEWEST_STEPS = 2  # an interval spans at least this many units of the last decimal, so that its ends differ
UNBOUNDED = sys.float_info.max  # stands for infinity in JSON


class ChangeWords(NamedTuple):
    """A change in words.

    Attributes:
        change: Size and direction: ``9.4% slower``.
        interval: The confidence interval, for sentences: ``7.7 to 11.1%``, or ``0.3% faster to 1.2% slower`` if the
            direction is open; empty if there is none.
        span: The same for narrow columns: ``7.7 to 11.1%``, or ``-0.3 to +1.2%``.
    """

    change: str
    interval: str = ""
    span: str = ""

    @property
    def whole(self) -> str:
        """The change with its interval: ``9.4% slower (7.7 to 11.1%)``."""
        return f"{self.change} ({self.interval})" if self.interval else self.change


def change_words(ratio: float, unit: str, interval: tuple[float, float] | None = None) -> ChangeWords:
    """Describe a ratio.

    Args:
        ratio: head / base, at least 0; the largest float stands for a ratio without bound.
        unit: The symbol of the metric's unit, which knows its words: slower and faster, larger and smaller, more and
            fewer.
        interval: The ratio's confidence interval.
    """
    is_factor = _factor(ratio) >= FACTOR_FROM
    decimals = _decimals(ratio, interval, is_factor=is_factor)
    change = _end(ratio, unit, decimals, is_factor=is_factor)
    if interval is None:
        return ChangeWords(change)
    low, high = interval
    if low < 1 < high:
        first = _end(low, unit, decimals, is_factor=is_factor)
        last = "unbounded" if high >= UNBOUNDED else _end(high, unit, decimals, is_factor=is_factor)
        return ChangeWords(change, f"{first} to {last}", _signed(low, high, decimals, is_factor=is_factor))
    small, large = sorted(interval, key=_factor)
    least, most = (_size(end, decimals, is_factor=is_factor) for end in (small, large))
    if math.isinf(_amount(small, is_factor=is_factor)):
        return ChangeWords(change)  # "infinitely faster" says it all
    if math.isinf(_amount(large, is_factor=is_factor)):
        words = f"at least {least}"
    elif least == most:
        words = least
    else:
        words = f"{least if is_factor else least.removesuffix('%')} to {most}"
    return ChangeWords(change, words, words)


def _factor(ratio: float) -> float:
    """Return by which factor the larger side exceeds the smaller one."""
    if ratio >= 1:
        return math.inf if ratio >= UNBOUNDED else ratio
    return 1 / ratio if ratio > 1 / UNBOUNDED else math.inf


def _amount(ratio: float, *, is_factor: bool) -> float:
    """Return the size of a change, as a factor or in per cent of base."""
    return _factor(ratio) if is_factor or ratio >= UNBOUNDED else abs(ratio - 1) * 100


def _decimals(ratio: float, interval: tuple[float, float] | None, *, is_factor: bool) -> int:
    amount = _amount(ratio, is_factor=is_factor)
    decimals = 1 if amount < WHOLE_FROM else 0
    if interval is not None and interval[0] < interval[1] and amount < NO_DECIMALS_FROM:
        low, high = (_amount(end, is_factor=is_factor) for end in interval)
        width = low + high if interval[0] < 1 < interval[1] else abs(high - low)
        while decimals < MOST_DECIMALS and width < FEWEST_STEPS * 10.0**-decimals:
            decimals += 1
    return decimals


def _end(ratio: float, unit: str, decimals: int, *, is_factor: bool) -> str:
    """Write one ratio with its direction."""
    if ratio == 1:
        return "no change"
    words = unit_of(unit)
    return f"{_size(ratio, decimals, is_factor=is_factor)} {words.worse if ratio > 1 else words.better}"


def _size(ratio: float, decimals: int, *, is_factor: bool) -> str:
    amount = _amount(ratio, is_factor=is_factor)
    sign = "x" if is_factor else "%"
    if math.isinf(amount):
        return "infinitely"
    if not is_factor and 0 < amount < 0.5 * 10.0**-decimals:
        return f"<{10.0**-decimals:.{decimals}f}%"  # "0.0% slower" would be a contradiction
    return f"{amount:,.{decimals}f}{sign}" if amount < POWERS_FROM else f"{amount:.2g}{sign}"


def _signed(low: float, high: float, decimals: int, *, is_factor: bool) -> str:
    """Write an interval around 1 in per cent of base, with signs."""
    places = 0 if is_factor else decimals
    lower = f"-{_size(low, places, is_factor=False)}"
    if high >= UNBOUNDED:
        return f"{lower} to unbounded"
    return f"{lower.removesuffix('%')} to +{_size(high, places, is_factor=False)}"
