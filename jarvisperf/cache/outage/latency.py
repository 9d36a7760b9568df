"""Latency percentiles of a tier's calls, for a fraction of a microsecond per call and a kilobyte per tier.

Calls are counted in buckets, eight per power of two, so percentiles are accurate to about 6 % (as in G. Tene's
HdrHistogram).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

_CLASSES_PER_DOUBLING: Final = 8
_SHORTEST_SECONDS: Final = 2.0**-34
_CLASSES: Final = 42 * _CLASSES_PER_DOUBLING
# The lower bound of every bucket except the first.
_BOUNDS: Final = [
    _SHORTEST_SECONDS
    * 2.0 ** (place // _CLASSES_PER_DOUBLING)
    * (1 + place % _CLASSES_PER_DOUBLING / _CLASSES_PER_DOUBLING)
    for place in range(1, _CLASSES)
]


class Percentiles(NamedTuple):
    """The 50th, 95th and 99th percentile in seconds; 0 if no call was counted."""

    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


class Latency:
    """Counts calls by duration; if two threads count at the same moment, one count may be lost."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [0] * _CLASSES

    def note(self, seconds: float) -> None:
        """Count a call."""
        self._counts[bisect_right(_BOUNDS, seconds)] += 1  # faster than a logarithm

    def percentiles(self) -> Percentiles:
        """Return the percentiles of all calls counted so far."""
        counts = list(self._counts)
        total = sum(counts)
        if not total:
            return Percentiles(0.0, 0.0, 0.0)
        return Percentiles(*(_quantile(counts, share * total) for share in (0.50, 0.95, 0.99)))

    def reset(self) -> None:
        """Reset all counts."""
        self._counts = [0] * _CLASSES


def _quantile(counts: list[int], rank: float) -> float:
    seen = 0
    for place, count in enumerate(counts):
        seen += count
        if seen >= rank and count:
            return _middle_seconds(place)
    raise AssertionError("rank beyond the last call")


def _middle_seconds(place: int) -> float:
    doubling, part = divmod(place, _CLASSES_PER_DOUBLING)
    return _SHORTEST_SECONDS * 2.0**doubling * (1 + (part + 0.5) / _CLASSES_PER_DOUBLING)
