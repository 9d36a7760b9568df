"""Locks and change counters for keys, a fixed number of them: a key always has the same one."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COUNT: Final = 256


class Stripe:
    """What the keys of one stripe share.

    A reader that found a value in a lower tier may copy it upward only if nothing was changed since it began, else it
    could bring a value back that is gone.

    A ``with`` of it is one change: it holds the lock, and counts at its beginning and at its end. At its end, too, for
    a reader asks for the state without the lock: one that comes while the change is under way may read the old value.

    Attributes:
        lock: Held while one of the keys is changed in all tiers, so that the tiers agree.
        changes: How many changes by this process have begun or ended; counted under the lock.
        heard: How often another process did; counted by whoever hears of it, without the lock, which may be held for
            as long as Redis takes.
    """

    __slots__ = ("changes", "heard", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changes = 0
        self.heard = 0

    def __enter__(self) -> None:
        self.lock.acquire()
        self.changes += 1

    def __exit__(self, *_: object) -> None:
        self.changes += 1
        self.lock.release()

    def state(self) -> tuple[int, int]:
        """Give what is the same as long as nothing was changed."""
        return self.changes, self.heard


class Stripes:
    """All stripes of one cache."""

    def __init__(self) -> None:
        self._stripes = [Stripe() for _ in range(_COUNT)]

    def of(self, key: str) -> Stripe:
        """Give the stripe of a key."""
        return self._stripes[hash(key) % _COUNT]

    @contextlib.contextmanager
    def changing(self, keys: Iterable[str]) -> Iterator[None]:
        """Change several keys: their locks are taken in one order by everybody."""
        numbers = sorted({hash(key) % _COUNT for key in keys})
        with contextlib.ExitStack() as stack:
            for number in numbers:
                stack.enter_context(self._stripes[number])
            yield

    def note_change_of_all(self) -> None:
        """Count a change of every key; copies that have begun are finished first."""
        for stripe in self._stripes:
            with stripe:
                pass

    def hear_change_of_all(self) -> None:
        """Count a change of every key by another process."""
        for stripe in self._stripes:
            stripe.heard += 1

    def after_fork(self) -> None:
        """Make the locks anew: other threads of the parent may have held them."""
        for stripe in self._stripes:
            stripe.lock = threading.RLock()
