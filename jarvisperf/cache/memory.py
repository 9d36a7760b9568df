"""The first tier: the process's own memory, bounded by a number of entries.

A hit must cost next to nothing, so the cache reads ``entries`` itself (see ``SmartCache.get``) and this class does
the rest. Nothing in here can be changed by a caller: an entry holds either an immutable value, given as it is, or
the encoded bytes of any other value, decoded anew for every reader.

Eviction is second chance: entries queue in the order they came; one that was read since it queued goes to the end of
the queue instead of out (F. J. Corbató, "A paging experiment with the Multics system", 1968). A hit then only marks
its entry and needs no lock.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.pattern import KeyPattern


class Entry:
    """One key's value.

    Attributes:
        value: The immutable value, if ``payload`` is None.
        valid_until: For an immutable value the deadline, else minus infinity: so that a hit on an immutable value
            is one comparison, and everything else goes the longer way.
        hits: How often it was read; counted here, it is also the mark of second chance.
        hits_before: ``hits`` when it last queued.
        payload: The encoded value, if it is not immutable.
        deadline: When it expires, by the tier's clock.
    """

    __slots__ = ("deadline", "hits", "hits_before", "payload", "valid_until", "value")

    def __init__(self, value: object, payload: bytes | None, deadline: float) -> None:
        self.value = value
        self.payload = payload
        self.deadline = deadline
        self.valid_until = deadline if payload is None else -math.inf
        self.hits = 0
        self.hits_before = 0


class MemoryTier:
    """Entries by key; threads may share it.

    Args:
        most_entries: More than that are never held; 0: none.
        clock: Monotonic seconds.
    """

    name = "memory"

    def __init__(self, most_entries: int, clock: Callable[[], float]) -> None:
        self.entries: dict[str, Entry] = {}
        self.evictions = 0
        self.holds_any = most_entries > 0
        self._most_entries = most_entries
        self._clock = clock
        self._queue: deque[tuple[str, Entry]] = deque()
        self._lock = threading.Lock()
        self._hits_of_gone = 0

    def live(self, key: str) -> Entry | None:
        """Give the entry of a key unless it has expired."""
        entry = self.entries.get(key)
        if entry is None or entry.deadline > self._clock():
            return entry
        self._drop(key, entry)
        return None

    def now(self) -> float:
        """Give the time by the tier's clock."""
        return self._clock()

    def hold_value(self, key: str, value: object, deadline: float) -> None:
        """Hold a value that nobody can change, until the deadline by the tier's clock."""
        self._hold(key, Entry(value, None, deadline))

    def hold_payload(self, key: str, payload: bytes, deadline: float) -> None:
        """Hold the encoded bytes of a value, until the deadline by the tier's clock."""
        self._hold(key, Entry(None, payload, deadline))

    def get(self, key: str) -> bytes | None:
        """Give the encoded bytes held for a key."""
        entry = self.live(key)
        return None if entry is None else entry.payload

    def put(self, key: str, blob: bytes, seconds: float) -> bool:
        """Hold encoded bytes; whether there is room for any."""
        self.hold_payload(key, blob, self._clock() + seconds)
        return self.holds_any

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        entry = self.live(key)
        return entry is not None and self._drop(key, entry)

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""
        now = self._clock()
        with self._lock:
            found = [key for key in self.entries if pattern.matches(key)]
            return {key for key in found if self._remove(key).deadline > now}

    def clear(self) -> None:
        """Remove every key."""
        with self._lock:
            self._hits_of_gone = self._hits_so_far()
            self.entries.clear()
            self._queue.clear()

    def close(self) -> None:
        """Give the memory back."""
        self.clear()

    def hits(self) -> int:
        """Count the reads of entries."""
        with self._lock:
            return self._hits_so_far()

    def __len__(self) -> int:
        return len(self.entries)

    def _hits_so_far(self) -> int:
        return self._hits_of_gone + sum(entry.hits for entry in self.entries.values())

    def _hold(self, key: str, entry: Entry) -> None:
        if not self.holds_any:
            return
        with self._lock:
            if key in self.entries:
                self._remove(key)
            elif len(self.entries) >= self._most_entries:
                self._evict_one()
            self.entries[key] = entry
            self._queue.append((key, entry))
            if len(self._queue) > 2 * self._most_entries:
                self._forget_replaced()

    def _drop(self, key: str, entry: Entry) -> bool:
        with self._lock:
            if self.entries.get(key) is not entry:  # another thread was first
                return False
            self._remove(key)
            return True

    def _remove(self, key: str) -> Entry:
        entry = self.entries.pop(key)
        self._hits_of_gone += entry.hits
        return entry

    def _evict_one(self) -> None:
        now = self._clock()
        while True:
            key, entry = self._queue.popleft()
            if self.entries.get(key) is not entry:
                continue  # replaced or removed since it queued
            if entry.hits == entry.hits_before or entry.deadline <= now:
                break
            entry.hits_before = entry.hits
            self._queue.append((key, entry))
        self._remove(key)
        self.evictions += 1

    def _forget_replaced(self) -> None:
        self._queue = deque(pair for pair in self._queue if self.entries.get(pair[0]) is pair[1])
