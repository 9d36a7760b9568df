"""Counts what an OptimizedRAG does."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PRUNE_AT_LEAST = 1024


class PerformanceStats(TypedDict):
    """What :meth:`OptimizedRAG.get_performance_stats` returns.

    ``cache_hit_rate`` is the part of the cached calls that the cache answered, 0.0 before the first one; warm-up does
    not count. ``avg_query_time_ms`` is the mean over all calls of search and context, cached or not, in milliseconds.
    ``cache_size`` is the number of answers that this object has put into the cache or found there and whose time has
    not run out. ``documents`` is the number of passages, None while the store has not been opened.
    """

    cache_hit_rate: float
    cache_hits: int
    cache_misses: int
    avg_query_time_ms: float
    queries: int
    cache_size: int
    documents: int | None
    model_loaded: bool


class QueryStats:
    """Counters that several threads may write to.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._queries = 0
        self._query_seconds = 0.0
        self._hits = 0
        self._misses = 0
        self._expiry_of_key: dict[str, float] = {}
        self._prune_at = _PRUNE_AT_LEAST

    @contextlib.contextmanager
    def timed_query(self) -> Iterator[None]:
        """Count one query and the time within; one that fails is not counted."""
        start = self._clock()
        yield
        seconds = self._clock() - start
        with self._lock:
            self._queries += 1
            self._query_seconds += seconds

    def count_cached_call(self, *, hit: bool) -> None:
        """Count one call that looked into the cache."""
        with self._lock:
            self._hits += hit
            self._misses += not hit

    def note_key(self, key: str, ttl_seconds: float) -> None:
        """The cache has an answer under ``key``, for at most ``ttl_seconds``."""
        with self._lock:
            now = self._clock()
            self._expiry_of_key[key] = now + ttl_seconds
            if len(self._expiry_of_key) >= self._prune_at:  # rarely, so that the cost per key stays constant
                self._prune(now)
                self._prune_at = max(_PRUNE_AT_LEAST, 2 * len(self._expiry_of_key))

    def forget_keys(self) -> None:
        """The collection has changed: no answer that is in the cache will be found again."""
        with self._lock:
            self._expiry_of_key.clear()

    def summary(self, documents: int | None, *, model_loaded: bool) -> PerformanceStats:
        """The figures now."""
        with self._lock:
            self._prune(self._clock())
            looked = self._hits + self._misses
            return PerformanceStats(
                cache_hit_rate=self._hits / looked if looked else 0.0,
                cache_hits=self._hits,
                cache_misses=self._misses,
                avg_query_time_ms=1000 * self._query_seconds / self._queries if self._queries else 0.0,
                queries=self._queries,
                cache_size=len(self._expiry_of_key),
                documents=documents,
                model_loaded=model_loaded,
            )

    def _prune(self, now: float) -> None:
        self._expiry_of_key = {key: expiry for key, expiry in self._expiry_of_key.items() if expiry > now}
