"""Pauses between refreshes that fail, so that a broken origin is not asked by every caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
_MOST_KEYS: Final = 10_000


class Backoff:
    """The keys whose stale value could not be refreshed. Each failure doubles the pause before the next attempt.

    Args:
        now: Monotonic clock in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._pauses: dict[str, tuple[float, float]] = {}  # until when, and for how long

    def is_due(self, key: str) -> bool:
        """Return whether a refresh may be attempted."""
        pause = self._pauses.get(key)
        return pause is None or pause[0] <= self._now()

    def failed(self, key: str) -> None:
        """Note that a refresh failed."""
        _, last = self._pauses.pop(key, (0.0, 0.0))
        seconds = min(2 * last, LONGEST_PAUSE_SECONDS) or FIRST_PAUSE_SECONDS
        if len(self._pauses) >= _MOST_KEYS:
            self._pauses.pop(next(iter(self._pauses)), None)  # the one that failed the longest ago
        self._pauses[key] = self._now() + seconds, seconds

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        self._pauses.pop(key, None)
