"""Time to live: what a caller may give, and what is left of it."""

from __future__ import annotations

import math


def checked_ttl(ttl: float | None, default_seconds: float, name: str = "ttl") -> float:
    """Turn the ``ttl`` of a call into seconds.

    Args:
        ttl: Seconds; None: the default; 0: expires at once, so nothing is kept; infinity: never expires.
        default_seconds: What holds for None.
        name: What the argument is called in the message.

    Raises:
        TypeError: It is no number (True and False are none either).
        ValueError: It is negative or not a number.
    """
    if ttl is None:
        return default_seconds
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise TypeError(f"{name} is {ttl!r}: give seconds as an int or float, or None for the default")
    try:
        seconds = float(ttl)
    except OverflowError:  # an int beyond the range of float
        seconds = math.inf if ttl > 0 else -math.inf
    if not seconds >= 0:
        raise ValueError(f"{name} is {ttl!r}: give 0 or more seconds")
    return seconds


def remaining_seconds(created: float, expiry: float, now: float) -> float:
    """Give what is left of an entry's life; 0 or less: it has expired.

    No more than the life it was given: a clock that was set back must not prolong it.
    """
    return min(expiry - now, expiry - created)
