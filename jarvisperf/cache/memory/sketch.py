"""How often keys were asked for lately, in a few bytes per key.

A count-min sketch (G. Cormode and S. Muthukrishnan, "An improved data stream summary", J. Algorithms 55, 2005) that
forgets: after a while all counts are halved, as in TinyLFU (G. Einziger, R. Friedman and B. Manes, "TinyLFU: a highly
efficient cache admission policy", ACM Trans. Storage 13, 2017).
"""

from __future__ import annotations

from typing import Final

_MOST: Final = 15  # TinyLFU: more says nothing more, for all counts are halved long before
_COUNTERS_PER_KEY: Final = 8
_ADDITIONS_PER_KEY: Final = 10
_LEAST_BITS: Final = 6
_SECOND_ROW_SHIFT: Final = 24  # other bits of the same 64-bit hash
_HALVED: Final = bytes(count >> 1 for count in range(256))


class FrequencySketch:
    """Estimates counts from above; keys are told apart by their hash.

    Args:
        keys: How many keys it is meant for.
    """

    __slots__ = ("_additions", "_counts", "_mask", "_most_additions")

    def __init__(self, keys: int) -> None:
        size = 1 << max(_LEAST_BITS, (_COUNTERS_PER_KEY * keys - 1).bit_length())
        self._counts = bytearray(size)
        self._mask = size - 1
        self._additions = 0
        self._most_additions = _ADDITIONS_PER_KEY * keys

    def add(self, key: str, times: int = 1) -> None:
        """Count a key."""
        counts, number = self._counts, hash(key)
        first, second = number & self._mask, (number >> _SECOND_ROW_SHIFT) & self._mask
        counts[first] = min(_MOST, counts[first] + times)
        counts[second] = min(_MOST, counts[second] + times)
        self._additions += times
        if self._additions >= self._most_additions:
            self._counts = counts.translate(_HALVED)
            self._additions >>= 1

    def count(self, key: str) -> int:
        """Estimate how often a key was counted lately."""
        number = hash(key)
        return min(self._counts[number & self._mask], self._counts[(number >> _SECOND_ROW_SHIFT) & self._mask])
