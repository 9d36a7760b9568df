"""The pictures of a run that was compared with nothing: values, ratios to the fastest, pairs, curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.html.svg import Drawing, scale
from jarvisperf.report.shared import units
from jarvisperf.report.shared.ticks import linear_ticks, log_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.report.html.svg import Alignment, Colour, Shape

LEFT, RIGHT = 0.02, 0.98
SMALLEST, LARGEST = 1e-30, 1e30  # the values that an axis can show, in seconds or bytes
LEAST_SPAN = 1.05  # of an axis, even if all values are equal
MARGIN = 1.03
A_DECADE = 10.0
SERIES: tuple[tuple[Colour, Shape, bool, str], ...] = (
    ("c1", "round", False, "●"),
    ("c2", "square", True, "□"),
    ("c3", "round", True, "○"),
    ("c4", "square", False, "■"),
)


class ValueAxis(NamedTuple):
    """A logarithmic axis of values.

    Attributes:
        low: The value at the left edge.
        high: The value at the right edge.
        unit: The symbol of the unit; empty: ratios to the fastest.
    """

    low: float
    high: float
    unit: str

    def place(self, value: float) -> float:
        """Return the position of a value, as a share of the picture's width."""
        whole = math.log(self.high) - math.log(self.low)
        share = (math.log(drawable(value)) - math.log(self.low)) / whole
        return LEFT + max(0.0, min(1.0, share)) * (RIGHT - LEFT)

    def text(self, value: float) -> str:
        """Write a tick's value."""
        return units.rounded(value, self.unit) if self.unit else f"{value:.4g}x"


class Curve(NamedTuple):
    """One line of a chart.

    Attributes:
        name: What it shows.
        points: Pairs of the parameter and the median, by parameter.
        spreads: The 25th and 75th percentile at each point.
    """

    name: str
    points: list[tuple[float, float]]
    spreads: list[tuple[float, float]]


def drawable(value: float) -> float:
    """Return where a value is drawn: an axis cannot show values far outside what clocks and memories measure."""
    return min(max(value, SMALLEST), LARGEST)


def value_axis(values: Sequence[float], unit: str) -> ValueAxis:
    """Return the axis for these values; an empty unit is for ratios to the fastest."""
    low, high = drawable(min(values)), drawable(max(values))
    if high / low < LEAST_SPAN:
        low, high = (low, low * LEAST_SPAN) if not unit else (low / LEAST_SPAN, high * LEAST_SPAN)
    margin = MARGIN * (high / low) ** 0.02
    return ValueAxis(low / margin, high * margin, unit)


def value_picture(axis: ValueAxis, value: float, spread: tuple[float, float], words: str) -> str:
    """Draw a value as a dot on the middle half of its samples."""
    drawing = Drawing(100, is_stretched=True)
    for tick in _ticks(axis):
        drawing.vertical(axis.place(tick), 0, 100, "line")
    drawing.line([(axis.place(spread[0]), 50), (axis.place(spread[1]), 50)], "head", width=3)
    drawing.dots([(axis.place(value), 50)], "head", size=11)
    return drawing.svg(words)


def pair_picture(axis: ValueAxis, before: float, after: float, interval: tuple[float, float] | None, words: str) -> str:
    """Draw a value before and after as two dots, joined by a line; the interval, if there is one, is that of after."""
    drawing = Drawing(100, is_stretched=True)
    for tick in _ticks(axis):
        drawing.vertical(axis.place(tick), 0, 100, "line")
    drawing.line([(axis.place(before), 50), (axis.place(after), 50)], "faint", width=2)
    if interval is not None:
        drawing.line([(axis.place(interval[0]), 50), (axis.place(interval[1]), 50)], "head", width=4)
    drawing.dots([(axis.place(before), 50)], "base", size=12, is_hollow=True)
    drawing.dots([(axis.place(after), 50)], "head", size=12)
    return drawing.svg(words)


def value_scale(axis: ValueAxis, words: str) -> str:
    """Draw the axis above the rows."""
    drawing = Drawing(36)
    drawing.text((LEFT, 10), words, colour="faint")
    for tick in _ticks(axis):
        place = axis.place(tick)
        drawing.vertical(place, 31, 36, "faint")
        drawing.text((place, 27), axis.text(tick), colour="faint", align=_aligned(place))
    return drawing.svg(f"Axis: {words}")


def curves_picture(curves: Sequence[Curve], parameter: str, unit: str, label: str) -> str:
    """Draw values over a numeric parameter; each axis is logarithmic if it spans a decade."""
    height, left, top, bottom = 260.0, 0.1, 26.0, 214.0
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [drawable(y) for curve in curves for _, y in curve.points]
    ends = [drawable(end) for curve in curves for spread in curve.spreads for end in spread]
    across, x_ticks, x_scale = _axis(xs, left + 0.02, RIGHT - 0.02, 10)
    up, y_ticks, y_scale = _axis([*ys, *ends], bottom - 6, top + 6, unit_of(unit).log_base)
    drawing = Drawing(height)
    for value in y_ticks:
        drawing.line([(left, up(value)), (RIGHT, up(value))], "line", width=1)
        drawing.text((left, up(value) + 4), units.rounded(value, unit), colour="faint", align="end", shift=-6)
    for value in x_ticks:
        drawing.vertical(across(value), bottom, bottom + 4, "faint")
        drawing.text((across(value), bottom + 17), f"{value:,.6g}", colour="faint", align="middle")
    drawing.line([(left, bottom), (RIGHT, bottom)], "faint", width=1)
    for number, curve in enumerate(curves):
        colour, shape, is_hollow, _ = SERIES[number % len(SERIES)]
        places = [(across(x), up(drawable(y))) for x, y in curve.points]
        for (x, _), (low, high) in zip(places, curve.spreads, strict=True):
            drawing.line([(x, up(drawable(low))), (x, up(drawable(high)))], colour, width=2)
        drawing.line(places, colour)
        drawing.dots(places, colour, size=9, shape=shape, is_hollow=is_hollow)
    drawing.text((left, 14), f"{label}{y_scale}", colour="faint")
    drawing.text(((left + RIGHT) / 2, bottom + 38), f"{parameter}{x_scale}", colour="faint", align="middle")
    names = ", ".join(curve.name for curve in curves)
    return drawing.svg(f"{label} over {parameter}: {names}")


def _axis(
    values: Sequence[float], first: float, last: float, base: int
) -> tuple[Callable[[float], float], list[float], str]:
    """Return where values are drawn, the ticks, and the words for the kind of scale."""
    low, high = min(values), max(values)
    if low > 0 and high / low >= A_DECADE:
        logarithmic = scale(math.log(low), math.log(high), first, last)
        return lambda value: logarithmic(math.log(value)), log_ticks(low, high, 6, base), ", log scale"
    if high - low <= abs(high) * 1e-9:
        low, high = low * 0.95, high * 1.05 or 1.0
    return scale(low, high, first, last), linear_ticks(low, high, 6), ""


def _ticks(axis: ValueAxis) -> list[float]:
    base = unit_of(axis.unit).log_base if axis.unit else 10
    return log_ticks(axis.low, axis.high, 6, base)


def _aligned(place: float) -> Alignment:
    return "start" if place < 0.06 else "end" if place > 0.94 else "middle"
