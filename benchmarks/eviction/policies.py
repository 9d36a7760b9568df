"""The policies that were compared, on keys alone: a request for a key leaves the key in the cache."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict, deque
from typing import Protocol

from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.values.isolation import Held


class Policy(Protocol):
    """A cache of a fixed number of keys."""

    def __init__(self, size: int) -> None:
        """Create a cache for this many keys."""

    def ask(self, key: str) -> bool:
        """Request a key, and return whether it was there."""


class Lru:
    """Least recently used: the one to beat."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[str, None] = OrderedDict()

    def ask(self, key: str) -> bool:
        """Request a key, and return whether it was there."""
        if key in self._keys:
            self._keys.move_to_end(key)
            return True
        if len(self._keys) >= self._size:
            self._keys.popitem(last=False)
        self._keys[key] = None
        return False


class Sieve:
    """Y. Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._visited: dict[str, bool] = {}
        self._newer: dict[str, str | None] = {}
        self._older: dict[str, str | None] = {}
        self._newest: str | None = None
        self._oldest: str | None = None
        self._hand: str | None = None

    def ask(self, key: str) -> bool:
        """Request a key, and return whether it was there."""
        if key in self._visited:
            self._visited[key] = True
            return True
        if len(self._visited) >= self._size:
            self._evict()
        self._visited[key] = False
        self._older[key], self._newer[key] = self._newest, None
        if self._newest is not None:
            self._newer[self._newest] = key
        self._newest = key
        if self._oldest is None:
            self._oldest = key
        return False

    def _evict(self) -> None:
        hand = self._hand or self._oldest
        assert hand is not None
        while self._visited[hand]:
            self._visited[hand] = False
            following = self._newer[hand] or self._oldest
            assert following is not None
            hand = following
        self._hand = self._newer[hand]
        newer, older = self._newer.pop(hand), self._older.pop(hand)
        if newer is None:
            self._newest = older
        else:
            self._older[newer] = older
        if older is None:
            self._oldest = newer
        else:
            self._newer[older] = newer
        del self._visited[hand]


class S3Fifo:
    """J. Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023: a small queue of 10 %."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._most_small = max(1, size // 10)
        self._small: deque[str] = deque()
        self._main: deque[str] = deque()
        self._ghosts: OrderedDict[str, None] = OrderedDict()
        self._reads: dict[str, int] = {}

    def ask(self, key: str) -> bool:
        """Request a key, and return whether it was there."""
        if key in self._reads:
            self._reads[key] = min(3, self._reads[key] + 1)
            return True
        while len(self._reads) >= self._size:
            self._evict()
        self._reads[key] = 0
        if key in self._ghosts:
            del self._ghosts[key]
            self._main.append(key)
        else:
            self._small.append(key)
        return False

    def _evict(self) -> None:
        if len(self._small) >= self._most_small or not self._main:
            while self._small:
                key = self._small.popleft()
                if self._reads[key] > 0:
                    self._reads[key] = 0
                    self._main.append(key)
                    continue
                del self._reads[key]
                self._ghosts[key] = None
                if len(self._ghosts) > self._size:
                    self._ghosts.popitem(last=False)
                return
        while self._main:
            key = self._main.popleft()
            if self._reads[key] == 0:
                del self._reads[key]
                return
            self._reads[key] -= 1
            self._main.append(key)


class WTinyLfu:
    """G. Einziger et al., "TinyLFU", ACM TOS 13, 2017: a window of 1 %, exact counts in place of a sketch."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._most_window = max(1, size // 100)
        self._most_protected = int(0.8 * (size - self._most_window))
        self._window: OrderedDict[str, None] = OrderedDict()
        self._probation: OrderedDict[str, None] = OrderedDict()
        self._protected: OrderedDict[str, None] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._asked = 0

    def ask(self, key: str) -> bool:
        """Request a key, and return whether it was there."""
        self._count(key)
        for part in (self._window, self._protected):
            if key in part:
                part.move_to_end(key)
                return True
        if key in self._probation:
            del self._probation[key]
            self._protected[key] = None
            if len(self._protected) > self._most_protected:
                self._probation[self._protected.popitem(last=False)[0]] = None
            return True
        self._window[key] = None
        if len(self._window) > self._most_window:
            self._admit(self._window.popitem(last=False)[0])
        return False

    def _admit(self, candidate: str) -> None:
        if len(self._window) + len(self._probation) + len(self._protected) >= self._size:
            rivals = self._probation or self._protected
            if not rivals:
                return
            rival = next(iter(rivals))
            if self._counts.get(candidate, 0) <= self._counts.get(rival, 0):
                return
            del rivals[rival]
        self._probation[candidate] = None

    def _count(self, key: str) -> None:
        self._counts[key] = min(15, self._counts.get(key, 0) + 1)
        self._asked += 1
        if self._asked >= 10 * self._size:
            self._asked //= 2
            self._counts = {name: count // 2 for name, count in self._counts.items() if count > 1}


class JarvisPerf:
    """The memory tier of ``SmartCache`` itself."""

    def __init__(self, size: int) -> None:
        ticks = itertools.count(1)
        self._tier = MemoryTier(size, lambda: float(next(ticks)))
        self._held = Held(None, None, 16)

    def ask(self, key: str) -> bool:
        """Request a key, and return whether it was there."""
        entry = self._tier.entries.get(key)
        if entry is None:
            self._tier.hold(key, self._held, deadline=math.inf)
            return False
        self._tier.count_hit(entry)
        return True


POLICIES: dict[str, type[Policy]] = {
    "LRU": Lru,
    "SIEVE": Sieve,
    "S3-FIFO": S3Fifo,
    "W-TinyLFU": WTinyLfu,
    "JarvisPerf": JarvisPerf,
}
