"""Argument checks: TypeError for a wrong type, ValueError for a wrong value; the message says what is allowed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import timedelta

_NUMBER: Final = (int, float)  # a tuple made once: times to live are checked on hot paths
_LONGEST_SHOWN_BITS: Final = 1000

_T = TypeVar("_T")


def whole_number(name: str, value: int, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """Return an int within limits.

    Raises:
        TypeError: It is not an int; True and False do not count as ints.
        ValueError: It is too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}: give a whole number")
    if (at_least is not None and value < at_least) or (at_most is not None and value > at_most):
        raise ValueError(f"{name} is {_shown(value)}: give {_range(at_least, at_most)}")
    return value


def number(name: str, value: float, *, at_least: float = -math.inf, at_most: float = math.inf) -> float:
    """Return a number within limits as a float; NaN is never within limits.

    Raises:
        TypeError: It is neither an int nor a float.
        ValueError: It is too small, too large or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        raise TypeError(f"{name} is {value!r}: give a number from {at_least:g} to {at_most:g}")
    if not at_least <= value <= at_most:
        raise ValueError(f"{name} is {_shown(value)}: give a number from {at_least:g} to {at_most:g}")
    return float(value)


def seconds(name: str, value: float | timedelta, *, zero: bool = True) -> float:
    """Return a time in seconds as a float; infinity is allowed.

    Args:
        name: The argument's name in messages.
        value: The argument: a number of seconds, or a timedelta.
        zero: Whether 0 is allowed.

    Raises:
        TypeError: It is neither a number nor a timedelta; True and False are not allowed either.
        ValueError: It is negative, NaN, or 0 where that is not allowed.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        from datetime import timedelta  # most times are numbers

        if not isinstance(value, timedelta):
            raise TypeError(f"{name} is {value!r}: give a number of seconds")
        value = value.total_seconds()
    if not (value >= 0 if zero else value > 0):
        wanted = "0 or more seconds" if zero else "a number of seconds above 0"
        raise ValueError(f"{name} is {_shown(value)}: give {wanted}")
    try:
        return float(value)
    except OverflowError:  # an int beyond the range of float
        return math.inf


def text(name: str, value: str) -> str:
    """Return a str that is not empty.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}: give a str")
    if not value:
        raise ValueError(f"{name} is '': give a str that is not empty")
    return value


def one_of(name: str, value: _T, allowed: Collection[_T]) -> _T:
    """Return one of the allowed values.

    Raises:
        ValueError: It is not one of them.
    """
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}: choose one of: {', '.join(map(str, allowed))}")
    return value


def function(name: str, value: Callable[..., _T], wanted: str = "a function") -> Callable[..., _T]:
    """Return something that can be called.

    Args:
        name: The argument's name in messages.
        value: The argument.
        wanted: What is allowed, for the message.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{name} is {value!r}: give {wanted}")
    return value


def _range(at_least: int | None, at_most: int | None) -> str:
    if at_most is None:
        return f"at least {at_least}"
    return f"at most {at_most}" if at_least is None else f"a whole number from {at_least} to {at_most}"


def _shown(value: Any) -> str:
    # Python refuses to write out whole numbers of more than 4,300 digits.
    is_long = isinstance(value, int) and value.bit_length() > _LONGEST_SHOWN_BITS
    return f"{hex(value)[:12]}…" if is_long else str(value)
