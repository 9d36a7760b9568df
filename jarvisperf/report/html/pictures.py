"""The pictures of values in the details of a benchmark: distributions and history."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.html.svg import Drawing, scale
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.ticks import linear_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.history.model import History, Series
    from jarvisperf.report.findings.model import MetricFinding
    from jarvisperf.report.html.svg import Alignment, Colour
    from jarvisperf.runs.summary import Summary

LEFT, RIGHT = 0.02, 0.98
CELLS = 72  # in which a distribution is counted
RIDGE, DOTS, LABEL, AXIS = 40.0, 16.0, 18.0, 22.0  # heights in pixels
MOST_POINTS = 120  # of a history; older runs are not drawn
FAINTEST, LARGEST = 1e-30, 1e30  # the values that an axis can show, in seconds or bytes


def distribution(metric: MetricFinding) -> str:
    """Draw the distributions of base and head above each other, with a dot for the median of each launch.

    The samples are smoothed by a Gaussian kernel with Silverman's bandwidth ("Density Estimation for Statistics and
    Data Analysis", 1986, section 3.4.2). The scale ends at the 99th percentile, so one outlier cannot flatten the rest.
    """
    sides: tuple[tuple[Colour, Summary | None], ...] = (("base", metric.base), ("head", metric.head))
    arms = [(name, arm) for name, arm in sides if arm is not None and _is_drawable(arm)]
    if not arms:
        return ""
    launches = {
        "base": [launch.base for launch in metric.launches],
        "head": [launch.head for launch in metric.launches],
    }
    low, high = _range([arm for _, arm in arms])
    low, high = low - (high - low) * 0.04, high + (high - low) * 0.04
    across = scale(low, high, LEFT, RIGHT)
    row = LABEL + RIDGE + (DOTS if metric.launches else 0)
    drawing = Drawing(row * len(arms) + AXIS)
    bottom = row * len(arms)
    densities = [_density(arm, low, high) for _, arm in arms]
    peak = max(map(max, densities)) or 1.0
    for number, ((name, arm), density) in enumerate(zip(arms, densities, strict=True)):
        top, floor = row * number + LABEL, row * number + LABEL + RIDGE
        up = scale(0, peak, floor, top)
        step = (RIGHT - LEFT) / (len(density) - 1)
        curve = [(LEFT + step * place, up(value)) for place, value in enumerate(density)]
        drawing.ridge([(LEFT, floor), *curve, (RIGHT, floor)], name)
        inside = [(across(value), floor + DOTS / 2) for value in launches[name] if low <= value <= high]
        drawing.dots(inside, name, size=7, is_hollow=name == "base")
        drawing.line(
            [(across(arm.median), top - 3), (across(arm.median), bottom)], name, width=2, dashed=name == "base"
        )
        drawing.text((LEFT, top - 5), f"{name}  {units.quantity(arm.median, metric.unit)}", colour=name)
    _value_axis(drawing, bottom, across, low, high, metric.unit)
    text = "; ".join(
        f"{name}: median {units.quantity(arm.median, metric.unit)}, middle half "
        f"{units.quantity(arm.p25, metric.unit)} to {units.quantity(arm.p75, metric.unit)}, {arm.samples:,} samples"
        for name, arm in arms
    )
    return drawing.svg(f"Distributions. {text}")


def history_line(series: Series, history: History) -> str:
    """Draw a metric over the stored runs: medians, the middle half of the samples, and the changes of level."""
    points = series.levels()[-MOST_POINTS:]
    if len(points) < 2:
        return ""
    top, bottom = 20.0, 130.0
    lows, highs = [point.low for point in points], [point.high for point in points]
    low, high = min(lows), min(max(highs), 3 * sorted(highs)[len(highs) // 2], LARGEST)
    low = min(low, high)
    if high - low <= max(abs(high) * 1e-9, FAINTEST):
        low, high = low * 0.95, high * 1.05 or 1.0
    left = 0.13
    across = scale(0, len(points) - 1, left, RIGHT)
    up = scale(low, high, bottom - 4, top)
    xs = [across(number) for number in range(len(points))]
    drawing = Drawing(bottom + AXIS)
    for value in linear_ticks(low, high, 4):
        drawing.line([(left, up(value)), (RIGHT, up(value))], "line", width=1)
        drawing.text((left, up(value) + 4), units.rounded(value, series.unit), colour="faint", align="end", shift=-6)
    band = [(x, up(min(value, high))) for x, value in zip(xs, highs, strict=True)]
    band += [(x, up(min(value, high))) for x, value in zip(reversed(xs), reversed(lows), strict=True)]
    drawing.area(band, "head", opacity=0.15)
    medians = [(x, up(min(max(point.median, low), high))) for x, point in zip(xs, points, strict=True)]
    drawing.line(medians, "head", width=1.5)
    drawing.dots(medians, "head", size=5 if len(points) < 60 else 3)
    place_of = {point.place: index for index, point in enumerate(points)}
    texts = []
    for change in series.changes:
        if place_of.get(change.place, 0) == 0:
            continue  # before the first run that is drawn
        x = (xs[place_of[change.place]] + xs[place_of[change.place] - 1]) / 2
        words = change_words(change.ratio, series.unit).change
        colour = unit_of(series.unit).effects[change.ratio > 1]
        drawing.vertical(x, top - 4, bottom, colour, dashed=True)
        align: Alignment = "middle" if 0.25 < x < 0.85 else "start" if x <= 0.25 else "end"
        drawing.text((x, 11), words, colour=colour, align=align)
        texts.append(f"{words} at {history.occasions[change.place].shown}")
    drawing.line([(left, bottom), (RIGHT, bottom)], "faint", width=1)
    for point, align in ((points[0], "start"), (points[-1], "end")):
        text = f"{history.occasions[point.place].created:%Y-%m-%d}"
        drawing.text((left if align == "start" else RIGHT, bottom + 15), text, colour="faint", align=align)
    changes = "; ".join(texts) or history.unsearched or "no change found"
    return drawing.svg(f"History over {len(points)} runs: {changes}")


def _value_axis(
    drawing: Drawing, y: float, across: Callable[[float], float], low: float, high: float, unit: str
) -> None:
    drawing.line([(LEFT, y), (RIGHT, y)], "faint", width=1)
    for value in linear_ticks(low, high, 4):
        place = across(value)
        align: Alignment = "start" if place < 0.08 else "end" if place > 0.92 else "middle"
        drawing.vertical(place, y, y + 4, "faint")
        drawing.text((place, y + 15), units.rounded(value, unit), colour="faint", align=align)


def _is_drawable(arm: Summary) -> bool:
    return len(arm.quantiles) > 1 and arm.max < LARGEST and arm.max - arm.min > max(FAINTEST, arm.max * 1e-12)


def _range(arms: Sequence[Summary]) -> tuple[float, float]:
    low = min(arm.min for arm in arms)
    high = max(min(arm.p99, arm.median + 4 * max(arm.iqr, arm.stddev / 4)) for arm in arms)
    return low, high if high > low else max(arm.max for arm in arms)


def _density(arm: Summary, low: float, high: float) -> list[float]:
    """Return the smoothed density of the quantiles at `CELLS` equal steps from `low` to `high`."""
    cell = (high - low) / (CELLS - 1)
    counts = [0.0] * CELLS
    for value in arm.quantiles:
        place = (value - low) / cell
        before = math.floor(place)
        for number, share in ((before, 1 - (place - before)), (before + 1, place - before)):
            if 0 <= number < CELLS:
                counts[number] += share / len(arm.quantiles)
    spread = min(arm.stddev, arm.iqr / 1.34) or arm.stddev
    bandwidth = max(0.9 * spread * len(arm.quantiles) ** -0.2 / cell, 1.0)
    reach = min(math.ceil(3 * bandwidth), CELLS)
    kernel = [math.exp(-0.5 * (distance / bandwidth) ** 2) / bandwidth for distance in range(reach + 1)]
    return [
        sum(
            counts[other] * kernel[abs(other - number)]
            for other in range(max(number - reach, 0), min(number + reach + 1, CELLS))
        )
        for number in range(CELLS)
    ]
