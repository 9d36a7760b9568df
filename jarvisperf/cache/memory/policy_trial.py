"""Simulates two eviction policies on keys alone to find out which has more hits.

For a large cache only a sample of the keys is simulated, chosen by their hashes, on tables that are smaller by the same
factor (C. A. Waldspurger, T. Saemundsson, I. Ahmad and N. Park, "Cache Modeling and Optimization using Miniature
Simulations", USENIX ATC 2017).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

MOST_KEYS_SIMULATED: Final = 1024
"""Per table; larger caches are sampled."""

WINDOW_SHARE: Final = 0.05
"""Share of the entries that are kept because they are new (TinyLFU's window)."""

PROTECTED_SHARE: Final = 0.8
"""Maximum share of protected entries in the main part; an entry is protected if it was read again there."""

# To take over, frequency must lead by this many standard deviations of a fair coin, and have three hits for each hit
# that only LRU has. So the cache keeps LRU while there is little evidence, or while both perform alike (as on the trace
# sprite). Switching back to LRU needs less evidence. Each switch back doubles the evidence that frequency needs next
# time, so a workload that alternates ends up with LRU.
_HITS_PER_HIT_OF_RECENCY: Final = 3.0
_DEVIATIONS_TO_FREQUENCY: Final = 4.0
_MOST_DEVIATIONS: Final = 24.0
_DEVIATIONS_TO_RECENCY: Final = 2.0
_LEAST_LEAD_TO_FREQUENCY: Final = 4.0
_LEAST_LEAD_TO_RECENCY: Final = 2.0
_FORGET_AFTER_PER_KEY: Final = 2
_FORGET_AFTER_AT_LEAST: Final = 50

_HIGHEST_COUNT: Final = 15  # as in TinyLFU; counts are halved long before higher ones would help
_COUNTERS_PER_KEY: Final = 8
_ADDITIONS_PER_KEY: Final = 10
_LEAST_BITS: Final = 6
_SECOND_ROW_SHIFT: Final = 24  # other bits of the same 64-bit hash
_HALVED: Final = bytes(count >> 1 for count in range(256))


def window_size(items: int) -> int:
    """Return the size of the window in a cache of this many entries."""
    return max(1, int(items * WINDOW_SHARE))


def protected_size(items: int) -> int:
    """Return the maximum number of protected entries among this many: 80 % of the main part, as in W-TinyLFU."""
    return int((items - window_size(items)) * PROTECTED_SHARE)


class FrequencySketch:
    """Estimates how often keys were requested recently, never too low, in a few bytes per key.

    A count-min sketch (G. Cormode and S. Muthukrishnan, "An improved data stream summary", J. Algorithms 55, 2005) that
    forgets: from time to time all counts are halved, as in TinyLFU (G. Einziger, R. Friedman and B. Manes, "TinyLFU: a
    highly efficient cache admission policy", ACM Trans. Storage 13, 2017). Keys are distinguished by their hash.

    Args:
        keys: Expected number of keys.
    """

    __slots__ = ("_additions", "_counts", "_mask", "_most_additions")

    def __init__(self, keys: int) -> None:
        size = 1 << max(_LEAST_BITS, (_COUNTERS_PER_KEY * keys - 1).bit_length())
        self._counts = bytearray(size)
        self._mask = size - 1
        self._additions = 0
        self._most_additions = _ADDITIONS_PER_KEY * keys

    def add(self, key: str, times: int = 1) -> None:
        """Count requests of a key."""
        counts, number = self._counts, hash(key)
        first, second = number & self._mask, (number >> _SECOND_ROW_SHIFT) & self._mask
        counts[first] = min(_HIGHEST_COUNT, counts[first] + times)
        counts[second] = min(_HIGHEST_COUNT, counts[second] + times)
        self._additions += times
        if self._additions >= self._most_additions:
            self._counts = counts.translate(_HALVED)
            self._additions >>= 1

    def count(self, key: str) -> int:
        """Estimate how often a key was requested recently."""
        number = hash(key)
        return min(self._counts[number & self._mask], self._counts[(number >> _SECOND_ROW_SHIFT) & self._mask])


class _RecentTable:
    """The keys that LRU would hold."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()

    def request(self, key: str, capacity: int) -> bool:
        """Request a key and insert it on a miss; return whether it was a hit."""
        found = key in self._keys
        self._keys[key] = None
        self._keys.move_to_end(key)
        while len(self._keys) > capacity:
            self._keys.popitem(last=False)
        return found


class _FrequentTable:
    """The keys that W-TinyLFU would hold: a window, then a main part of two segments, probation and protected."""

    def __init__(self, counts: FrequencySketch) -> None:
        self._counts = counts
        self._window: OrderedDict[str, None] = OrderedDict()
        self._probation: OrderedDict[str, None] = OrderedDict()
        self._protected: OrderedDict[str, None] = OrderedDict()

    def request(self, key: str, capacity: int) -> bool:
        """Request a key and insert it on a miss; return whether it was a hit."""
        for part in (self._window, self._protected):
            if key in part:
                part.move_to_end(key)
                return True
        if key in self._probation:
            del self._probation[key]
            self._protected[key] = None
            while len(self._protected) > protected_size(capacity):
                demoted, _ = self._protected.popitem(last=False)
                self._probation[demoted] = None
            return True
        self._window[key] = None
        while len(self._window) > window_size(capacity):
            self._leave_window(capacity)
        return False

    def _leave_window(self, capacity: int) -> None:
        candidate, _ = self._window.popitem(last=False)
        while len(self._window) + len(self._probation) + len(self._protected) >= capacity:
            rivals = self._probation or self._protected
            if not rivals:
                return
            rival = next(iter(rivals))
            if self._counts.count(candidate) <= self._counts.count(rival):
                return
            del rivals[rival]
        self._probation[candidate] = None


class PolicyTrial:
    """Determines from the requests which policy has more hits.

    Args:
        most_items: Maximum number of entries in the cache.

    Attributes:
        frequency_leads: Whether W-TinyLFU has more hits; False at the start.
    """

    def __init__(self, most_items: int) -> None:
        self.frequency_leads = False
        self._mask = (1 << max(0, math.ceil(math.log2(max(1, most_items) / MOST_KEYS_SIMULATED)))) - 1
        self._counts = FrequencySketch(max(1, most_items // (self._mask + 1)))
        self._recent = _RecentTable()
        self._frequent = _FrequentTable(self._counts)
        self._only_recent = 0.0
        self._only_frequent = 0.0
        self._deviations_to_frequency = _DEVIATIONS_TO_FREQUENCY

    def samples(self, key: str) -> bool:
        """Return whether a key belongs to the sample."""
        return not hash(key) & self._mask

    def request(self, key: str, times: int, items: int) -> None:
        """Simulate requests of one key of the sample.

        Args:
            key: The key.
            times: How often it was requested.
            items: How many entries the cache has room for.
        """
        capacity = max(1, items // (self._mask + 1))
        self._counts.add(key, times)
        recent, frequent = self._recent.request(key, capacity), self._frequent.request(key, capacity)
        if recent != frequent:
            self._only_recent += recent
            self._only_frequent += frequent
            self._judge(capacity)

    def _judge(self, capacity: int) -> None:
        both = self._only_recent + self._only_frequent
        lead = self._only_frequent - self._only_recent
        if not self.frequency_leads:
            is_sure = lead > self._deviations_to_frequency * math.sqrt(both) + _LEAST_LEAD_TO_FREQUENCY
            if is_sure and self._only_frequent > _HITS_PER_HIT_OF_RECENCY * self._only_recent:
                self.frequency_leads = True
        elif -lead > _DEVIATIONS_TO_RECENCY * math.sqrt(both) + _LEAST_LEAD_TO_RECENCY:
            self.frequency_leads = False
            self._deviations_to_frequency = min(_MOST_DEVIATIONS, 2 * self._deviations_to_frequency)
        if both >= max(_FORGET_AFTER_AT_LEAST, _FORGET_AFTER_PER_KEY * capacity):
            self._only_recent /= 2
            self._only_frequent /= 2
