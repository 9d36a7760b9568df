"""Small parts of commands to Redis: scripts, times to live, patterns, batches."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import redis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jarvisperf.cache.redis_tier.link import Command

# Redis adds the time to live to its clock in 64-bit milliseconds; whoever asks for a century means never.
_CENTURY_SECONDS: Final = 100 * 365.25 * 86400
_GLOB_SPECIAL: Final = re.compile(rb"([*?\[\]\\^-])")


def script(text: bytes, name: bytes, *arguments: object) -> Command:
    """Give the command that runs a script on one key."""
    return name, ("EVAL", text, 1, name, *arguments)


def flat(command: Command) -> tuple[Any, ...]:
    """Give a command as ``Link.call`` takes it."""
    name, arguments = command
    return (name, *arguments)


def milliseconds(seconds: float) -> int | str:
    """Give a time to live as scripts take it; empty: for ever."""
    return "" if seconds >= _CENTURY_SECONDS else math.ceil(seconds * 1000)


def expiry(seconds: float) -> tuple[object, ...]:
    """Give a time to live as SET takes it."""
    return () if seconds >= _CENTURY_SECONDS else ("PX", milliseconds(seconds))


def glob(head: bytes) -> bytes:
    """Give the pattern that matches what starts so."""
    return _GLOB_SPECIAL.sub(rb"\\\1", head) + b"*"


def batches(items: list[Any], size: int) -> Iterable[list[Any]]:
    """Cut a list in pieces of that size at most."""
    return (items[start : start + size] for start in range(0, len(items), size))


def is_full(error: Exception) -> bool:
    """Whether Redis said that it is out of memory; from within a script it says so in the text only."""
    return isinstance(error, redis.OutOfMemoryError) or "OOM command not allowed" in str(error)
