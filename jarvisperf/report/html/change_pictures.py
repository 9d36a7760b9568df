"""The pictures of changes: in a row, for many benchmarks at once, and launch by launch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.html.svg import Drawing, scale
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_axis import change_axis
from jarvisperf.report.shared.change_words import change_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import MetricFinding
    from jarvisperf.report.html.svg import Colour
    from jarvisperf.report.shared.change_axis import ChangeAxis

LEFT, RIGHT = 0.02, 0.98
TOP, AXIS_HEIGHT = 18.0, 22.0  # pixels
TALLEST_LADDER = 150.0
MOST_THIN_INTERVALS = 300  # more of them would hide one another
COLOURS: dict[str, Colour] = {"regressed": "bad", "improved": "good", "inconclusive": "warn", "unchanged": "calm"}
SIGNS: dict[str, str] = {
    "regressed": "▲",
    "improved": "▼",
    "unchanged": "=",
    "inconclusive": "?",
    "new": "+",
    "missing": "∅",
    "error": "!",
    "skipped": "»",
    "left out": "/",
}


def change_picture(metric: MetricFinding, axis: ChangeAxis) -> str:
    """Draw a ratio and its interval within the threshold's band."""
    drawing = Drawing(100, is_stretched=True)
    draw_band(drawing, axis, metric.threshold, 0, 100)
    draw_interval(drawing, axis, metric, 50)
    words = change_words(metric.ratio or 0.0, metric.unit, metric.interval).whole
    against = f"threshold {metric.threshold * 100:.3g}%" if metric.threshold else "no threshold"
    arms = [
        f"{name} {units.quantity(arm.median, metric.unit)}"
        for name, arm in (("base", metric.base), ("head", metric.head))
        if arm is not None
    ]
    return drawing.svg(f"{metric.verdict}: {words}; {', '.join([*arms, against])}")


def change_scale(axis: ChangeAxis, unit: str) -> str:
    """Draw the axis above the rows."""
    drawing = Drawing(36)
    words = unit_of(unit)
    smaller, larger = words.effects
    drawing.text((LEFT, 10), f"← {words.better}", colour=smaller)
    drawing.text((RIGHT, 10), f"{words.worse} →", colour=larger, align="end")
    across = scale(-1, 1, LEFT, RIGHT)
    for tick in axis.ticks():
        drawing.vertical(across(tick.place), 31, 36, "faint")
        drawing.text((across(tick.place), 27), tick.text, colour="faint", align="middle")
    return drawing.svg(f"Axis of the changes, from {words.better} on the left to {words.worse} on the right")


def waterfall(chosen: Sequence[MetricFinding], axis: ChangeAxis, unit: str) -> str:
    """Draw many changes side by side, sorted: each is a dot with its interval, across the band of the threshold."""
    height = 190.0
    drawing = Drawing(height)
    span = 0.06, 0.99
    across = scale(0, max(len(chosen) - 1, 1), *span)
    up = scale(-1, 1, height - 8, 8)
    thresholds = [metric.threshold for metric in chosen if metric.threshold]
    if thresholds:
        threshold = sorted(thresholds)[len(thresholds) // 2]
        drawing.bar(0, 1, up(axis.place(1 + threshold)), up(axis.place(1 - threshold)), "faint", opacity=0.16)
    for tick in axis.ticks():
        drawing.line([(0, up(tick.place)), (1, up(tick.place))], "line", width=1)
        drawing.text((0, up(tick.place) - 3), tick.text, colour="faint")
    words = unit_of(unit)
    smaller, larger = words.effects
    drawing.text((1, 14), f"↑ {words.worse}", colour=larger, align="end")
    drawing.text((0.06, height - 6), f"↓ {words.better}", colour=smaller)
    size = max(3.0, min(8.0, 700 / len(chosen)))
    for verdict in ("unchanged", "inconclusive", "improved", "regressed"):
        places = [(number, metric) for number, metric in enumerate(chosen) if metric.verdict == verdict]
        for number, metric in places:
            if verdict != "unchanged" or len(chosen) <= MOST_THIN_INTERVALS:
                low, high = metric.interval or (1.0, 1.0)
                ends = [(across(number), up(axis.place(low))), (across(number), up(axis.place(high)))]
                drawing.line(ends, COLOURS[verdict], width=1)
        drawing.dots(
            [(across(number), up(axis.place(metric.ratio or 0.0))) for number, metric in places],
            COLOURS[verdict],
            size=size + (2 if verdict in {"regressed", "improved"} else 0),
        )
    return drawing.svg(f"{len(chosen)} changes, sorted, with the band of the threshold", span)


def launch_ladder(metric: MetricFinding) -> str:
    """Draw the change measured in each launch, one below the other, and the interval computed from them."""
    if metric.ratio is None or metric.interval is None:
        return ""
    axis = change_axis([metric], [launch.ratio for launch in metric.launches])
    words_of = unit_of(metric.unit)
    across = scale(-1, 1, LEFT, RIGHT)
    colour = COLOURS.get(metric.verdict, "head")
    step = min(9.0, TALLEST_LADDER / (len(metric.launches) or 1))
    top = TOP
    middle = top + step * len(metric.launches) + 14
    bottom = middle + 12
    drawing = Drawing(bottom + AXIS_HEIGHT)
    draw_band(drawing, axis, metric.threshold, TOP - 6, bottom)
    places = [
        (across(axis.place(launch.ratio)), top + step * (row + 0.5)) for row, launch in enumerate(metric.launches)
    ]
    drawing.dots(places, colour, size=min(6.0, step - 1))
    draw_interval(drawing, axis, metric, middle)
    drawing.text((LEFT, 10), f"← {words_of.better}", colour="faint")
    drawing.text((RIGHT, 10), f"{words_of.worse} →", colour="faint", align="end")
    draw_change_ticks(drawing, axis, bottom)
    against = f"threshold {metric.threshold * 100:.3g}%" if metric.threshold else "no threshold"
    dots = f", from {len(metric.launches)} launches" if metric.launches else ""
    words = change_words(metric.ratio, metric.unit, metric.interval).whole
    return drawing.svg(f"Change of head: {words}{dots}; {against}")


def draw_band(drawing: Drawing, axis: ChangeAxis, threshold: float | None, top: float, bottom: float) -> None:
    """Draw the band of changes within the threshold, and the line of no change."""
    across = scale(-1, 1, LEFT, RIGHT)
    if threshold:
        drawing.bar(
            across(axis.place(1 - threshold)), across(axis.place(1 + threshold)), top, bottom, "faint", opacity=0.16
        )
    drawing.vertical(across(0), top, bottom, "faint")


def draw_interval(drawing: Drawing, axis: ChangeAxis, metric: MetricFinding, y: float) -> None:
    """Draw a ratio as a dot on its interval; an arrow at the edge says that it lies beyond."""
    across = scale(-1, 1, LEFT, RIGHT)
    colour = COLOURS.get(metric.verdict, "head")
    ratio = 1.0 if metric.ratio is None else metric.ratio
    low, high = metric.interval or (ratio, ratio)
    drawing.line([(across(axis.place(low)), y), (across(axis.place(high)), y)], colour, width=3)
    place = (across(axis.place(ratio)), y)
    drawing.dots([place], colour, size=11, is_hollow=metric.verdict in {"inconclusive", "unchanged"})
    if axis.is_beyond(ratio):
        right = ratio > 1
        drawing.text((1 if right else 0, y), "▸" if right else "◂", colour=colour, align="end" if right else "start")


def draw_change_ticks(drawing: Drawing, axis: ChangeAxis, bottom: float) -> None:
    """Draw the ticks and their labels below a picture of changes."""
    across = scale(-1, 1, LEFT, RIGHT)
    drawing.line([(LEFT, bottom), (RIGHT, bottom)], "faint", width=1)
    for tick in axis.ticks():
        drawing.vertical(across(tick.place), bottom, bottom + 4, "faint")
        drawing.text((across(tick.place), bottom + 15), tick.text, colour="faint", align="middle")
