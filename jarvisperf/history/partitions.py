"""Divides series of figures into levels: exactly if they are short, and by way of their pieces if they are long.

The method is optimal partitioning (Jackson et al., "An Algorithm for Optimal Partitioning of Data on an Interval",
2005) on the mean: the division with the smallest sum of squares plus a penalty for each change. Its result is that of
PELT, and it treats many series of one length at once. Its time grows with the square of the length, so a long series is
cut into pieces; what is found in them, and the cuts themselves, are then the only candidates for the whole (Tickle et
al., "Parallelization of a Common Changepoint Detection Method", 2020).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

LONGEST_PIECE = 512
LENIENCY = 0.2  # of the penalty in pieces: a change that shows over thousands of values hardly shows over hundreds
MOST_AT_ONCE = 128  # series; more do not fit into the processor's caches


def partitions(
    signals: Sequence[NDArray[np.float64]], penalties: Sequence[float], fewest_of_a_level: int
) -> list[list[int]]:
    """Find where the levels of series begin.

    Args:
        signals: The series, each in multiples of its own deviation.
        penalties: What a change costs in each series, in variances.
        fewest_of_a_level: How many values a level has at least.

    Returns:
        For each series the index of the first value of each level but the first.
    """
    cuts = [_cuts(len(signal)) for signal in signals]
    pieces = [(number, *ends) for number, edges in enumerate(cuts) for ends in itertools.pairwise(edges)]
    found: list[set[int]] = [set() for _ in signals]
    for _, of_one_length in itertools.groupby(sorted(pieces, key=_length), key=_length):
        while batch := list(itertools.islice(of_one_length, MOST_AT_ONCE)):
            divided = _divided(
                [signals[number][first:last] for number, first, last in batch],
                [penalties[number] * (LENIENCY if cuts[number][1:-1] else 1) for number, _, _ in batch],
                fewest_of_a_level,
            )
            for (number, first, _), places in zip(batch, divided, strict=True):
                found[number].update(first + place for place in places)
    return [
        _chosen(signal, penalty, sorted(places | _near(edges, fewest_of_a_level)), fewest_of_a_level)
        if edges[1:-1]
        else sorted(places)
        for signal, penalty, edges, places in zip(signals, penalties, cuts, found, strict=True)
    ]


def _cuts(length: int) -> list[int]:
    """Return the edges of the pieces of a series, which are about equally long."""
    count = max(1, -(-length // LONGEST_PIECE))
    return [length * number // count for number in range(count + 1)]


def _length(piece: tuple[int, int, int]) -> int:
    _, first, last = piece
    return last - first


def _near(edges: Sequence[int], fewest_of_a_level: int) -> set[int]:
    """Return the places around the inner edges, where the search within a piece cannot find a change."""
    reach = range(1 - fewest_of_a_level, fewest_of_a_level)
    return {edge + distance for edge in edges[1:-1] for distance in reach}


def _divided(
    signals: Sequence[NDArray[np.float64]], penalties: Sequence[float], fewest_of_a_level: int
) -> list[list[int]]:
    """Divide series of one length at the best of all places."""
    import numpy as np

    rows = np.stack(signals)
    count, length = rows.shape
    penalty = np.asarray(penalties)
    sums = np.zeros((count, length + 1))
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    # Of a level, the sum of squares is that of its values less the square of their sum divided by their number. The
    # first part is the same for every division and left out.
    costs = np.full((count, length + 1), np.inf)
    costs[:, 0] = -penalty
    starts = np.zeros((count, length + 1), dtype=int)
    lengths = np.arange(length, 0, -1.0)
    everyone = np.arange(count)
    for end in range(fewest_of_a_level, length + 1):
        many = end - fewest_of_a_level + 1
        inner = sums[:, end, None] - sums[:, :many]
        inner *= inner
        inner /= lengths[length - end : length - end + many]
        np.subtract(costs[:, :many], inner, out=inner)
        best = inner.argmin(axis=1)
        starts[:, end] = best
        costs[:, end] = inner[everyone, best] + penalty
    return [_traced(row, length) for row in starts.tolist()]


def _chosen(
    signal: NDArray[np.float64], penalty: float, candidates: Sequence[int], fewest_of_a_level: int
) -> list[int]:
    """Divide one series at the best of some places."""
    import numpy as np

    length = len(signal)
    places = np.array([0, *candidates, length])
    sums = np.concatenate([[0.0], np.cumsum(signal)])[places]
    costs = np.full(len(places), np.inf)
    costs[0] = -penalty
    starts = [0] * len(places)
    for end in range(1, len(places)):
        many = int(np.searchsorted(places, places[end] - fewest_of_a_level, side="right"))
        if not many:
            continue
        inner = costs[:many] - (sums[end] - sums[:many]) ** 2 / (places[end] - places[:many])
        starts[end] = int(inner.argmin())
        costs[end] = inner[starts[end]] + penalty
    chosen = [int(places[number]) for number in _traced(starts, len(places) - 1)]
    return _settled(signal, chosen, fewest_of_a_level)


def _settled(signal: NDArray[np.float64], places: list[int], fewest_of_a_level: int) -> list[int]:
    """Move each change to the best place between its neighbours."""
    import numpy as np

    sums = np.concatenate([[0.0], np.cumsum(signal)])
    edges = [0, *places, len(signal)]
    for number in range(1, len(edges) - 1):
        first, last = edges[number - 1], edges[number + 1]
        between = np.arange(first + fewest_of_a_level, last - fewest_of_a_level + 1)
        left = (sums[between] - sums[first]) ** 2 / (between - first)
        right = (sums[last] - sums[between]) ** 2 / (last - between)
        edges[number] = int(between[(left + right).argmax()])
    return edges[1:-1]


def _traced(starts: Sequence[int], end: int) -> list[int]:
    """Follow the levels from the last to the first; return where they begin, without the first."""
    places: list[int] = []
    while (end := starts[end]) > 0:
        places.append(end)
    return places[::-1]
