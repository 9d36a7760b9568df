"""Finds where a series of figures changed its level.

The method is optimal partitioning on the mean of the logarithms (`partitions.py`). The noise is estimated from the
median difference between neighbours, which a few steps do not affect. Single outliers are pulled to within 2.5
deviations of their neighbours' median, so that a single bad run does not look like a change.

`python -m benchmarks.history_lab` measures how often it reports a change in unchanged code;
docs/explanation/history.md has the figures.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from jarvisperf.extras import require
from jarvisperf.history.partitions import partitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

FEWEST_RUNS = 10
FEWEST_RUNS_OF_A_LEVEL = 5
PENALTY = 6.0
"""The penalty for a change, in variances, is this times the logarithm of the number of runs: fewer than 5 % of A/A
histories of independent runs then show one."""
FEWEST_RUNS_IN_PENALTY = 40
"""With fewer runs the noise estimate is so uncertain that the penalty does not fall further."""
SMALLEST_STEP = 0.01
"""Steps below 1 % are not reported: a machine that is warming up causes them."""
WINDOW = 5
REACH_DEVIATIONS = 2.5
LEAST_DEVIATION = 1e-3
"""The smallest deviation of the logarithms: closer agreement, for example between sizes in bytes, is chance or
rounding."""


def change_points(values: Sequence[float]) -> list[int]:
    """Find where the level changed.

    Args:
        values: One figure per run, oldest first.

    Returns:
        The index of the first value of each new level; empty for fewer than 10 values, or if one is 0 or infinite.

    Raises:
        MissingExtraError: The extra `history` is not installed.
    """
    return change_points_of_each([values])[0]


def change_points_of_each(histories: Sequence[Sequence[float]]) -> list[list[int]]:
    """Find where the levels of several histories changed, as `change_points` does for one; together it is faster.

    Raises:
        MissingExtraError: The extra `history` is not installed.
    """
    found: list[list[int]] = [[] for _ in histories]
    searched = [
        number
        for number, values in enumerate(histories)
        if len(values) >= FEWEST_RUNS and 0 < min(values) < max(values) < math.inf
    ]
    if not searched:
        return found
    require("history", "finding changes")
    import numpy as np

    logarithms = [np.log(np.asarray(histories[number], dtype=float)) for number in searched]
    signals = [_tamed((one - _median(one)) / _deviation(one)) for one in logarithms]
    penalties = [PENALTY * math.log(max(len(one), FEWEST_RUNS_IN_PENALTY)) for one in logarithms]
    divided = partitions(signals, penalties, FEWEST_RUNS_OF_A_LEVEL)
    for number, one, places in zip(searched, logarithms, divided, strict=True):
        found[number] = _large_enough(one, places)
    return found


def levels(values: Sequence[float], places: Sequence[int]) -> list[float]:
    """Return the median of each stretch between changes."""
    import statistics

    edges = [0, *places, len(values)]
    return [statistics.median(values[first:last]) for first, last in itertools.pairwise(edges)]


def _deviation(logarithms: NDArray[np.float64]) -> float:
    """Estimate the standard deviation of a single run from the median absolute difference of neighbours."""
    import numpy as np

    differences = np.diff(logarithms)
    spread = _median(np.abs(differences - _median(differences))) * 1.4826 / math.sqrt(2)
    return max(spread, LEAST_DEVIATION)


def _median(values: NDArray[np.float64]) -> float:
    """Return the median; numpy's takes ten times as long for a history, and there may be thousands of them."""
    import statistics

    middle: float = statistics.median(values.tolist())
    return middle


def _tamed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    padded = np.pad(values, WINDOW // 2, mode="reflect")
    middle = np.sort(np.lib.stride_tricks.sliding_window_view(padded, WINDOW), axis=1)[:, WINDOW // 2]
    return np.clip(values, middle - REACH_DEVIATIONS, middle + REACH_DEVIATIONS)


def _large_enough(logarithms: NDArray[np.float64], places: list[int]) -> list[int]:
    """Remove the smallest step while it is below 1 %; each removal changes the adjacent levels."""
    places = list(places)
    while places:
        middles = levels([float(value) for value in logarithms], places)
        steps = [abs(after - before) for before, after in itertools.pairwise(middles)]
        smallest = min(range(len(steps)), key=steps.__getitem__)
        if steps[smallest] >= math.log1p(SMALLEST_STEP):
            return places
        del places[smallest]
    return places
