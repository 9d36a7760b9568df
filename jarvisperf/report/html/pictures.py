"""The pictures of one benchmark: distributions, interval against threshold, history."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from jarvisperf.report.html.svg import Drawing, scale
from jarvisperf.report.shared import units
from jarvisperf.report.shared.ratio_scale import clipped, reach_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.history.model import History, Series
    from jarvisperf.report.findings.model import MetricFinding
    from jarvisperf.report.html.svg import Alignment, Colour
    from jarvisperf.runs.summary import Summary

WIDTH = 420.0
LEFT, RIGHT = 8.0, WIDTH - 8.0
STEPS = 64
TICK_ALIGNMENTS: tuple[Alignment, ...] = ("start", "middle", "end")
LINE = 14.0
FAINTEST, LARGEST = 1e-30, 1e30  # the values that an axis can show, in seconds or bytes


def distribution(metric: MetricFinding) -> str:
    """Draw the distributions of base and head: the smoothed density of the stored quantiles, and the medians.

    The smoothing is a Gaussian kernel with Silverman's bandwidth ("Density Estimation for Statistics and Data
    Analysis", 1986, section 3.4.2). The scale ends at the 99th percentile, so a single outlier cannot flatten the rest.
    """
    sides: tuple[tuple[Colour, Summary | None], ...] = (("base", metric.base), ("head", metric.head))
    arms = [(name, arm) for name, arm in sides if arm is not None and _is_drawable(arm)]
    if not arms:
        return ""
    height = 116.0
    bottom, top = 2 * LINE, height - 2.4 * LINE  # the labels are above
    low = min(arm.min for _, arm in arms)
    high = max(min(arm.p99, arm.median + 4 * max(arm.iqr, arm.stddev / 4)) for _, arm in arms)
    if high <= low:
        high = max(arm.max for _, arm in arms)
    place = scale(low - (high - low) * 0.05, high + (high - low) * 0.05, LEFT, RIGHT)
    drawing = Drawing(WIDTH, height)
    grid = [low + (high - low) * (step / STEPS * 1.1 - 0.05) for step in range(STEPS + 1)]
    for name, arm in arms:
        heights = _density(arm, grid)
        scaled = scale(0, max(heights) or 1.0, bottom, top)
        curve = [(place(x), scaled(y)) for x, y in zip(grid, heights, strict=True)]
        drawing.area([(curve[0][0], bottom), *curve, (curve[-1][0], bottom)], name, opacity=0.25)
        drawing.line(curve, name)
        _vertical(drawing, place(arm.median), bottom, top, name, dashed=True)
    _axis(drawing, place, low, high, metric.unit)
    for row, (name, arm) in enumerate(arms):
        label = f"{name} {units.quantity(arm.median, metric.unit)}"
        drawing.text((RIGHT, height - LINE * (row + 1)), label, colour=name, align="end")
    text = "; ".join(
        f"{name}: median {units.quantity(arm.median, metric.unit)}, middle half "
        f"{units.quantity(arm.p25, metric.unit)} to {units.quantity(arm.p75, metric.unit)}, {arm.samples:,} samples"
        for name, arm in arms
    )
    return drawing.svg(f"Distributions. {text}")


def interval(metric: MetricFinding) -> str:
    """Draw the ratio and its interval against the threshold."""
    if metric.ratio is None or metric.interval is None:
        return ""
    height = 64.0
    low, high = metric.interval
    limit = metric.threshold or 0.0
    reach = max(reach_of([metric]), limit * 1.5)
    position = scale(1 - reach, 1 + reach, LEFT, RIGHT)

    def place(ratio: float) -> float:
        return position(clipped(ratio, reach))

    drawing = Drawing(WIDTH, height)
    middle = height - 1.8 * LINE
    if limit:
        drawing.bar((place(1 - limit), 1.6 * LINE), (place(1 + limit), height - LINE), "faint", opacity=0.3)
    _vertical(drawing, place(1), 1.6 * LINE, height - LINE, "ink", dashed=True)
    colour: Colour = "bad" if metric.verdict == "regressed" else "good" if metric.verdict == "improved" else "head"
    drawing.line([(place(low), middle), (place(high), middle)], colour, width=4)
    drawing.dots([(place(metric.ratio), middle)], colour, radius=6)
    drawing.text((place(1), 4), "1 (equal)", align="middle")
    if limit and place(1 + limit) - place(1) > 60:
        drawing.text((place(1 + limit), 4), f"+{limit * 100:.3g}%", align="middle")
        drawing.text((place(1 - limit), 4), f"-{limit * 100:.3g}%", align="middle")
    words = f"{units.ratio(metric.ratio)} ({units.interval(metric.interval)})"
    drawing.text((min(max(place(metric.ratio), 75), WIDTH - 75), height - LINE + 5), words, align="middle")
    against = f"threshold {limit * 100:.3g}%" if limit else "no threshold"
    text = f"{units.ratio(metric.ratio)}, interval {units.interval(metric.interval)}"
    return drawing.svg(f"Ratio head over base {text}, {against}")


def history_line(series: Series, history: History) -> str:
    """Draw a metric over the stored runs: medians, the middle half of the samples, and the changes of level."""
    points = series.levels()
    if len(points) < 2:
        return ""
    height = 130.0
    bottom, top = 2 * LINE, height - 1.6 * LINE
    lows, highs = [point.low for point in points], [point.high for point in points]
    low, high = min(lows), min(max(highs), 3 * sorted(highs)[len(highs) // 2])
    if high <= low:
        low, high = low * 0.95, high * 1.05 or 1.0
    xs = _spread(len(points))
    up = scale(low, high, bottom, top)
    drawing = Drawing(WIDTH, height)
    band = [(x, up(value)) for x, value in zip(xs, highs, strict=True)]
    band += [(x, up(value)) for x, value in zip(reversed(xs), reversed(lows), strict=True)]
    drawing.area([(x, min(y, top)) for x, y in band], "head", opacity=0.15)
    medians = [(x, min(up(point.median), top)) for x, point in zip(xs, points, strict=True)]
    drawing.line(medians, "head", width=1)
    drawing.dots(medians, "head", radius=2.5)
    place_of = {point.place: index for index, point in enumerate(points)}
    texts = []
    for change in series.changes:
        x = (xs[place_of[change.place]] + xs[place_of[change.place] - 1]) / 2
        colour: Colour = "bad" if change.ratio > 1 else "good"
        _vertical(drawing, x, bottom, top, colour, width=1.5, dashed=True)
        drawing.text((x, height - LINE), f"{(change.ratio - 1) * 100:+.3g}%", colour=colour, align="middle")
        texts.append(f"{(change.ratio - 1) * 100:+.3g}% at {history.occasions[change.place].shown}")
    drawing.line([(LEFT, bottom), (RIGHT, bottom)], "faint", width=1)
    drawing.text((LEFT, 4), f"{history.occasions[points[0].place].created:%Y-%m-%d}")
    drawing.text((RIGHT, 4), f"{history.occasions[points[-1].place].created:%Y-%m-%d}", align="end")
    drawing.text((LEFT, LINE + 3), units.rounded(low, series.unit), colour="faint")
    drawing.text((LEFT, height - LINE), units.rounded(high, series.unit), colour="faint")
    changes = "; ".join(texts) or history.unsearched or "no change found"
    return drawing.svg(f"History over {len(points)} runs: {changes}")


def _is_drawable(arm: Summary) -> bool:
    return len(arm.quantiles) > 1 and arm.max < LARGEST and arm.max - arm.min > FAINTEST


def _vertical(
    drawing: Drawing, x: float, low: float, high: float, colour: Colour, *, width: float = 1, dashed: bool = False
) -> None:
    drawing.line([(x, low), (x, high)], colour, width=width, dashed=dashed)


def _spread(count: int) -> list[float]:
    return [LEFT + index / (count - 1) * (RIGHT - LEFT) for index in range(count)]


def _axis(drawing: Drawing, place: Callable[[float], float], low: float, high: float, unit: str) -> None:
    drawing.line([(LEFT, 2 * LINE), (RIGHT, 2 * LINE)], "faint", width=1)
    for step, align in enumerate(TICK_ALIGNMENTS):
        value = low + (high - low) * step / (len(TICK_ALIGNMENTS) - 1)
        _vertical(drawing, place(value), 2 * LINE - 3, 2 * LINE, "faint")
        drawing.text((place(value), LINE), units.quantity(value, unit), align=align)


def _density(arm: Summary, grid: Sequence[float]) -> list[float]:
    deviation = statistics.pstdev(arm.quantiles)
    spread = min(deviation, arm.iqr / 1.34) or deviation
    bandwidth = max(0.9 * spread * len(arm.quantiles) ** -0.2, (grid[-1] - grid[0]) / STEPS)
    return [math.fsum(math.exp(-0.5 * ((x - value) / bandwidth) ** 2) for value in arm.quantiles) for x in grid]
