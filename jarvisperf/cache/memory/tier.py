"""The first tier: the process's own memory, bounded by a number of entries and by their bytes.

Callers cannot change the values it holds (see ``values/isolation.py``). When it is full, it removes expired entries
first, then those that ``eviction.py`` chooses.
"""

from __future__ import annotations

import heapq
import itertools
import math
import sys
import time
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.memory.changes import LATER, Changes
from jarvisperf.cache.memory.compiled import compiled_reader
from jarvisperf.cache.memory.eviction import LOOK_AGAIN_SECONDS, Eviction, MemoryEntry
from jarvisperf.cache.outage.latency import Latency
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.values.isolation import Held

MOST_BYTES: Final = 2**28
"""Default size limit of the memory tier."""

# Size of an entry and its slots in the dictionary and the queues, excluding key and value.
_ENTRY_BYTES: Final = 560
# Size of a tag that no other entry has; the set of its keys takes most of it.
_TAG_BYTES: Final = 230
# A write removes at most this many expired entries, so that no single write pays for all of them.
_SWEPT_PER_WRITE: Final = 16
_SLACK: Final = 64
_hits_of: Final = attrgetter("hits")
_MONOTONIC: Final = time.monotonic


class MemoryTier:
    """Entries by key; threads may share it.

    Args:
        most_entries: Maximum number of entries; 0 disables the tier.
        clock: Monotonic clock in seconds.
        most_bytes: Approximate maximum size.

    Attributes:
        entries: The entries by key, for reading only; some may have expired.
        evictions: Entries evicted to make room.
        bytes: Approximate size of the entries.
        latency: Latency of the hits that are timed.
    """

    name = "memory"

    def __init__(self, most_entries: int, clock: Callable[[], float], most_bytes: int = MOST_BYTES) -> None:
        self.entries: dict[str, MemoryEntry] = {}
        self.evictions = 0
        self.bytes = 0
        self.holds_any = most_entries > 0
        self.latency = Latency()
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._clock = clock
        self._eviction = Eviction(max(1, most_entries))
        self._expiring: list[tuple[float, int, MemoryEntry]] = []
        self._numbers = itertools.count()
        self._keys_by_tag: dict[str, set[str]] = {}
        self._changes = Changes()
        self._hits_of_gone = 0

    def make_reader(self, otherwise: Callable[[str, Any], Any]) -> Callable[..., Any]:
        """Return a function that returns a key's value from memory, and calls ``otherwise`` for everything else.

        A hit costs one lookup, one comparison and two assignments to the entry. Keeping a total of hits would make it
        10 % slower, as would attributes of an object instead of a closure.

        Args:
            otherwise: Called with the key, which may be any object, and the default.
        """
        compiled = compiled_reader()
        if compiled is not None:
            reader: Callable[..., Any] = compiled.make_reader(
                self.entries, self._clock, otherwise, self._drop, MemoryEntry, UNREADABLE_BECAUSE,
                self._clock is _MONOTONIC,
            )  # fmt: skip
            return reader
        entries, clock = self.entries, self._clock

        def get(key: str, default: Any = None) -> Any:
            try:
                entry = entries[key]
            except (KeyError, TypeError):
                return otherwise(key, default)
            now = clock()
            if entry.valid_until > now:
                entry.hits += 1
                entry.used = now
                thaw = entry.thaw
                if thaw is None:
                    return entry.value
                try:
                    return thaw(entry.value)
                except UNREADABLE_BECAUSE:  # its class was defined again, with other fields
                    self._drop(key, entry)
            return otherwise(key, default)

        return get

    def live(self, key: str) -> MemoryEntry | None:
        """Return the entry of a key unless it is past even ``stale_until``."""
        entry = self.entries.get(key)
        if entry is None or entry.stale_until > self._clock():
            return entry
        self._drop(key, entry)
        return None

    def count_hit(self, entry: MemoryEntry) -> None:
        """Count a hit that does not go through a reader."""
        entry.hits += 1
        entry.used = self._clock()

    def now(self) -> float:
        """Return the time by the tier's clock."""
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
        """Store a value; return whether it fits.

        Args:
            key: The key.
            held: The value, in a form that no caller can change.
            deadline: When it expires; this and the next two are seconds by the tier's clock.
            stale_until: Until this time, it may be served stale; at least until the deadline.
            check_at: From this time on, the tiers below must be asked first.
            version: Version of the write; 0 if it has none.
            tags: Tags by which it can be invalidated.
            compute_seconds: How long it took to compute.
        """
        if not self.holds_any:
            return False
        now = self._clock()
        entry = MemoryEntry(
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
        is_held = self._changes.make(self._store, entry, now)
        if is_held is LATER:
            self._expire((key,))
        return is_held is not False

    def prolong(self, key: str, *, deadline: float, stale_until: float = -math.inf, check_at: float = math.inf) -> bool:
        """Give the entry of a key a new time to live; return whether the key has an entry."""
        entry, now = self.entries.get(key), self._clock()
        if entry is None or entry.deadline <= now:
            return False

        def prolong() -> bool:
            if not entry.is_held or entry.deadline <= now:
                return False
            entry.deadline, entry.stale_until = deadline, max(deadline, stale_until)
            entry.check_at, entry.valid_until = check_at, min(deadline, check_at, now + LOOK_AGAIN_SECONDS)
            self._watch_expiry(entry)
            return True

        return self._changes.make(prolong) is not False

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it existed and had not expired."""
        entry = self.live(key)
        is_fresh = entry is not None and entry.deadline > self._clock()
        return entry is not None and self._drop(key, entry) and is_fresh

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys that match and have not expired."""
        now = self._clock()
        with self._changes.lock:
            return {key for key, entry in list(self.entries.items()) if entry.deadline > now and pattern.matches(key)}

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; return those that had not expired."""
        return self._remove_where(lambda: [key for key in list(self.entries) if pattern.matches(key)])

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; return those that had not expired."""
        return self._remove_where(lambda: {key for tag in tags for key in list(self._keys_by_tag.get(tag, ()))})

    def clear(self) -> None:
        """Remove every key."""
        if self._changes.make(self._clear) is LATER:
            self._expire(list(self.entries))

    def close(self) -> None:
        """Release the memory."""
        self.clear()

    def after_fork(self) -> None:
        """Replace the lock: a thread of the parent may have held it."""
        was_changing = self._changes.is_changing
        self._changes = Changes()
        if was_changing:  # and did not finish
            self.clear()

    def hits(self) -> int:
        """Return the number of hits, summed over all entries at about 50 ns each."""
        with self._changes.lock:
            return self._hits_so_far()

    def size(self) -> tuple[int, int]:
        """Return the number of entries and their bytes, including expired ones that have not been removed yet."""
        return len(self.entries), self.bytes

    def __len__(self) -> int:
        return len(self.entries)

    def _hits_so_far(self) -> int:
        entries = list(
            self.entries.values()
        )  # in one step, which a signal handler that uses the cache cannot interrupt
        held: int = sum(map(_hits_of, entries))
        return self._hits_of_gone + held

    def _store(self, entry: MemoryEntry, now: float) -> bool:
        if entry.key in self.entries:
            self._remove(entry.key)
        if entry.size_bytes > self._most_bytes:
            return False
        self._make_room(entry.size_bytes, now)
        self._insert(entry)
        return True

    def _clear(self) -> None:
        self._hits_of_gone = self._hits_so_far()
        for entry in self.entries.values():
            entry.is_held = False
        self.entries.clear()
        self._eviction.clear()
        self._expiring.clear()
        self._keys_by_tag.clear()
        self.bytes = 0

    def _expire(self, keys: Collection[str]) -> None:
        """Let nobody read the entries of these keys, which are about to be replaced or removed."""
        for key in keys:
            entry = self.entries.get(key)
            if entry is not None:
                entry.valid_until = entry.deadline = entry.stale_until = -math.inf

    def _make_room(self, size_bytes: int, now: float) -> None:
        for _ in range(_SWEPT_PER_WRITE):
            if not self._expiring:
                break
            due, _, entry = self._expiring[0]
            is_watched = entry.is_held and entry.stale_until == due
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

    def _insert(self, entry: MemoryEntry) -> None:
        self.entries[entry.key] = entry
        self.bytes += entry.size_bytes
        for tag in entry.tags:
            self._keys_by_tag.setdefault(tag, set()).add(entry.key)
        self._watch_expiry(entry)
        self._eviction.add(entry)

    def _watch_expiry(self, entry: MemoryEntry) -> None:
        if entry.stale_until == math.inf:
            return
        heapq.heappush(self._expiring, (entry.stale_until, next(self._numbers), entry))
        if len(self._expiring) > 2 * len(self.entries) + _SLACK:
            self._expiring = [item for item in self._expiring if item[2].is_held and item[0] == item[2].stale_until]
            heapq.heapify(self._expiring)

    def _drop(self, key: str, entry: MemoryEntry) -> bool:
        was_dropped = self._changes.make(self._remove_entry, key, entry)
        if was_dropped is LATER:
            self._expire((key,))
        return was_dropped is not False

    def _remove_entry(self, key: str, entry: MemoryEntry) -> bool:
        if self.entries.get(key) is not entry:  # another thread was first
            return False
        self._remove(key)
        return True

    def _remove_where(self, choose: Callable[[], Collection[str]]) -> set[str]:
        def remove() -> set[str]:
            now = self._clock()
            return {key for key in choose() if self._remove(key).deadline > now}

        removed = self._changes.make(remove)
        if removed is not LATER:
            gone: set[str] = removed
            return gone
        keys, now = choose(), self._clock()
        live = {key for key in keys if (entry := self.entries.get(key)) is not None and entry.deadline > now}
        self._expire(keys)
        return live

    def _remove(self, key: str) -> MemoryEntry:
        entry = self.entries.pop(key)
        entry.is_held = False
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
