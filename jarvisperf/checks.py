"""Checks of what users pass in, with messages that name the value."""

from __future__ import annotations


def check_whole_number(name: str, value: object, least: int) -> None:
    """Check that a value is a whole number from `least`.

    Raises:
        ValueError: It is not; the message gives the name, the value and what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}: give a whole number from {least}")
