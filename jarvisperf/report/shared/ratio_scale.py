"""How far a picture of ratios reaches to each side of 1, so that one wild interval does not flatten all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jarvisperf.report.findings.model import MetricFinding

LEAST_REACH = 0.01  # where every ratio is 1
WIDEST_REACH = 2.0  # what lies further out is drawn at the edge
MARGIN = 1.1


def reach_of(metrics: Iterable[MetricFinding]) -> float:
    """Tell how far to each side of 1 a picture must reach to show these ratios with their intervals."""
    sides = [
        abs(side - 1) for metric in metrics for side in (metric.ratio, *(metric.interval or ())) if side is not None
    ]
    return min(max(max(sides, default=0.0) * MARGIN, LEAST_REACH), WIDEST_REACH)


def clipped(ratio: float, reach: float) -> float:
    """Give the place at which a ratio is drawn: its own, or the picture's edge."""
    return min(max(ratio, 1 - reach), 1 + reach)
