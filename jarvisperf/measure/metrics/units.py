"""Units: how values are formatted, and how absolute limits are parsed."""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple

from jarvisperf.escaping import visible

LEAST_READABLE, MOST_READABLE = 1e-9, 1e15
WHOLE_FROM = 100  # counts from here on are whole numbers; the decimals of fewer, such as 0.93, would be missed

_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(\S*)\s*")


class Unit(NamedTuple):
    """The unit of a metric's values.

    Attributes:
        symbol: The symbol in ``report.json`` and stored runs, like ``s`` or ``B``.
        plural: The unit as a word, like ``seconds``; letters, digits and underscores only.
        forms: The allowed forms of a limit, for messages.
        shown: The multiples to format values in, with their sizes; the largest first.
        read: The multiples to parse limits in, with their sizes; ``""``: a plain number.
        better: The word for a smaller value, like ``faster``.
        worse: The word for a larger value.
        more_is_better: Whether a larger value is an improvement.
        reads_zero: Whether a limit may be 0.
        has_fractions: Whether values in the smallest multiple always have decimals. Otherwise, only those below 100
            that are not whole have some.
        log_base: The base of a logarithmic axis.
    """

    symbol: str
    plural: str
    forms: str
    shown: tuple[tuple[float, str], ...]
    read: dict[str, float]
    better: str = "fewer"
    worse: str = "more"
    more_is_better: bool = False
    reads_zero: bool = False
    has_fractions: bool = True
    log_base: int = 10

    @property
    def effects(self) -> tuple[Literal["good", "bad"], Literal["good", "bad"]]:
        """Whether a smaller value is good or bad, and a larger one."""
        return ("bad", "good") if self.more_is_better else ("good", "bad")

    def text(self, value: float, significant: int = 4) -> str:
        """Format a value: ``12.34 µs``.

        Args:
            value: The value, in the unit.
            significant: Number of significant digits; the whole part is never rounded.
        """
        scale, unit = next(((scale, unit) for scale, unit in self.shown if abs(value) >= scale), self.shown[-1])
        is_whole = scale == 1 and not self.has_fractions and (abs(value) >= WHOLE_FROM or float(value).is_integer())
        return f"{value:,.0f} {unit}" if is_whole else f"{digits(value / scale, significant)} {unit}"

    def parse(self, text: object) -> float:
        """Read an absolute limit.

        Args:
            text: A number with a unit, like ``"2ms"``, or a plain number if the unit allows it.

        Raises:
            ValueError: It is not a limit in this unit.
        """
        plain = isinstance(text, int | float) and not isinstance(text, bool)
        try:
            value, unit = split_number(f"{text:.17g}" if plain else text)
        except ValueError:
            value, unit = math.nan, ""
        limit = value * self.read.get(unit, math.nan)
        if not (limit >= 0 if self.reads_zero else limit > 0) or math.isinf(limit):
            raise ValueError(f"{text!r} is not allowed; give {self.forms}")
        return limit


SECONDS = Unit(
    symbol="s",
    plural="seconds",
    better="faster",
    worse="slower",
    forms="a time like '2ms' (s, ms, us, ns)",
    shown=((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    read={"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9},
)
BYTES = Unit(
    symbol="B",
    plural="bytes",
    better="smaller",
    worse="larger",
    forms="a size like '50MB' (B, KB, MB, GB, KiB, MiB, GiB)",
    shown=((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    read={"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    has_fractions=False,
    log_base=2,
)

SCORE = Unit(
    symbol="score",
    plural="score",
    better="lower",
    worse="higher",
    more_is_better=True,
    forms="a number from 0 to 1",
    shown=((1.0, "of 1"),),
    read={"": 1.0},
    reads_zero=True,
)


def count_of(things: str) -> Unit:
    """Return the unit of a count.

    Args:
        things: What is counted, in the plural, like ``blocks``.
    """
    word = re.sub(r"\W+", "_", things.strip(), flags=re.ASCII) or "units"
    return Unit(
        symbol=things,
        plural=word,
        forms=f"a number like 1000 or '1000 {things}'",
        shown=((1e9, f"G {things}"), (1e6, f"M {things}"), (1.0, things)),
        read={"": 1.0, things: 1.0},
        reads_zero=True,
        has_fractions=False,
    )


def unit_of(symbol: str) -> Unit:
    """Return the unit with a symbol; an unknown symbol becomes the unit of a count."""
    return _BUILT_IN.get(symbol) or count_of(visible(symbol))


def digits(value: float, significant: int = 4) -> str:
    """Format a number with thousands separators; with an exponent if it is too long.

    Args:
        value: The number.
        significant: Number of significant digits; the whole part is never rounded.
    """
    if value == 0 or not LEAST_READABLE <= abs(value) < MOST_READABLE:
        return f"{value:.{significant}g}"
    decimals = max(0, significant - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def split_number(text: object) -> tuple[float, str]:
    """Split text into its number and what follows.

    Raises:
        ValueError: It does not begin with a number.
    """
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a number with a unit")
    return float(match[1]), match[2]


_BUILT_IN = {unit.symbol: unit for unit in (SECONDS, BYTES, SCORE)}
