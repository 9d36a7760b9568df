"""A tier over a store that may fail. Every failure is caught, counted and reported here and nowhere else.

A failure opens the breaker. While it is open, the store is not used, reads miss, and changes are recorded. Before the
store is used again, the recorded changes are replayed, so that no old value comes back.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from itertools import cycle
from typing import TYPE_CHECKING, Final, TypeVar

from jarvisperf.cache.keys.pattern import EVERY_KEY
from jarvisperf.cache.outage.breaker import FIRST_PAUSE_SECONDS, Breaker
from jarvisperf.cache.outage.latency import Latency
from jarvisperf.cache.outage.replay import Change, Pending
from jarvisperf.cache.outage.store import CorruptEntryError, RejectedError, Write

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Sequence

    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.outage.replay import Snapshot
    from jarvisperf.cache.outage.store import Store
    from jarvisperf.cache.values.envelopes.versions import Versions

logger = logging.getLogger(__name__)

# A store that fails intermittently (full for writes, but fine when probed) must not flood the log.
REPORT_AGAIN_AFTER_SECONDS = 60.0
_MOST_REASONS: Final = 20
_TIMED_READS: Final = 8  # one read in this many is timed
# If changes arrive before the replay of others ends, new ones wait while the last round is replayed.
_ROUNDS_WITHOUT_WAITING = 3

_T = TypeVar("_T")


class GuardedTier:
    """A store behind a breaker.

    Args:
        store: The store.
        jitter: Source of randomness for the pauses between probes.
        versions: Issues the versions of changes.
        wait_seconds: How long the constructor waits for a background thread to open the store. If None, the constructor
            opens it itself, however long that takes.
        first_pause_seconds: The pause between the first two probes of an outage.
        clock: Monotonic clock in seconds; limits the log, and times replays.

    Attributes:
        hits: Reads answered by this tier (counted by the cache, because only the cache can tell).
        misses: Reads that reached this tier and were not answered by it.
        sets: Successful writes.
        errors: Failures of the store.
        rejected: Values that the store did not take or return although it works, such as too large ones.
        corrupt: Entries that turned out to be damaged.
        latency: Latency of writes and of every eighth read; timing a read of the disk makes it 5 % slower.
        usable: Set while the store is in use.
    """

    def __init__(
        self,
        store: Store,
        jitter: random.Random,
        versions: Versions,
        *,
        wait_seconds: float | None,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = store.name
        self.hits = self.misses = self.sets = self.errors = self.rejected = self.corrupt = 0
        self._evictions_before = 0
        self.latency = Latency()
        self._is_timed = cycle([True] + [False] * (_TIMED_READS - 1)).__next__
        self.usable = threading.Event()
        self._store = store
        self._versions = versions
        self._lock = threading.RLock()
        self._pending = Pending()
        self._clock = clock
        self._reported = False
        self._reported_at = -math.inf
        self._rejections_logged: set[str] = set()
        self._breaker = Breaker(self._recover, f"jarvisperf-{store.name}-probe", jitter, first_pause_seconds)
        if wait_seconds is None:
            if not self._breaker.attempt():
                self._breaker.trip()
        else:
            self._breaker.trip()
            self._breaker.wait_for_first_attempt(wait_seconds)

    @property
    def available(self) -> bool:
        """Whether the store is in use."""
        return not self._breaker.is_open

    @property
    def unsettled(self) -> int:
        """The number of changes to replay before the store is used again."""
        return len(self._pending)

    def read(self, key: str) -> bytes | None:
        """Return the value of a key, or the mark that explains why there is none."""
        if self._breaker.is_open and self._is_out_of_use():
            return None
        started = time.perf_counter() if self._is_timed() else 0.0
        try:
            found = self._store.get(key)
        except CorruptEntryError:
            self.reject(key)
        except RejectedError as error:
            self.note_rejected(error)
        except self._store.failures as error:
            self.fail(error)
        else:
            if started:
                self.latency.note(time.perf_counter() - started)
            return found
        return None

    def read_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values and marks of those keys that have one."""
        nothing: dict[str, bytes] = {}
        return self.ask(lambda: self._store.get_many(keys), nothing) if keys else nothing

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Store bytes; return whether they were stored."""
        if self._breaker.is_open:
            return self.put_many([Write(key, blob, seconds, tags)])
        started = time.perf_counter()
        try:
            held = self._store.put(key, blob, seconds, tags)
        except RejectedError as error:
            self.note_rejected(error)
            return False
        except self._store.failures as error:
            self.fail(error, lambda: self._note_written(Write(key, blob, seconds, tags)))
            return False
        self.latency.note(time.perf_counter() - started)
        self.sets += held
        self.rejected += not held
        return held

    def put_many(self, writes: Sequence[Write]) -> bool:
        """Store several values; return whether all were stored."""

        def write() -> bool:
            started = time.perf_counter()
            try:
                held = self._store.put_many(writes)
            except RejectedError as error:
                self.note_rejected(error)
                self.sets += error.stored
                return False
            self.latency.note(time.perf_counter() - started)
            self.sets += held
            self.rejected += len(writes) - held
            return held == len(writes)

        def note() -> None:
            for each in writes:
                self._note_written(each)

        return self.change(write, note, otherwise=False)

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it is known to have existed."""
        return self.change(lambda: self._store.delete(key), lambda: self._note_deleted([key]), otherwise=False)

    def delete_many(self, keys: Collection[str], version: int = 0) -> set[str]:
        """Remove keys; return those that are known to have existed.

        Args:
            keys: The keys.
            version: Version of the deletion, if shared with other tiers; 0 assigns a new one.
        """
        nothing: set[str] = set()
        of = version or self._versions.next()
        return self.change(
            lambda: self._delete_in_store(keys, of), lambda: self._note_deleted(keys, of), otherwise=nothing
        )

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys that match; none while the store is down."""
        nothing: set[str] = set()
        return self.ask(lambda: self._store.keys(pattern), nothing)

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; return those that are known to have existed."""
        nothing: set[str] = set()

        def note() -> None:
            self._pending.note_pattern(pattern, self._versions.next())

        return self.change(lambda: self._store.invalidate(pattern), note, otherwise=nothing)

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; return those that are known to have existed."""
        nothing: set[str] = set()

        def note() -> None:
            self._pending.note_tags(tags, self._versions.next())

        return self.change(lambda: self._store.invalidate_tags(tags), note, otherwise=nothing)

    def clear(self) -> None:
        """Remove every key of the namespace."""
        self.change(self._clear_store, self._pending.note_everything, otherwise=None)

    @property
    def evictions(self) -> int:
        """The number of entries evicted since the counts were reset."""
        return self._store.evictions - self._evictions_before

    def size(self) -> tuple[int, int]:
        """Return the number of entries and bytes; zeros while the store is down."""
        return self.ask(self._store.size, (0, 0))

    def reject(self, key: str) -> None:
        """Count and remove a damaged entry."""
        self.corrupt += 1
        self.delete(key)

    def reset_stats(self) -> None:
        """Reset all counts."""
        self.hits = self.misses = self.sets = self.errors = self.rejected = self.corrupt = 0
        self._evictions_before = self._store.evictions
        self.latency.reset()

    def close(self) -> None:
        """Stop probing and close the store."""
        self._breaker.stop()
        with self._lock:
            self._open_breaker()
        try:
            self._store.close()
        except self._store.failures as error:
            logger.debug("closing %s: %s", self._store.place, error)

    def after_fork(self) -> None:
        """Replace the locks: a thread of the parent may have held them."""
        self._lock = threading.RLock()
        self.usable = threading.Event()
        if self.available:
            self.usable.set()

    def ask(self, question: Callable[[], _T], otherwise: _T) -> _T:
        """Query the store; return ``otherwise`` if it fails or is down."""
        if self._is_out_of_use():
            return otherwise
        try:
            return question()
        except RejectedError as error:
            self.note_rejected(error)
            return otherwise
        except self._store.failures as error:
            self.fail(error)
            return otherwise

    def change(self, change: Callable[[], _T], note: Callable[[], None], *, otherwise: _T) -> _T:
        """Change the store; if it fails or is down, record the change and return ``otherwise``."""
        if self._is_out_of_use():
            with self._lock:
                if self._breaker.is_open:
                    note()
                    return otherwise
        try:
            return change()
        except RejectedError as error:
            self.note_rejected(error)
            return otherwise
        except self._store.failures as error:
            self.fail(error, note)
            return otherwise

    def note_rejected(self, error: RejectedError) -> None:
        """Count values that the store rejects, and log each reason once."""
        reason = f"{type(error.reason).__name__}: {error.reason}"
        with self._lock:
            self.rejected += len(error.keys)
            is_news = reason not in self._rejections_logged and len(self._rejections_logged) < _MOST_REASONS
            if is_news:
                self._rejections_logged.add(reason)
        if is_news:
            logger.warning("%s cache tier rejects %r; the other tiers keep it: %s", self.name, error.keys[0], reason)

    def fail(self, error: Exception, note: Callable[[], None] = lambda: None) -> None:
        """Record a store failure and open the breaker."""
        with self._lock:
            note()
            self._open_breaker()
            self._breaker.trip()
        self._report(error)

    def _note_written(self, write: Write) -> None:
        self._pending.note(write.key, Change(self._versions.next(), time.monotonic(), write))

    def _note_deleted(self, keys: Collection[str], version: int = 0) -> None:
        for key in keys:
            self._pending.note(key, Change(version or self._versions.next(), time.monotonic()))

    def _delete_in_store(self, keys: Collection[str], version: int) -> set[str]:  # noqa: ARG002 - a plain store has no versions
        return self._store.delete_many(keys)

    def _clear_store(self) -> None:
        self._store.invalidate(EVERY_KEY)

    def _tell(self, pending: Snapshot) -> set[str]:
        """Replay the pending changes; return the invalidated keys that existed.

        A plain store cannot compare versions, so written keys are only deleted.
        """
        if pending.everything:
            self._clear_store()
        gone: set[str] = set()
        for pattern, _ in pending.patterns.values():
            gone |= self._store.invalidate(pattern)
        if pending.tags:
            gone |= self._store.invalidate_tags(pending.tags)
        if pending.changes:
            self._store.delete_many(pending.changes)
        return gone

    def _open_breaker(self) -> None:
        self._breaker.is_open = True
        self.usable.clear()

    def _is_out_of_use(self) -> bool:
        if not self._breaker.is_open:
            return False
        if not self._breaker.is_probing():  # in a forked child, where the parent's thread does not run
            with self._lock:
                if self._breaker.is_open:
                    self._breaker.trip()
        return True

    def _recover(self) -> bool:
        try:
            self._store.open()
            rounds, last_seconds = 0, 0.0
            while not self._use_if_settled(rounds, last_seconds):
                started = self._clock()
                self._settle()
                rounds, last_seconds = rounds + 1, self._clock() - started
        except Exception as error:  # noqa: BLE001 - the probing thread must survive any error
            self._report(error)
            return False
        return True

    def _use_if_settled(self, rounds: int, last_seconds: float) -> bool:
        with self._lock:
            if self._pending and self._is_settled_at_once(rounds, last_seconds):
                self._settle()
            if self._pending:
                return False
            self._breaker.close_circuit()
            self.usable.set()
            if self._reported:
                logger.info("%s cache tier is available again: %s", self.name, self._store.place)
            self._reported = False
            return True

    def _is_settled_at_once(self, rounds: int, last_seconds: float) -> bool:  # noqa: ARG002 - for Redis
        """Return whether callers wait for the next replay, so that no further changes are recorded before it ends.

        Args:
            rounds: The number of replays during this recovery.
            last_seconds: How long the last one took.
        """
        return rounds >= _ROUNDS_WITHOUT_WAITING

    def _settle(self) -> None:
        with self._lock:
            pending = self._pending.snapshot()
        self._tell(pending)
        with self._lock:
            self._pending.forget(pending)

    def _report(self, error: Exception) -> None:
        with self._lock:
            self.errors += 1
            now = self._clock()
            is_news = not self._reported and now - self._reported_at >= REPORT_AGAIN_AFTER_SECONDS
            if is_news:
                self._reported, self._reported_at = True, now
        if is_news:
            logger.warning(
                "%s cache tier unavailable; continuing with the remaining tiers: %s: %s: %s",
                self.name,
                self._store.place,
                type(error).__name__,
                error,
            )
