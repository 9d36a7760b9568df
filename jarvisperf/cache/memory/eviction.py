"""Memory eviction policy: LRU, switching to W-TinyLFU while recent requests show a higher hit rate.

On five public traces (``benchmarks/eviction``), no fixed policy does at least as well as LRU on all of them: SIEVE,
S3-FIFO and W-TinyLFU lose where only recency counts. So the cache starts with LRU, and switches when a simulation of
both policies (``policy_trial``) favours the other one.

A read only updates the hit count and the time of last use of its entry; it needs no lock and no list. The order of the
entries is updated when one must be evicted, which costs a few steps of a heap:

- LRU evicts the least recently used entry.
- W-TinyLFU admits new entries to a window of 5 %. An entry that leaves the window replaces the oldest entry of the main
  part if it was requested more often recently. Entries of the main part that were read again are protected (Einziger,
  Friedman and Manes, ACM Trans. Storage 13, 2017; segments: Karedla, Love and Wherry, IEEE Computer 27, 1994).
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.memory.policy_trial import FrequencySketch, PolicyTrial, protected_size, window_size

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS_PER_CAPACITY: Final = 16
_LEAST_ROUND: Final = 8
_SLACK: Final = 64
LOOK_AGAIN_SECONDS: Final = 1.0
"""The hits of a key are timed at most this often."""


class MemoryEntry:
    """The value of one key in memory.

    A hit checks ``entry.valid_until > now``, sets ``entry.hits += 1`` and ``entry.used = now``, and returns
    ``entry.value`` if ``thaw`` is None, otherwise ``entry.thaw(entry.value)``.

    Attributes:
        key: The key.
        value: The value itself, or the input of ``thaw``.
        thaw: Makes the reader's own copy; None if the value is immutable and therefore shared.
        valid_until: Until this time, a hit needs no further check. At most ``deadline`` and ``check_at``, and never far
            away, so that hits are timed now and then.
        check_at: From this time on, the tiers below must be asked first.
        deadline: When it expires, in seconds by the tier's clock.
        stale_until: Until this time, it may be served stale; at least ``deadline``.
        hits: How often it was read.
        used: When it was last read or written, in seconds by the tier's clock.
        version: Version of the write; 0 if it has none.
        tags: Tags by which it can be invalidated.
        compute_seconds: How long it took to compute.
        size_bytes: Approximate size in memory.
        is_held: Whether it is still in memory.
        segment: Its segment in the eviction policy, which owns this and the following attributes.
        ranked: The value of ``used`` when it was last ranked.
        counted_hits: How many of the hits the policy's sketch has counted.
        sampled_hits: How many of the hits the policy trial has seen.
    """

    __slots__ = (
        "check_at", "compute_seconds", "counted_hits", "deadline", "hits", "is_held", "key", "ranked", "sampled_hits",
        "segment", "size_bytes", "stale_until", "tags", "thaw", "used", "valid_until", "value", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - it has that many fields
        self,
        key: str,
        value: object,
        thaw: Callable[[Any], object] | None,
        size_bytes: int,
        *,
        now: float,
        check_at: float,
        deadline: float,
        stale_until: float,
        version: int,
        tags: tuple[str, ...],
        compute_seconds: float,
    ) -> None:
        self.key = key
        self.value = value
        self.thaw = thaw
        self.size_bytes = size_bytes
        self.used = now
        self.check_at = check_at
        self.valid_until = min(deadline, check_at, now + LOOK_AGAIN_SECONDS)
        self.deadline = deadline
        self.stale_until = stale_until
        self.version = version
        self.tags = tags
        self.compute_seconds = compute_seconds
        self.hits = 0
        self.counted_hits = 0
        self.sampled_hits = 0
        self.is_held = True
        self.segment: Segment | None = None
        self.ranked = now


class Segment:
    """Entries by rank, lowest first; entries that moved or left are skipped when they reach the top."""

    __slots__ = ("count", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, MemoryEntry]] = []
        self.count = 0

    def push(self, entry: MemoryEntry, rank: float, number: int) -> None:
        """Add an entry; the number orders entries of the same rank."""
        entry.segment, entry.ranked = self, entry.used
        self.count += 1
        heapq.heappush(self.heap, (rank, number, entry))

    def leave(self, entry: MemoryEntry) -> None:
        """Remove an entry."""
        entry.segment = None
        self.count -= 1
        if len(self.heap) > 2 * self.count + _SLACK:
            self.heap[:] = [item for item in self.heap if item[2].segment is self]
            heapq.heapify(self.heap)

    def top(self) -> MemoryEntry | None:
        """Return the entry of the lowest rank."""
        while self.heap and self.heap[0][2].segment is not self:
            heapq.heappop(self.heap)
        return self.heap[0][2] if self.heap else None


class Eviction:
    """Chooses the entries to evict; not thread-safe.

    Args:
        most_items: Maximum number of entries.
    """

    def __init__(self, most_items: int) -> None:
        self._counts = FrequencySketch(most_items)
        self._trial = PolicyTrial(most_items)
        self._by_frequency = False
        self._window, self._probation, self._protected = Segment(), Segment(), Segment()
        self._numbers = itertools.count()
        self._latest = 0.0
        self._sampled: dict[str, MemoryEntry] = {}
        self._requests: list[tuple[float, str, int]] = []
        self._room = most_items
        self._added_in_round = 0

    def add(self, entry: MemoryEntry) -> None:
        """Register an entry inserted after a miss."""
        self._latest = entry.used
        self._counts.add(entry.key)
        if self._trial.samples(entry.key):
            self._sampled[entry.key] = entry
            self._requests.append((entry.used, entry.key, 1))
        self._push(self._window, entry)
        self._added_in_round += 1
        if self._added_in_round >= max(_LEAST_ROUND, self._room // _ROUNDS_PER_CAPACITY):
            self._end_round()

    def remove(self, entry: MemoryEntry) -> None:
        """Register that an entry was removed."""
        if entry.segment is not None:
            entry.segment.leave(entry)
        self._count_reads(entry)
        if self._sampled.get(entry.key) is entry:
            self._note_reads(entry)
            del self._sampled[entry.key]

    def victim(self) -> MemoryEntry | None:
        """Return the entry to evict, which the caller must remove next; None if memory is empty."""
        # If bytes are the tighter limit, fewer entries fit than the maximum number.
        self._room = self._window.count + self._probation.count + self._protected.count
        if not self._by_frequency:
            return self._oldest(self._window)
        while self._window.count > window_size(self._room):
            self._move(self._oldest(self._window), self._probation)
        candidate = self._oldest(self._window)
        rival = self._oldest_on_probation() or self._oldest(self._protected)
        if candidate is None or rival is None:
            return candidate or rival
        if self._count(candidate) <= self._count(rival):
            return candidate
        self._move(candidate, self._probation)
        return rival

    def clear(self) -> None:
        """Forget every entry, but keep the statistics of requests."""
        for segment in (self._window, self._probation, self._protected):
            for _, _, entry in segment.heap:
                entry.segment = None
            segment.heap.clear()
            segment.count = 0
        self._sampled.clear()

    def _push(self, segment: Segment, entry: MemoryEntry, rank: float | None = None) -> None:
        segment.push(entry, entry.used if rank is None else rank, next(self._numbers))

    def _move(self, entry: MemoryEntry | None, segment: Segment, rank: float | None = None) -> None:
        if entry is not None and entry.segment is not None:
            entry.segment.leave(entry)
            self._push(segment, entry, rank)

    def _oldest(self, segment: Segment) -> MemoryEntry | None:
        """Return the least recently used entry, after re-ranking those that were read."""
        while (entry := segment.top()) is not None and entry.used != entry.ranked:
            self._count_reads(entry)
            entry.ranked = entry.used
            heapq.heapreplace(segment.heap, (entry.used, next(self._numbers), entry))
        return entry

    def _oldest_on_probation(self) -> MemoryEntry | None:
        while (entry := self._probation.top()) is not None and entry.used != entry.ranked:
            self._count_reads(entry)
            self._move(entry, self._protected)
            while self._protected.count > protected_size(self._room):
                # A demoted entry is treated like a new arrival.
                self._move(self._oldest(self._protected), self._probation, self._latest)
        return entry

    def _count(self, entry: MemoryEntry) -> int:
        self._count_reads(entry)
        return self._counts.count(entry.key)

    def _count_reads(self, entry: MemoryEntry) -> None:
        if entry.hits != entry.counted_hits:
            self._counts.add(entry.key, entry.hits - entry.counted_hits)
            entry.counted_hits = entry.hits

    def _note_reads(self, entry: MemoryEntry) -> None:
        if entry.hits != entry.sampled_hits:
            self._requests.append((entry.used, entry.key, entry.hits - entry.sampled_hits))
            entry.sampled_hits = entry.hits

    def _end_round(self) -> None:
        """Feed the requests since the last round to the trial, in order, and switch policies if it says so."""
        self._added_in_round = 0
        for entry in self._sampled.values():
            self._note_reads(entry)
        self._requests.sort()
        for _, key, times in self._requests:
            self._trial.request(key, times, self._room)
        self._requests.clear()
        if self._trial.frequency_leads != self._by_frequency:
            self._by_frequency = self._trial.frequency_leads
            if not self._by_frequency:
                self._move_all_to_window()

    def _move_all_to_window(self) -> None:
        for segment in (self._probation, self._protected):
            for entry in [item[2] for item in segment.heap if item[2].segment is segment]:
                self._move(entry, self._window)
