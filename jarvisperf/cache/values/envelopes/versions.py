"""Versions: numbers that order changes, strictly within a process and closely among processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Versions:
    """A hybrid logical clock: microseconds since 1970, and greater than every version seen so far.

    Wall clocks differ between machines and jump. A process that has seen a version issues only later ones, so a
    consequence of a change always has a later version than the change (S. Kulkarni et al., "Logical Physical Clocks",
    2014).

    Args:
        wall_clock: Seconds since 1970.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._lock = threading.RLock()
        self._last = 0

    def next(self) -> int:
        """Return the version of a change that happens now."""
        with self._lock:
            while True:
                last, now = self._last, int(self._wall_clock() * 1e6)
                version = now if now > last else last + 1
                if self._last == last:  # no signal handler has issued a version in between
                    self._last = version
                    return version

    def observe(self, version: int) -> None:
        """Record a version from another process; one more than an hour ahead is ignored."""
        if self._last < version < self._wall_clock() * 1e6 + _MOST_AHEAD_MICROSECONDS:
            with self._lock:
                self._last = max(self._last, version)

    def after_fork(self) -> None:
        """Replace the lock: a thread of the parent may have held it."""
        self._lock = threading.RLock()


_MOST_AHEAD_MICROSECONDS = 3600 * 1_000_000
