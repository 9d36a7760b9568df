"""What an error says, in one line; the messages of other libraries often have several."""

from __future__ import annotations


def in_one_line(error: BaseException) -> str:
    """Return an error's whole message in one line; the name of its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def type_and_first_line(error: BaseException) -> str:
    """Return the name of an error's type and the first line of its message, if it has one."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
