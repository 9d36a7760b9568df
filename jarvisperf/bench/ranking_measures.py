"""Measures of a ranking, from 0 to 1: recall, reciprocal rank, and discounted cumulative gain; and their mean.

Sources: E. Voorhees, "The TREC-8 Question Answering Track Report", 1999 (reciprocal rank); K. Järvelin and J.
Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", ACM Transactions on Information Systems 20, 2002.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_Z: Final = statistics.NormalDist().inv_cdf(0.975)


class Mean(NamedTuple):
    """The mean of a measure over questions, and its 95 % interval."""

    value: float
    interval: tuple[float, float]


def recall(gains: Sequence[float], wanted: Sequence[float]) -> float:
    """Return the share of the relevant items that were found.

    Args:
        gains: The grade of each result, best result first; 0 if it is not relevant.
        wanted: The grades of all relevant items, at least one.
    """
    return sum(gain > 0 for gain in gains) / len(wanted)


def reciprocal_rank(gains: Sequence[float]) -> float:
    """Return 1 / the rank of the first relevant result; 0 if there is none.

    Args:
        gains: See :func:`recall`.
    """
    return next((1 / rank for rank, gain in enumerate(gains, 1) if gain > 0), 0.0)


def normalised_gain(gains: Sequence[float], wanted: Sequence[float], depth: int) -> float:
    """Return the discounted cumulative gain, as a share of that of the best possible ranking (nDCG).

    Args:
        gains: See :func:`recall`.
        wanted: See :func:`recall`.
        depth: Maximum number of results.
    """
    return _discounted(gains[:depth]) / _discounted(sorted(wanted, reverse=True)[:depth])


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean of values from 0 to 1, with Wilson's interval.

    Of all such values with the same mean, zeros and ones vary the most, so the interval of a proportion covers the
    others as well; and unlike an interval from their variance, it does not shrink to a point if all are equal. Source:
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.

    Args:
        values: At least one, each from another question.
    """
    count, value = len(values), math.fsum(values) / len(values)
    centre = value + _Z**2 / (2 * count)
    half = _Z * math.sqrt(max(0.0, value * (1 - value)) / count + _Z**2 / (4 * count**2))
    whole = 1 + _Z**2 / count
    return Mean(value, (max(0.0, (centre - half) / whole), min(1.0, (centre + half) / whole)))


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
