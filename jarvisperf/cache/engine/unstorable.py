"""Computed values that cannot be stored: the callers get them, they are counted, and the reason is logged once."""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncIterator, Iterator
from types import CoroutineType
from typing import Any, Final

from jarvisperf.cache.values.isolation import Held

logger = logging.getLogger(__name__)

_MOST_REMEMBERED: Final = 1000


class Unstorable:
    """What a cache could not store.

    Attributes:
        count: Number of values.
    """

    def __init__(self) -> None:
        self.count = 0
        self._logged: set[tuple[str, str]] = set()

    def held(self, value: Any, source: str, reason: TypeError) -> Held:
        """Count a value, and return the form from which waiting callers get their copies.

        Args:
            value: The value.
            source: The function that computed it.
            reason: Why it cannot be stored; names the part of the value.
        """
        self.count += 1
        why = str(reason)
        if (source, why) not in self._logged and len(self._logged) < _MOST_REMEMBERED:
            self._logged.add((source, why))
            logger.warning("a result of %s is not cached: %s", source, why)
        if isinstance(value, Iterator | AsyncIterator | CoroutineType):
            return _held_unread(value, source)
        return Held(value, _copied, 0)


def _held_unread(value: Any, source: str) -> Held:
    """Return the form of something that the first caller will use up, such as an iterator or a file."""
    try:
        return Held(copy.deepcopy(value), _copied, 0)
    except Exception:  # noqa: BLE001 - a class's own code may raise anything
        return Held(f"a result of {source} is a {type(value).__name__}, which only one caller can read", _refused, 0)


def _refused(why: str) -> Any:
    raise TypeError(f"{why}: return a list or another value that can be cached")


def _copied(value: Any) -> Any:
    """Return a copy, so that callers cannot change each other's value; the value itself if it cannot be copied."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a class's own code may raise anything
        return value
