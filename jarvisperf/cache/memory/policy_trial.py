"""Which of two eviction policies would find more: both are played through on keys alone, beside the cache.

Where a cache is large, only the keys with certain hashes are played, on tables that are smaller by as much (C. A.
Waldspurger, T. Saemundsson, I. Ahmad and N. Park, "Cache Modeling and Optimization using Miniature Simulations",
USENIX ATC 2017).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

from jarvisperf.cache.memory.sketch import FrequencySketch

MOST_KEYS_PLAYED: Final = 1024
"""Per table; of a larger cache a sample is played."""

WINDOW_SHARE: Final = 0.05
"""Share of the entries that frequency has no say about: they are new (TinyLFU's window)."""

PROTECTED_SHARE: Final = 0.8
"""Of the main part: entries that were read again since they came there."""

# Frequency has to be ahead by this many standard deviations of a fair coin, and find three keys for each that LRU alone
# would find, before it decides: the cache is on the safe side while nothing is known, and where both are about as good
# (as on the trace sprite) it saves itself the changing over. LRU needs less to be believed again, and each time it
# takes over, frequency needs twice as much as before: a workload that goes to and fro is left to LRU.
_FOUND_FOR_EACH_OF_RECENCY: Final = 3.0
_DEVIATIONS_TO_FREQUENCY: Final = 4.0
_MOST_DEVIATIONS: Final = 24.0
_DEVIATIONS_TO_RECENCY: Final = 2.0
_LEAST_LEAD_TO_FREQUENCY: Final = 4.0
_LEAST_LEAD_TO_RECENCY: Final = 2.0
_FORGET_AFTER_PER_KEY: Final = 2
_FORGET_AFTER_AT_LEAST: Final = 50


def window_size(items: int) -> int:
    """Give how many of so many entries are the window."""
    return max(1, int(items * WINDOW_SHARE))


def protected_size(items: int) -> int:
    """Give how many of so many entries may be protected: 80 % of the main part, as in W-TinyLFU."""
    return int((items - window_size(items)) * PROTECTED_SHARE)


class _RecentTable:
    """Keys as LRU would keep them."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()

    def ask(self, key: str, capacity: int) -> bool:
        """Ask for a key, which is there afterwards; whether it was there."""
        found = key in self._keys
        self._keys[key] = None
        self._keys.move_to_end(key)
        while len(self._keys) > capacity:
            self._keys.popitem(last=False)
        return found


class _FrequentTable:
    """Keys as W-TinyLFU would keep them: a window before a main part of two segments, probation and protected."""

    def __init__(self, counts: FrequencySketch) -> None:
        self._counts = counts
        self._window: OrderedDict[str, None] = OrderedDict()
        self._probation: OrderedDict[str, None] = OrderedDict()
        self._protected: OrderedDict[str, None] = OrderedDict()

    def ask(self, key: str, capacity: int) -> bool:
        """Ask for a key, which is there afterwards; whether it was there."""
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


class Duel:
    """Tells whether frequency should decide, from what was asked for.

    Args:
        most_items: Of the cache.

    Attributes:
        frequency_leads: What it has found so far; at the beginning LRU is believed to be the better one.
    """

    def __init__(self, most_items: int) -> None:
        self.frequency_leads = False
        self._mask = (1 << max(0, math.ceil(math.log2(max(1, most_items) / MOST_KEYS_PLAYED)))) - 1
        self._counts = FrequencySketch(max(1, most_items // (self._mask + 1)))
        self._recent = _RecentTable()
        self._frequent = _FrequentTable(self._counts)
        self._only_recent = 0.0
        self._only_frequent = 0.0
        self._deviations_to_frequency = _DEVIATIONS_TO_FREQUENCY

    def plays(self, key: str) -> bool:
        """Whether the key is one of the sample."""
        return not hash(key) & self._mask

    def ask(self, key: str, times: int, items: int) -> None:
        """Play requests for one key of the sample.

        Args:
            key: The key.
            times: How often it was asked for.
            items: How many entries the cache has room for.
        """
        capacity = max(1, items // (self._mask + 1))
        self._counts.add(key, times)
        recent, frequent = self._recent.ask(key, capacity), self._frequent.ask(key, capacity)
        if recent != frequent:
            self._only_recent += recent
            self._only_frequent += frequent
            self._judge(capacity)

    def _judge(self, capacity: int) -> None:
        both = self._only_recent + self._only_frequent
        lead = self._only_frequent - self._only_recent
        if not self.frequency_leads:
            is_sure = lead > self._deviations_to_frequency * math.sqrt(both) + _LEAST_LEAD_TO_FREQUENCY
            if is_sure and self._only_frequent > _FOUND_FOR_EACH_OF_RECENCY * self._only_recent:
                self.frequency_leads = True
        elif -lead > _DEVIATIONS_TO_RECENCY * math.sqrt(both) + _LEAST_LEAD_TO_RECENCY:
            self.frequency_leads = False
            self._deviations_to_frequency = min(_MOST_DEVIATIONS, 2 * self._deviations_to_frequency)
        if both >= max(_FORGET_AFTER_AT_LEAST, _FORGET_AFTER_PER_KEY * capacity):
            self._only_recent /= 2
            self._only_frequent /= 2
