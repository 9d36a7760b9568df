"""The pictures of one benchmark: distributions, interval against threshold, history."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvisperf.report.html.svg import Drawing
from jarvisperf.report.shared import units
from jarvisperf.report.shared.ratio_scale import clipped, reach_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.history.model import History, Series
    from jarvisperf.report.findings.model import MetricFinding
    from jarvisperf.runs.summary import Summary

WIDTH = 420.0
LEFT, RIGHT = 8.0, WIDTH - 8.0
STEPS = 64
TICKS = 3
LINE = 14.0
FAINTEST, LARGEST = 1e-30, 1e30  # that an axis shows, in seconds or bytes


def distribution(metric: MetricFinding) -> str:
    """Draw the distributions of base and head: a smoothed density of the stored quantiles, and the medians.

    The smoothing is a Gaussian kernel with Silverman's bandwidth ("Density Estimation for Statistics and Data
    Analysis", 1986, section 3.4.2). The scale ends at the 99th percentiles, so that one outlier does not flatten all.
    """
    arms = [(name, arm) for name, arm in (("base", metric.base), ("head", metric.head)) if arm is not None]
    arms = [(name, arm) for name, arm in arms if len(arm.quantiles) > 1 and arm.max < LARGEST]
    arms = [(name, arm) for name, arm in arms if arm.max - arm.min > FAINTEST]
    if not arms:
        return ""
    height = 110.0
    low = min(arm.min for _, arm in arms)
    high = max(min(arm.p99, arm.median + 4 * max(arm.iqr, arm.stddev / 4)) for _, arm in arms)
    if high <= low:
        high = max(arm.max for _, arm in arms)
    place = _scale(low - (high - low) * 0.05, high + (high - low) * 0.05, LEFT, RIGHT)
    drawing = Drawing(WIDTH, height)
    grid = [low + (high - low) * (step / STEPS * 1.1 - 0.05) for step in range(STEPS + 1)]
    for name, arm in arms:
        heights = _density(arm, grid)
        top = max(heights) or 1.0
        curve = [(place(x), 2 * LINE + y / top * (height - 4 * LINE)) for x, y in zip(grid, heights, strict=True)]
        drawing.area([(curve[0][0], 2 * LINE), *curve, (curve[-1][0], 2 * LINE)], name, opacity=0.25)
        drawing.line([x for x, _ in curve], [y for _, y in curve], name)
        drawing.line([place(arm.median)] * 2, [2 * LINE, height - 2 * LINE], name, width=1, dashed=True)
    _axis(drawing, place, low, high, metric.unit)
    for row, (name, arm) in enumerate(arms):
        drawing.words(
            RIGHT,
            height - LINE * (row + 1),
            f"{name} {units.quantity(arm.median, metric.unit)}",
            colour=name,
            align="end",
        )
    told = "; ".join(
        f"{name}: median {units.quantity(arm.median, metric.unit)}, middle half "
        f"{units.quantity(arm.p25, metric.unit)} to {units.quantity(arm.p75, metric.unit)}, {arm.samples:,} samples"
        for name, arm in arms
    )
    return drawing.svg(f"Distributions. {told}")


def interval(metric: MetricFinding) -> str:
    """Draw the ratio and its interval against the threshold."""
    if metric.ratio is None or metric.interval is None:
        return ""
    height = 64.0
    low, high = metric.interval
    limit = metric.threshold or 0.0
    reach = max(reach_of([metric]), limit * 1.5)
    scale = _scale(1 - reach, 1 + reach, LEFT, RIGHT)

    def place(ratio: float) -> float:
        return scale(clipped(ratio, reach))

    drawing = Drawing(WIDTH, height)
    middle = height - 1.8 * LINE
    if limit:
        drawing.area(
            [
                (place(1 - limit), 1.6 * LINE),
                (place(1 - limit), height - LINE),
                (place(1 + limit), height - LINE),
                (place(1 + limit), 1.6 * LINE),
            ],
            "faint",
            opacity=0.3,
        )
    drawing.line([place(1)] * 2, [1.6 * LINE, height - LINE], "ink", width=1, dashed=True)
    colour = {"regressed": "bad", "improved": "good"}.get(metric.verdict, "head")
    drawing.line([place(low), place(high)], [middle] * 2, colour, width=4)
    drawing.dots([place(metric.ratio)], [middle], colour, radius=6)
    drawing.words(place(1), 4, "1 (equal)", align="middle")
    if limit and place(1 + limit) - place(1) > 60:
        drawing.words(place(1 + limit), 4, f"+{limit * 100:.3g}%", align="middle")
        drawing.words(place(1 - limit), 4, f"-{limit * 100:.3g}%", align="middle")
    words = f"{units.ratio(metric.ratio)} ({units.interval(metric.interval)})"
    drawing.words(min(max(place(metric.ratio), 75), WIDTH - 75), height - LINE + 5, words, align="middle")
    against = f"threshold {limit * 100:.3g}%" if limit else "no threshold"
    told = f"{units.ratio(metric.ratio)}, interval {units.interval(metric.interval)}"
    return drawing.svg(f"Ratio head over base {told}, {against}")


def history_line(series: Series, history: History) -> str:
    """Draw a metric over the runs: medians with their middle half, the levels, and where they changed."""
    points = series.levels()
    if len(points) < 2:
        return ""
    height = 130.0
    lows, highs = [point.low for point in points], [point.high for point in points]
    low, high = min(lows), min(max(highs), 3 * sorted(highs)[len(highs) // 2])
    if high <= low:
        low, high = low * 0.95, high * 1.05 or 1.0
    xs = _spread(len(points))
    up = _scale(low, high, 2 * LINE, height - 1.6 * LINE)
    drawing = Drawing(WIDTH, height)
    band = [(x, up(value)) for x, value in zip(xs, highs, strict=True)]
    band += [(x, up(value)) for x, value in zip(reversed(xs), reversed(lows), strict=True)]
    drawing.area([(x, min(y, height - 1.6 * LINE)) for x, y in band], "head", opacity=0.15)
    values = [min(up(point.median), height - 1.6 * LINE) for point in points]
    drawing.line(xs, values, "head", width=1)
    drawing.dots(xs, values, "head", radius=2.5)
    place_of = {point.place: index for index, point in enumerate(points)}
    told = []
    for change in series.changes:
        x = (xs[place_of[change.place]] + xs[place_of[change.place] - 1]) / 2
        colour = "bad" if change.ratio > 1 else "good"
        drawing.line([x, x], [2 * LINE, height - 1.6 * LINE], colour, width=1.5, dashed=True)
        drawing.words(x, height - LINE, f"{(change.ratio - 1) * 100:+.3g}%", colour=colour, align="middle")
        told.append(f"{(change.ratio - 1) * 100:+.3g}% at {history.occasions[change.place].shown}")
    drawing.line([LEFT, RIGHT], [2 * LINE] * 2, "faint", width=1)
    drawing.words(LEFT, 4, f"{history.occasions[points[0].place].created:%Y-%m-%d}")
    drawing.words(RIGHT, 4, f"{history.occasions[points[-1].place].created:%Y-%m-%d}", align="end")
    drawing.words(LEFT, LINE + 3, units.rounded(low, series.unit), colour="faint")
    drawing.words(LEFT, height - LINE, units.rounded(high, series.unit), colour="faint")
    changes = "; ".join(told) or "no change found"
    return drawing.svg(f"History over {len(points)} runs: {changes}")


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _spread(count: int) -> list[float]:
    return [LEFT + index / (count - 1) * (RIGHT - LEFT) for index in range(count)]


def _axis(drawing: Drawing, place: Callable[[float], float], low: float, high: float, unit: str) -> None:
    drawing.line([LEFT, RIGHT], [2 * LINE] * 2, "faint", width=1)
    for tick in range(TICKS):
        value = low + (high - low) * tick / (TICKS - 1)
        x = place(value)
        drawing.line([x, x], [2 * LINE - 3, 2 * LINE], "faint", width=1)
        drawing.words(x, LINE, units.quantity(value, unit), align=("start", "middle", "end")[tick])


def _density(arm: Summary, grid: Sequence[float]) -> list[float]:
    import numpy as np

    quantiles = np.asarray(arm.quantiles)
    spread = min(float(quantiles.std()), arm.iqr / 1.34) or float(quantiles.std())
    bandwidth = max(0.9 * spread * len(quantiles) ** -0.2, (grid[-1] - grid[0]) / STEPS)
    distance = (np.asarray(grid)[:, None] - quantiles[None, :]) / bandwidth
    heights = np.exp(-0.5 * distance**2).sum(axis=1) / math.sqrt(2 * math.pi)
    return [float(value) for value in heights]
