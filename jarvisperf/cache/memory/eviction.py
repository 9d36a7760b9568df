"""Which entry of a full memory goes: LRU, or TinyLFU where the requests of late show that it finds more.

Measured on five public traces (``benchmarks/eviction``), no fixed policy is at or above LRU everywhere: SIEVE,
S3-FIFO and W-TinyLFU all lose where recency is everything. So the cache begins as LRU and changes over when, and for
as long as, a duel on keys alone says so.

A read leaves two marks on its entry (how often, and when last) and touches nothing else: no lock, no list. The order
of the entries is brought up to date when one has to go, which costs a few steps of a heap per eviction:

- LRU: the entry whose last use is longest ago.
- W-TinyLFU: new entries pass a window of 5 %; one that leaves it takes the place of the main part's oldest entry if it
  was asked for more often lately. Of the main part, entries that were read again are protected (Einziger, Friedman and
  Manes, ACM Trans. Storage 13, 2017; segments: Karedla, Love and Wherry, IEEE Computer 27, 1994).
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.memory.policy_trial import Duel, protected_size, window_size
from jarvisperf.cache.memory.sketch import FrequencySketch

if TYPE_CHECKING:
    from jarvisperf.cache.memory.entry import Entry

_ROUNDS_PER_CAPACITY: Final = 16
_LEAST_ROUND: Final = 8
_SLACK: Final = 64


class Segment:
    """Entries by rank, the lowest first; what has moved on or gone is skipped when it comes to the top."""

    __slots__ = ("count", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Entry]] = []
        self.count = 0

    def push(self, entry: Entry, rank: float, number: int) -> None:
        """Take an entry in; the number tells entries of one rank apart."""
        entry.segment, entry.ranked = self, entry.used
        self.count += 1
        heapq.heappush(self.heap, (rank, number, entry))

    def leave(self, entry: Entry) -> None:
        """Let an entry go."""
        entry.segment = None
        self.count -= 1
        if len(self.heap) > 2 * self.count + _SLACK:
            self.heap[:] = [item for item in self.heap if item[2].segment is self]
            heapq.heapify(self.heap)

    def top(self) -> Entry | None:
        """Give the entry of the lowest rank."""
        while self.heap and self.heap[0][2].segment is not self:
            heapq.heappop(self.heap)
        return self.heap[0][2] if self.heap else None


class Eviction:
    """Chooses the entries that go; not thread-safe.

    Args:
        most_items: Of the memory.
    """

    def __init__(self, most_items: int) -> None:
        self._counts = FrequencySketch(most_items)
        self._duel = Duel(most_items)
        self._by_frequency = False
        self._window, self._probation, self._protected = Segment(), Segment(), Segment()
        self._numbers = itertools.count()
        self._latest = 0.0
        self._played: dict[str, Entry] = {}
        self._asked: list[tuple[float, str, int]] = []
        self._room = most_items
        self._added_in_round = 0

    def add(self, entry: Entry) -> None:
        """Take note of a new entry, which somebody asked for in vain."""
        self._latest = entry.used
        self._counts.add(entry.key)
        self._push(self._window, entry)
        if self._duel.plays(entry.key):
            self._played[entry.key] = entry
            self._asked.append((entry.used, entry.key, 1))
        self._added_in_round += 1
        if self._added_in_round >= max(_LEAST_ROUND, self._room // _ROUNDS_PER_CAPACITY):
            self._end_round()

    def remove(self, entry: Entry) -> None:
        """Take note that an entry is gone."""
        if entry.segment is not None:
            entry.segment.leave(entry)
        self._count_reads(entry)
        if self._played.get(entry.key) is entry:
            self._note_reads(entry)
            del self._played[entry.key]

    def victim(self) -> Entry | None:
        """Give the entry that should go; it is to be removed next. None: there is none."""
        # Where the bytes are the tighter bound, there is room for fewer entries than the number of items would allow.
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
        """Forget every entry; what is known about the requests stays."""
        for segment in (self._window, self._probation, self._protected):
            for _, _, entry in segment.heap:
                entry.segment = None
            segment.heap.clear()
            segment.count = 0
        self._played.clear()

    def _push(self, segment: Segment, entry: Entry, rank: float | None = None) -> None:
        segment.push(entry, entry.used if rank is None else rank, next(self._numbers))

    def _move(self, entry: Entry | None, segment: Segment, rank: float | None = None) -> None:
        if entry is not None and entry.segment is not None:
            entry.segment.leave(entry)
            self._push(segment, entry, rank)

    def _oldest(self, segment: Segment) -> Entry | None:
        """Give the entry whose last use is longest ago, having put those that were read in their places."""
        while (entry := segment.top()) is not None and entry.used != entry.ranked:
            self._count_reads(entry)
            entry.ranked = entry.used
            heapq.heapreplace(segment.heap, (entry.used, next(self._numbers), entry))
        return entry

    def _oldest_on_probation(self) -> Entry | None:
        while (entry := self._probation.top()) is not None and entry.used != entry.ranked:
            self._count_reads(entry)
            self._move(entry, self._protected)
            while self._protected.count > protected_size(self._room):
                # It has as long again as if it had just come.
                self._move(self._oldest(self._protected), self._probation, self._latest)
        return entry

    def _count(self, entry: Entry) -> int:
        self._count_reads(entry)
        return self._counts.count(entry.key)

    def _count_reads(self, entry: Entry) -> None:
        if entry.hits != entry.counted_hits:
            self._counts.add(entry.key, entry.hits - entry.counted_hits)
            entry.counted_hits = entry.hits

    def _note_reads(self, entry: Entry) -> None:
        if entry.hits != entry.played_hits:
            self._asked.append((entry.used, entry.key, entry.hits - entry.played_hits))
            entry.played_hits = entry.hits

    def _end_round(self) -> None:
        """Play what was asked for since the last time, in its order, and change over if that shows something."""
        self._added_in_round = 0
        for entry in self._played.values():
            self._note_reads(entry)
        self._asked.sort()
        for _, key, times in self._asked:
            self._duel.ask(key, times, self._room)
        self._asked.clear()
        if self._duel.frequency_leads != self._by_frequency:
            self._by_frequency = self._duel.frequency_leads
            if not self._by_frequency:
                self._move_all_to_window()

    def _move_all_to_window(self) -> None:
        for segment in (self._probation, self._protected):
            for entry in [item[2] for item in segment.heap if item[2].segment is segment]:
                self._move(entry, self._window)
