"""Building blocks of Redis commands: scripts, times to live, patterns, batches."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import redis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jarvisperf.cache.redis_tier.connection.link import Command

# Redis adds the time to live to its clock in 64-bit milliseconds; a century or more means no expiry.
_CENTURY_SECONDS: Final = 100 * 365.25 * 86400
_GLOB_SPECIAL: Final = re.compile(rb"([*?\[\]\\^-])")


def script(text: bytes, name: bytes, *arguments: object) -> Command:
    """Return the command that runs a script on one key."""
    return name, ("EVAL", text, 1, name, *arguments)


def flat(command: Command) -> tuple[Any, ...]:
    """Return a command in the form that ``Link.call`` takes."""
    name, arguments = command
    return (name, *arguments)


def milliseconds(seconds: float) -> int | str:
    """Return a time to live for scripts; an empty string for no expiry."""
    return "" if seconds >= _CENTURY_SECONDS else math.ceil(seconds * 1000)


def expiry(seconds: float) -> tuple[object, ...]:
    """Return a time to live as arguments of SET."""
    return () if seconds >= _CENTURY_SECONDS else ("PX", milliseconds(seconds))


def glob(head: bytes) -> bytes:
    """Return the glob pattern for names that start with ``head``."""
    return _GLOB_SPECIAL.sub(rb"\\\1", head) + b"*"


def batches(items: list[Any], size: int) -> Iterable[list[Any]]:
    """Split a list into batches of at most this size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def is_full(error: Exception) -> bool:
    """Return whether Redis is out of memory; an error from a script says so only in its text."""
    return isinstance(error, redis.OutOfMemoryError) or "OOM command not allowed" in str(error)
