"""The first tier: the process's own memory, bounded by a number of entries and by their bytes.

A hit must cost next to nothing, so the cache reads ``entries`` itself (see ``SmartCache.get``) and this class does
the rest. Nothing in here can be changed by a caller: see ``isolation.py``. What goes when it is full is decided in
``eviction.py``; what has expired goes before that.
"""

from __future__ import annotations

import heapq
import itertools
import math
import sys
import threading
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.memory.entry import LOOK_AGAIN_SECONDS, Entry
from jarvisperf.cache.memory.eviction import Eviction
from jarvisperf.cache.outage.latency import Latency
from jarvisperf.cache.values.isolation import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.outage.store import Write

MOST_BYTES: Final = 2**28
"""Default bound of the memory tier."""

# What an entry, its place in the dictionary and its places in the queues take up, beside key and value.
_ENTRY_BYTES: Final = 450
# What a tag takes up that no other entry has: its list of keys, which is the largest part of it.
_TAG_BYTES: Final = 230
# A write removes at most so many expired entries, so that none of them pays for all.
_SWEPT_PER_WRITE: Final = 16
_SLACK: Final = 64


class MemoryTier:
    """Entries by key; threads may share it.

    Args:
        most_entries: More than that are never held; 0: none.
        clock: Monotonic seconds.
        most_bytes: More than about that are never held.

    Attributes:
        entries: What is held, for reading only; some of it may have expired.
        evictions: Entries that made room for others.
        bytes: About how much is held.
        latency: Of hits, where the cache measures one.
    """

    name = "memory"

    def __init__(self, most_entries: int, clock: Callable[[], float], most_bytes: int = MOST_BYTES) -> None:
        self.entries: dict[str, Entry] = {}
        self.evictions = 0
        self.bytes = 0
        self.holds_any = most_entries > 0
        self.latency = Latency()
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._clock = clock
        self._eviction = Eviction(max(1, most_entries))
        self._expiring: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._keys_by_tag: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._hits_of_gone = 0

    def live(self, key: str) -> Entry | None:
        """Give the entry of a key unless it is past even ``stale_until``."""
        entry = self.entries.get(key)
        if entry is None or entry.stale_until > self._clock():
            return entry
        self._drop(key, entry)
        return None

    def now(self) -> float:
        """Give the time by the tier's clock."""
        return self._clock()

    def hold(
        self,
        key: str,
        held: Held,
        *,
        deadline: float,
        stale_until: float = -math.inf,
        check_at: float = math.inf,
        version: int = 0,
        tags: tuple[str, ...] = (),
        compute_seconds: float = 0.0,
    ) -> bool:
        """Hold a value; whether there is room for it.

        Args:
            key: The key.
            held: The value, out of every caller's reach.
            deadline: When it expires; this and the following are seconds by the tier's clock.
            stale_until: How long it may be served in place of a failure; never before the deadline.
            check_at: From then on a hit needs a second look.
            version: Of the write; 0: none.
            tags: What it can be invalidated by.
            compute_seconds: How long it took to compute.
        """
        if not self.holds_any:
            return False
        now = self._clock()
        entry = Entry(
            key,
            held.value,
            held.thaw,
            held.size_bytes + sys.getsizeof(key) + _ENTRY_BYTES + (_tags_bytes(tags) if tags else 0),
            now=now,
            check_at=check_at,
            deadline=deadline,
            stale_until=max(deadline, stale_until),
            version=version,
            tags=tags,
            compute_seconds=compute_seconds,
        )
        with self._lock:
            if key in self.entries:
                self._remove(key)
            if entry.size_bytes > self._most_bytes:
                return False
            self._make_room(entry.size_bytes, now)
            self._insert(entry)
        return True

    def prolong(self, key: str, *, deadline: float, stale_until: float = -math.inf, check_at: float = math.inf) -> bool:
        """Give the entry of a key another time to live; whether it is there."""
        now = self._clock()
        with self._lock:
            entry = self.entries.get(key)
            if entry is None or entry.deadline <= now:
                return False
            entry.deadline, entry.stale_until = deadline, max(deadline, stale_until)
            entry.check_at, entry.valid_until = check_at, min(deadline, check_at, now + LOOK_AGAIN_SECONDS)
            self._watch_expiry(entry)
            return True

    def get(self, key: str) -> bytes | None:
        """Give the encoded bytes held for a key."""
        entry = self.live(key)
        return entry.value if entry is not None and isinstance(entry.value, bytes) else None

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Hold encoded bytes; whether there is room for them."""
        held = Held(blob, None, sys.getsizeof(blob))
        return self.hold(key, held, deadline=self._clock() + seconds, tags=tags)

    def put_many(self, writes: Collection[Write]) -> bool:
        """Hold several; whether there is room for each."""
        return sum(self.put(*write) for write in writes) == len(writes)

    def get_many(self, keys: Collection[str]) -> dict[str, bytes]:
        """Give the encoded bytes held for keys."""
        return {key: blob for key in keys if (blob := self.get(key)) is not None}

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there and had not expired."""
        entry = self.live(key)
        return entry is not None and self._drop(key, entry) and entry.deadline > self._clock()

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; returns those that were there."""
        return {key for key in keys if self.delete(key)}

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Give the keys that match and have not expired."""
        now = self._clock()
        with self._lock:
            return {key for key, entry in self.entries.items() if entry.deadline > now and pattern.matches(key)}

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those that had not expired."""
        with self._lock:
            return self._remove_all([key for key in self.entries if pattern.matches(key)])

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; returns those that had not expired."""
        with self._lock:
            return self._remove_all({key for tag in tags for key in self._keys_by_tag.get(tag, ())})

    def clear(self) -> None:
        """Remove every key."""
        with self._lock:
            self._hits_of_gone = self._hits_so_far()
            for entry in self.entries.values():
                entry.held = False
            self.entries.clear()
            self._eviction.clear()
            self._expiring.clear()
            self._keys_by_tag.clear()
            self.bytes = 0

    def close(self) -> None:
        """Give the memory back."""
        self.clear()

    def after_fork(self) -> None:
        """Take a new lock: in a child, the old one may be held by a thread that does not exist there."""
        was_changing = self._lock.locked()
        self._lock = threading.Lock()
        if was_changing:  # and stopped half-way
            self.clear()

    def hits(self) -> int:
        """Count the reads of entries."""
        with self._lock:
            return self._hits_so_far()

    def size(self) -> tuple[int, int]:
        """Count the entries and their bytes, expired ones that nobody asked for included."""
        return len(self.entries), self.bytes

    def __len__(self) -> int:
        return len(self.entries)

    def _hits_so_far(self) -> int:
        return self._hits_of_gone + sum(entry.hits for entry in self.entries.values())

    def _make_room(self, size_bytes: int, now: float) -> None:
        for _ in range(_SWEPT_PER_WRITE):
            if not self._expiring:
                break
            due, _, entry = self._expiring[0]
            is_watched = entry.held and entry.stale_until == due
            if is_watched and due > now:
                break
            heapq.heappop(self._expiring)
            if is_watched:
                self._remove(entry.key)
        while self.entries and (len(self.entries) >= self._most_entries or self.bytes + size_bytes > self._most_bytes):
            victim = self._eviction.victim()
            if victim is None:
                return
            self._remove(victim.key)
            self.evictions += victim.deadline > now

    def _insert(self, entry: Entry) -> None:
        self.entries[entry.key] = entry
        self.bytes += entry.size_bytes
        self._eviction.add(entry)
        for tag in entry.tags:
            self._keys_by_tag.setdefault(tag, set()).add(entry.key)
        self._watch_expiry(entry)

    def _watch_expiry(self, entry: Entry) -> None:
        if entry.stale_until == math.inf:
            return
        heapq.heappush(self._expiring, (entry.stale_until, next(self._numbers), entry))
        if len(self._expiring) > 2 * len(self.entries) + _SLACK:
            self._expiring = [item for item in self._expiring if item[2].held and item[0] == item[2].stale_until]
            heapq.heapify(self._expiring)

    def _drop(self, key: str, entry: Entry) -> bool:
        with self._lock:
            if self.entries.get(key) is not entry:  # another thread was first
                return False
            self._remove(key)
            return True

    def _remove_all(self, keys: Collection[str]) -> set[str]:
        now = self._clock()
        return {key for key in keys if self._remove(key).deadline > now}

    def _remove(self, key: str) -> Entry:
        entry = self.entries.pop(key)
        entry.held = False
        self._hits_of_gone += entry.hits
        self.bytes -= entry.size_bytes
        self._eviction.remove(entry)
        for tag in entry.tags:
            keys = self._keys_by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._keys_by_tag[tag]
        return entry


def _tags_bytes(tags: tuple[str, ...]) -> int:
    return sys.getsizeof(tags) + sum(sys.getsizeof(tag) + _TAG_BYTES for tag in tags)
