"""Locks and change counters for keys, a fixed number of them: a key always has the same one."""

from __future__ import annotations

import threading
from typing import Final

_COUNT: Final = 64


class Stripe:
    """What the keys of one stripe share.

    Attributes:
        lock: Held while one of the keys is changed in all tiers, so that the tiers agree.
        changes: How often one of them was changed. A reader that found a value in a lower tier may copy it upward
            only if nothing was changed since it began, else it could bring a value back that is gone.
    """

    __slots__ = ("changes", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changes = 0


class Stripes:
    """All stripes of one cache."""

    def __init__(self) -> None:
        self._stripes = [Stripe() for _ in range(_COUNT)]

    def of(self, key: str) -> Stripe:
        """Give the stripe of a key."""
        return self._stripes[hash(key) % _COUNT]

    def note_change_of_all(self) -> None:
        """Count a change of every key; copies that have begun are finished first."""
        for stripe in self._stripes:
            with stripe.lock:
                stripe.changes += 1
