"""A clock that a test controls, for ``SmartCache(clock=..., wall_clock=...)``."""

from __future__ import annotations


class Clock:
    """A clock that advances only when a test says so.

    Args:
        seconds: The time at the start.

    Attributes:
        seconds: The time now.
    """

    def __init__(self, seconds: float = 1_000_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Return the time now, in seconds."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
