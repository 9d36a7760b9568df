"""Checks of what a cache is made with; every message names the option, its value and what is allowed."""

from __future__ import annotations

from jarvisperf.cache.expiry import checked_ttl


def checked_seconds(name: str, seconds: float) -> float:
    """Return a number of seconds above 0; infinity is one.

    Raises:
        TypeError: It is no number.
        ValueError: It is not above 0.
    """
    checked = checked_ttl(seconds, 0.0, name)
    if not checked:
        raise ValueError(f"{name} is {seconds!r}: give a number of seconds above 0")
    return checked


def check_at_least(name: str, number: int, least: int) -> None:
    """Check a whole number.

    Raises:
        TypeError: It is no int.
        ValueError: It is too small.
    """
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{name} is {number!r}: give an int")
    if number < least:
        raise ValueError(f"{name} is {number}: give {least} or more")


def check_factory(factory: object) -> None:
    """Find out whether a value can be made by this.

    Raises:
        TypeError: It is no function.
    """
    if not callable(factory):
        raise TypeError(f"factory is {factory!r}: give a function without arguments that makes the value")
