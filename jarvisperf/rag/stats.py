"""Counts and times the queries of an OptimizedRAG."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypedDict

from jarvisperf.forks import renew_lock_when_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAGES: Final = ("embed", "search", "cache")
PATHS: Final = ("memory", "redis", "disk", "semantic", "computed")

_PRUNE_AT_LEAST: Final = 1024
_MAX_TIMES: Final = 10_000  # the latest of each stage and path
_COUNTED_TOGETHER: Final = 1000


class Latencies(TypedDict):
    """The number of times a stage or path was taken, and percentiles of its latest 10,000 durations in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class PerformanceStats(TypedDict):
    """The result of :meth:`OptimizedRAG.get_performance_stats`.

    ``cache_hit_rate`` is the share of cached calls that the cache answered, 0.0 before the first one; warm-up does not
    count. ``avg_query_time_ms`` is the mean over all searches and contexts, cached or not, in milliseconds.
    ``cache_size`` is the number of answers that this object has put into the cache or found there and that have not
    expired. ``first_query_ms`` is the duration of the first computed search, with everything that it loaded; of the
    other figures, only the mean includes it. ``stages`` has ``embed``, ``search`` (Chroma and ranking) and ``cache``
    (finding an answer in the cache); ``paths`` says where answers came from: a tier of the cache (``memory``,
    ``redis``, ``disk``), ``semantic`` or ``computed``. ``chunks`` is the number of passages, ``documents`` that of
    files and of texts without a source, and ``waiting`` the number of passages that wait for their vectors; all three
    are None until the store is opened. ``embeddings_computed`` and
    ``embeddings_reused`` count vectors of documents. ``prompts`` is what the model puts before a ``query`` and before a
    ``document``; None if the embedder does not say.
    """

    cache_hit_rate: float
    cache_hits: int
    cache_misses: int
    avg_query_time_ms: float
    queries: int
    cache_size: int
    first_query_ms: float | None
    stages: dict[str, Latencies]
    paths: dict[str, Latencies]
    documents: int | None
    chunks: int | None
    waiting: int | None
    embeddings_computed: int
    embeddings_reused: int
    model_loaded: bool
    prompts: dict[str, str] | None


class _Times:
    __slots__ = ("count", "latest")

    def __init__(self) -> None:
        self.count = 0
        self.latest: deque[float] = deque(maxlen=_MAX_TIMES)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.latest.append(seconds)

    def latencies(self) -> Latencies:
        ordered = sorted(self.latest)
        p50, p95, p99 = (1000 * _percentile(ordered, part) for part in (0.5, 0.95, 0.99))
        return Latencies(count=self.count, p50_ms=p50, p95_ms=p95, p99_ms=p99)


class QueryStats:
    """Counters that several threads may update.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        renew_lock_when_forked(self)
        self._queries = 0
        self._query_seconds = 0.0
        self._hits = 0
        self._misses = 0
        self._first_seconds: float | None = None
        self._stages = {name: _Times() for name in STAGES}
        self._paths = {name: _Times() for name in PATHS}
        self._embedded = 0
        self._reused = 0
        self._recalled: deque[float] = deque()  # seconds, not counted yet
        self._expiry_of_key: dict[str, float] = {}
        self._prune_at = _PRUNE_AT_LEAST

    @contextlib.contextmanager
    def timed_stage(self, stage: str) -> Iterator[None]:
        """Time one stage; failures and the first query are not counted."""
        start = self.clock()
        yield
        seconds = self.clock() - start
        if self._first_seconds is not None:
            with self._lock:
                self._stages[stage].add(seconds)

    def count_query(self, path: str, seconds: float, *, cached_call: bool) -> None:
        """Count one query.

        Args:
            path: Where the answer came from: a tier of the cache, ``semantic`` or ``computed``.
            seconds: How long it took.
            cached_call: Whether the cache was consulted.
        """
        with self._lock:
            self._queries += 1
            self._query_seconds += seconds
            if cached_call:
                computed = path == "computed"
                self._hits += not computed
                self._misses += computed
                if not computed:
                    self._stages["cache"].add(seconds)
            if path == "computed" and self._first_seconds is None:
                self._first_seconds = seconds
            else:
                self._paths.setdefault(path, _Times()).add(seconds)

    def count_recalled(self, seconds: float) -> None:
        """Count one query answered from memory, at a tenth of the cost of ``count_query``, for the fastest path."""
        self._recalled.append(seconds)
        if len(self._recalled) >= _COUNTED_TOGETHER:
            with self._lock:
                self._count_recalled()

    def count_vectors(self, embedded: int, reused: int) -> None:
        """Count vectors of documents that were computed, and that were reused."""
        with self._lock:
            self._embedded += embedded
            self._reused += reused

    def note_key(self, key: str, ttl_seconds: float) -> None:
        """Note that the cache has an answer under ``key`` for at most ``ttl_seconds``."""
        with self._lock:
            now = self.clock()
            self._expiry_of_key[key] = now + ttl_seconds
            if len(self._expiry_of_key) >= self._prune_at:  # rarely, so that the cost per key stays constant
                self._prune(now)
                self._prune_at = max(_PRUNE_AT_LEAST, 2 * len(self._expiry_of_key))

    def summary(
        self,
        chunks: int | None,
        documents: int | None,
        waiting: int | None = None,
        *,
        model_loaded: bool,
        prompts: dict[str, str] | None = None,
    ) -> PerformanceStats:
        """Return the current figures."""
        with self._lock:
            self._prune(self.clock())
            self._count_recalled()
            looked = self._hits + self._misses
            return PerformanceStats(
                cache_hit_rate=self._hits / looked if looked else 0.0,
                cache_hits=self._hits,
                cache_misses=self._misses,
                avg_query_time_ms=1000 * self._query_seconds / self._queries if self._queries else 0.0,
                queries=self._queries,
                cache_size=len(self._expiry_of_key),
                first_query_ms=None if self._first_seconds is None else 1000 * self._first_seconds,
                stages={name: times.latencies() for name, times in self._stages.items()},
                paths={name: times.latencies() for name, times in self._paths.items()},
                documents=documents,
                chunks=chunks,
                waiting=waiting,
                embeddings_computed=self._embedded,
                embeddings_reused=self._reused,
                model_loaded=model_loaded,
                prompts=prompts,
            )

    def _count_recalled(self) -> None:
        for _ in range(len(self._recalled)):  # others may append now, but only the holder of the lock removes
            seconds = self._recalled.popleft()
            self._queries += 1
            self._hits += 1
            self._query_seconds += seconds
            self._stages["cache"].add(seconds)
            self._paths["memory"].add(seconds)

    def _prune(self, now: float) -> None:
        self._expiry_of_key = {key: expiry for key, expiry in self._expiry_of_key.items() if expiry > now}


def _percentile(ordered: list[float], part: float) -> float:
    """Return the percentile by nearest rank; 0.0 if there are no values."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0
