"""The axis on which changes are drawn: logarithmic and symmetrical, so that twice and half are equally far from 1.

Its reach is limited, so one huge change does not flatten all others; what lies beyond is drawn at the edge.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.shared.change_words import FACTOR_FROM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.report.findings.model import MetricFinding

LEAST_REACH = math.log(1.02)  # if nothing changed
THRESHOLDS_SHOWN = 2.0  # the axis extends at least this far beyond 1, in thresholds
ALWAYS_SHOWN = math.log(FACTOR_FROM)
FURTHEST = math.log(1e6)
MARGIN = 1.08
MOST_DOTS_AT_THE_EDGE = 0.25  # if more lie beyond, the axis is extended
CLOSEST_TICKS = 0.21  # in half widths of the axis
PERCENTAGES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30)
FACTORS = (1.5, 2, 3, 5, 10, 30, 100, 1_000, 10_000, 100_000)


class Tick(NamedTuple):
    """A tick of the axis.

    Attributes:
        place: From -1 (the left edge) to 1 (the right edge); 0 is no change.
        text: ``+5%``, ``-5%``, ``2x``.
    """

    place: float
    text: str


class ChangeAxis(NamedTuple):
    """An axis of changes.

    Attributes:
        reach: The natural logarithm of the ratio at the right edge.
    """

    reach: float

    def place(self, ratio: float) -> float:
        """Return the position of a ratio, from -1 (the left edge) to 1 (the right edge)."""
        return max(-1.0, min(1.0, _logarithm(ratio) / self.reach))

    def is_beyond(self, ratio: float) -> bool:
        """Return whether a ratio lies beyond the edges."""
        return abs(_logarithm(ratio)) > self.reach

    def ticks(self) -> list[Tick]:
        """Return the ticks, from left to right: no change in the middle, and at least one more on each side."""
        steps = [(1 - percent / 100, 1 + percent / 100, f"{percent:g}%") for percent in PERCENTAGES]
        steps += [(1 / factor, factor, f"{factor:,g}x") for factor in FACTORS]
        fitting = [step for step in steps if math.log(step[1]) <= self.reach and -math.log(step[0]) <= self.reach]
        chosen: list[tuple[float, float, str]] = []
        last = 1.0 + CLOSEST_TICKS / 4
        for step in reversed(fitting):  # the outermost first, then inwards as long as there is room
            nearest, furthest = sorted((self.place(step[1]), -self.place(step[0])))
            if last - furthest >= CLOSEST_TICKS and nearest >= CLOSEST_TICKS:
                chosen.append(step)
                last = nearest
        chosen = chosen or fitting[-1:]
        left = [Tick(self.place(low), text if text.endswith("x") else f"-{text}") for low, _, text in chosen]
        right = [Tick(self.place(high), text if text.endswith("x") else f"+{text}") for _, high, text in chosen]
        return [*left, Tick(0.0, "0"), *reversed(right)]


def change_axis(metrics: Iterable[MetricFinding], others: Sequence[float] = ()) -> ChangeAxis:
    """Return the axis for these metrics' ratios and intervals, and for other ratios."""
    found = [metric for metric in metrics if metric.ratio is not None]
    thresholds = [math.log1p(metric.threshold) for metric in found if metric.threshold]
    threshold = min(statistics.median(thresholds), FURTHEST) if thresholds else 0.0
    least = max(LEAST_REACH, THRESHOLDS_SHOWN * threshold)
    ratios = sorted(abs(_logarithm(metric.ratio)) for metric in found if metric.ratio is not None)
    ratios = sorted([*ratios, *(abs(_logarithm(ratio)) for ratio in others)])
    ends = [abs(_logarithm(end)) for metric in found for end in metric.interval or ()]
    needed = max([*ratios, *ends], default=0.0) * MARGIN
    if not ratios:
        return ChangeAxis(least)
    changed = [size for size in ratios if size > threshold] or ratios
    shown = changed[math.floor((len(changed) - 1) * (1 - MOST_DOTS_AT_THE_EDGE))] * MARGIN
    return ChangeAxis(min(max(least, min(needed, max(ALWAYS_SHOWN, shown))), FURTHEST))


def _logarithm(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf
