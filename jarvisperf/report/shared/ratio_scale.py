"""The scale of pictures of ratios, limited so that one wide interval does not flatten all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jarvisperf.report.findings.model import MetricFinding

LEAST_REACH = 0.01  # if every ratio is 1
WIDEST_REACH = 2.0  # values further out are drawn at the edge
MARGIN = 1.1


def reach_of(metrics: Iterable[MetricFinding]) -> float:
    """Return how far a picture must extend to each side of 1 to show these ratios and their intervals."""
    sides = [
        abs(side - 1) for metric in metrics for side in (metric.ratio, *(metric.interval or ())) if side is not None
    ]
    return min(max(max(sides, default=0.0) * MARGIN, LEAST_REACH), WIDEST_REACH)


def clipped(ratio: float, reach: float) -> float:
    """Return the position of a ratio, at most the picture's edge."""
    return min(max(ratio, 1 - reach), 1 + reach)
