"""Checks of what callers give, each with a message that names the value and what is allowed."""

from __future__ import annotations

from typing import Any, Final

_NUMBER: Final = (int, float)  # made once: this is checked at every cached query


def whole_number(name: str, value: int) -> int:
    """A whole number of at least 1.

    Raises:
        TypeError: It is something else.
        ValueError: It is below 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}: give a whole number")
    if value < 1:
        raise ValueError(f"{name} is {_short(value)}: give at least 1")
    return value


def number_between(name: str, value: float | None, least: float, most: float) -> float | None:
    """A number within limits, or None.

    Raises:
        TypeError: It is something else.
        ValueError: It is outside.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}: give a number from {least:g} to {most:g}")
    if not least <= value <= most:
        raise ValueError(f"{name} is {_short(value)}: give a number from {least:g} to {most:g}")
    return float(value)


def ttl_seconds(cache_ttl: float) -> float:
    """A number of seconds, 0 or more.

    Raises:
        TypeError: It is something else.
        ValueError: It is negative or not a number.
    """
    if isinstance(cache_ttl, bool) or not isinstance(cache_ttl, _NUMBER):
        raise TypeError(f"cache_ttl is {cache_ttl!r}: give a number of seconds")
    if not cache_ttl >= 0:
        raise ValueError(f"cache_ttl is {_short(cache_ttl)}: give 0 or more seconds")
    return cache_ttl


def _short(value: Any) -> str:
    # Python writes no whole numbers of more than 4,300 digits.
    return f"{hex(value)[:12]}…" if isinstance(value, int) and value.bit_length() > 1000 else str(value)
