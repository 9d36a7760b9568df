"""The order of changes: numbers that grow from one change to the next, in this process and, nearly, among all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Versions:
    """A hybrid logical clock: microseconds since 1970, but never less than what was seen before.

    Wall clocks differ between machines and jump. Whoever has seen a version gives later ones only, so that what
    follows from a change is always later than the change (S. Kulkarni et al., "Logical Physical Clocks", 2014).

    Args:
        wall_clock: Seconds since 1970.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        """Give the version of a change that happens now."""
        with self._lock:
            self._last = max(self._last + 1, int(self._wall_clock() * 1e6))
            return self._last

    def observe(self, version: int) -> None:
        """Take note of a version that another process gave; one that is absurdly far ahead is not believed."""
        if self._last < version < self._wall_clock() * 1e6 + _MOST_AHEAD_MICROSECONDS:
            with self._lock:
                self._last = max(self._last, version)

    def after_fork(self) -> None:
        """Make the lock anew: another thread of the parent may have held it."""
        self._lock = threading.Lock()


_MOST_AHEAD_MICROSECONDS = 3600 * 1_000_000
