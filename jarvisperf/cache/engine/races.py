"""Tracks keys that are changing or being computed, so that an old value never overwrites a newer one."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jarvisperf.cache.engine.model import Life
    from jarvisperf.cache.values.envelopes.marks import Lease

_COUNT: Final = 256


class Stripe:
    """A lock and change counters shared by some keys; a key always belongs to the same stripe.

    A reader promotes a value from a lower tier only if the counters have not changed since it began to read. Otherwise
    it could bring back a value that was replaced or removed.

    ``with stripe:`` makes one change. It holds the lock and counts at the start and at the end, because readers check
    the counters without the lock, and a reader that begins during a change may read the old value.

    Attributes:
        lock: Held while a key is changed in all tiers, so that the tiers agree.
        changes: Changes by this process that have begun or ended; counted under the lock.
        remote_changes: Changes by other processes; counted without the lock, which may be held for as long as a call to
            Redis takes.
    """

    __slots__ = ("changes", "lock", "remote_changes")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changes = 0
        self.remote_changes = 0

    def __enter__(self) -> None:
        self.lock.acquire()
        self.changes += 1

    def __exit__(self, *_: object) -> None:
        self.changes += 1
        self.lock.release()

    def state(self) -> tuple[int, int]:
        """Return both counters; they stay the same until something changes."""
        return self.changes, self.remote_changes


class Stripes:
    """All stripes of one cache."""

    def __init__(self) -> None:
        self._stripes = [Stripe() for _ in range(_COUNT)]

    def of(self, key: str) -> Stripe:
        """Return the stripe of a key."""
        return self._stripes[hash(key) % _COUNT]

    @contextlib.contextmanager
    def changing(self, keys: Iterable[str]) -> Iterator[None]:
        """Change several keys; all callers acquire the locks in the same order."""
        numbers = sorted({hash(key) % _COUNT for key in keys})
        with contextlib.ExitStack() as stack:
            for number in numbers:
                stack.enter_context(self._stripes[number])
            yield

    def note_change_of_all(self) -> None:
        """Count a change of every key; wait for promotions in progress."""
        for stripe in self._stripes:
            with stripe:
                pass

    def note_remote_change_of_all(self) -> None:
        """Count a change of every key by another process."""
        for stripe in self._stripes:
            stripe.remote_changes += 1

    def after_fork(self) -> None:
        """Replace the locks: a thread of the parent may have held them."""
        for stripe in self._stripes:
            stripe.lock = threading.RLock()


class Computation:
    """A value that is being computed.

    Attributes:
        key: Its key.
        tags: Its tags.
        is_void: This process has changed the key since, so the result may be outdated and is not stored.
        changed_remotely: Another process may have changed the key. Redis knows whether the result is outdated; memory
            must not keep it.
        is_stored: The value has been stored.
    """

    __slots__ = ("changed_remotely", "is_stored", "is_void", "key", "tags")

    def __init__(self, key: str, tags: tuple[str, ...]) -> None:
        self.key = key
        self.tags = tags
        self.is_void = False
        self.changed_remotely = False
        self.is_stored = False


class Filling(NamedTuple):
    """A computed value to store.

    Attributes:
        computation: What computed it.
        value: The value.
        life: Its life; None if it is not stored.
        lease: The right to fill the key; None if Redis was unavailable.
    """

    computation: Computation
    value: object
    life: Life | None
    lease: Lease | None


class Computations:
    """The values of one cache that are being computed; there may be several of one key, the oldest first.

    Attributes:
        by_key: The computations by key; for reading only.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[Computation, ...]] = {}
        self._lock = threading.RLock()  # a signal handler may use the cache

    def begin(self, key: str, tags: tuple[str, ...]) -> Computation:
        """Start watching a key."""
        computation = Computation(key, tags)
        with self._lock:
            self.by_key[key] = (*self.by_key.get(key, ()), computation)
        return computation

    def end(self, computation: Computation) -> None:
        """Stop watching a computation's key."""
        with self._lock:
            rest = tuple(one for one in self.by_key.get(computation.key, ()) if one is not computation)
            if rest:
                self.by_key[computation.key] = rest
            else:
                self.by_key.pop(computation.key, None)

    def void(self, keys: Iterable[str]) -> None:
        """Note that this process changed keys."""
        for key in keys:
            for computation in self.by_key.get(key, ()):
                computation.is_void = True

    def void_older(self, computation: Computation) -> None:
        """Note that a computation's value is stored, so that those which began earlier must not replace it."""
        for one in self.by_key.get(computation.key, ()):
            if one is computation:
                break
            one.is_void = True

    def void_where(self, concerns: Callable[[Computation], bool]) -> set[str]:
        """Note that this process changed the keys of all computations that the change concerns; return those keys."""
        concerned = [computation for computation in self._all() if concerns(computation)]
        for computation in concerned:
            computation.is_void = True
        return {computation.key for computation in concerned}

    def note_remote_change(self, key: str) -> None:
        """Note that another process changed a key."""
        for computation in self.by_key.get(key, ()):
            computation.changed_remotely = True

    def note_remote_change_of_all(self) -> None:
        """Note that another process may have changed any key."""
        for computation in self._all():
            computation.changed_remotely = True

    def _all(self) -> list[Computation]:
        with self._lock:
            return [computation for computations in self.by_key.values() for computation in computations]
