"""A tier over a store that may fail: every failure is caught, counted and reported here, and nowhere else.

A failure opens the breaker; while it is open the store is not touched, reads find nothing and writes are noted. Before
the store is used again, every key that was written, deleted or invalidated meanwhile is deleted from it, so that no
old value comes back.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from jarvisperf.cache.breaker import FIRST_PAUSE_SECONDS, Breaker
from jarvisperf.cache.pattern import EVERY_KEY
from jarvisperf.cache.tier import CorruptEntryError
from jarvisperf.cache.unsettled import UnsettledKeys

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from jarvisperf.cache.pattern import KeyPattern
    from jarvisperf.cache.tier import Store

logger = logging.getLogger(__name__)

MOST_UNSETTLED_KEYS = 10_000
# A store that comes and goes (full for writes, say, but well when probed) must not fill the log.
REPORT_AGAIN_AFTER_SECONDS = 60.0

_T = TypeVar("_T")


class GuardedTier:
    """A store behind a breaker; see ``Tier`` for the methods.

    Args:
        store: The store.
        jitter: Source of randomness for the pauses between probes.
        wait_seconds: How long the constructor waits for the store to be ready; None: it makes the store ready itself
            and takes what time that takes.
        first_pause_seconds: Between the first two probes of an outage.
        clock: Monotonic seconds; paces the log.

    Attributes:
        hits: Reads that this tier answered (counted by the cache, which alone can tell).
        misses: Reads that it was asked for and did not answer.
        errors: Failures of the store.
        corrupt: Entries that were not what somebody had written.
    """

    def __init__(
        self,
        store: Store,
        jitter: random.Random,
        *,
        wait_seconds: float | None,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = store.name
        self.hits = 0
        self.misses = 0
        self.errors = 0
        self.corrupt = 0
        self._store = store
        self._lock = threading.RLock()
        self._unsettled = UnsettledKeys(MOST_UNSETTLED_KEYS)
        self._clock = clock
        self._reported = False
        self._reported_at = -math.inf
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
        """How many keys wait for being deleted once the store is back."""
        return len(self._unsettled)

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key; None: nothing, or the store is down."""
        if self._is_out_of_use():
            return None
        try:
            return self._store.get(key)
        except CorruptEntryError:
            self.reject(key)
        except self._store.failures as error:
            self._fail(error, lambda: None)
        return None

    def put(self, key: str, blob: bytes, seconds: float) -> bool:
        """Hold bytes; whether they are held."""

        def write() -> bool:
            self._store.put(key, blob, seconds)
            return True

        return self._change(write, lambda: self._unsettled.add(key), otherwise=False)

    def delete(self, key: str) -> bool:
        """Remove a key; whether it is known to have been there."""
        return self._change(lambda: self._store.delete(key), lambda: self._unsettled.add(key), otherwise=False)

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those that are known to have been there."""
        nothing: set[str] = set()
        return self._change(lambda: self._store.invalidate(pattern), self._unsettled.add_everything, otherwise=nothing)

    def clear(self) -> None:
        """Remove every key of the namespace."""
        self.invalidate(EVERY_KEY)

    def reject(self, key: str) -> None:
        """Count and remove an entry that is not what somebody wrote."""
        self.corrupt += 1
        self.delete(key)

    def close(self) -> None:
        """Stop probing and close the store."""
        self._breaker.stop()
        with self._lock:
            self._breaker.is_open = True
        try:
            self._store.close()
        except self._store.failures as error:
            logger.debug("closing %s: %s", self._store.place, error)

    def _change(self, change: Callable[[], _T], note: Callable[[], None], *, otherwise: _T) -> _T:
        if self._is_out_of_use():
            with self._lock:
                if self._breaker.is_open:
                    note()
                    return otherwise
        try:
            return change()
        except self._store.failures as error:
            self._fail(error, note)
            return otherwise

    def _is_out_of_use(self) -> bool:
        if not self._breaker.is_open:
            return False
        if not self._breaker.is_probing():  # in a forked child, where the parent's thread does not run
            with self._lock:
                if self._breaker.is_open:
                    self._breaker.trip()
        return True

    def _fail(self, error: Exception, note: Callable[[], None]) -> None:
        with self._lock:
            note()
            self._breaker.trip()
        self._report(error)

    def _recover(self) -> bool:
        try:
            self._store.open()
            while not self._use_if_settled():
                self._settle()
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that probes must go on
            self._report(error)
            return False
        return True

    def _use_if_settled(self) -> bool:
        with self._lock:
            if self._unsettled:
                return False
            self._breaker.close_circuit()
            if self._reported:
                logger.info("%s cache tier is back: %s", self.name, self._store.place)
            self._reported = False
            return True

    def _settle(self) -> None:
        with self._lock:
            everything, keys = self._unsettled.take()
        try:
            if everything:
                self._store.invalidate(EVERY_KEY)
            else:
                self._store.delete_many(keys)
        except BaseException:
            with self._lock:
                self._unsettled.put_back(everything, keys)
            raise

    def _report(self, error: Exception) -> None:
        with self._lock:
            self.errors += 1
            now = self._clock()
            is_news = not self._reported and now - self._reported_at >= REPORT_AGAIN_AFTER_SECONDS
            if is_news:
                self._reported, self._reported_at = True, now
        if is_news:
            logger.warning(
                "%s cache tier is off, the others go on: %s: %s: %s",
                self.name,
                self._store.place,
                type(error).__name__,
                error,
            )
