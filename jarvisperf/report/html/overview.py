"""The page's overview: a line for each benchmark that changed or, if nothing was compared, for each pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.html.svg import Drawing, scale
from jarvisperf.report.shared import units
from jarvisperf.report.shared.ratio_scale import clipped, reach_of
from jarvisperf.report.shared.table import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding, MetricFinding
    from jarvisperf.report.html.svg import Colour
    from jarvisperf.report.shared.report import Report

MOST_LINES = 30
WIDTH, HEIGHT = 360.0, 16.0
COLOURS: dict[str, Colour] = {"regressed": "bad", "improved": "good", "inconclusive": "warn"}


class Line(NamedTuple):
    """One benchmark in the overview.

    Attributes:
        number: The benchmark's number on the page, for the link.
        name: Its display name.
        picture: An SVG element.
        words: The content of the picture in words.
        kind: The verdict that colours the words.
    """

    number: int
    name: str
    picture: str
    words: str
    kind: str


class Overview(NamedTuple):
    """The overview; the page leaves it out if it has no lines."""

    title: str
    lines: list[Line]
    note: str


def overview_of(report: Report, ordered: Sequence[BenchmarkFinding]) -> Overview:
    """Draw what changed, the most serious first; if nothing was compared, the pairs.

    Args:
        report: The report.
        ordered: Its benchmarks in the order of their numbers on the page.
    """
    return _changes(report, ordered) if report.findings.base is not None else _pairs(report, ordered)


def _changes(report: Report, ordered: Sequence[BenchmarkFinding]) -> Overview:
    found = [
        (number, label(report.names[finding.id], name), metric)
        for number, finding in enumerate(ordered)
        for name, metric in finding.metrics.items()
        if metric.interval is not None and metric.ratio is not None and metric.verdict not in {"unchanged", "new"}
    ]
    shown = found[:MOST_LINES]
    reach = reach_of(metric for _, _, metric in shown)
    lines = [
        Line(
            number,
            name,
            _interval(metric, reach),
            f"{metric.verdict} {units.ratio(metric.ratio)} ({units.interval(metric.interval)})",
            metric.verdict,
        )
        for number, name, metric in shown
        if metric.interval is not None and metric.ratio is not None
    ]
    scale = f"from {max(1 - reach, 0):.2f} to {1 + reach:.2f}"
    note = f"Ratio head / base with its interval, {scale}; dashed: 1; grey: within the threshold."
    more = len(found) - len(shown)
    return Overview("What changed", lines, f"{note} {more} more are in the table." if more else note)


def _interval(metric: MetricFinding, reach: float) -> str:
    ratio = 1.0 if metric.ratio is None else metric.ratio
    low, high = metric.interval or (1.0, 1.0)

    position = scale(1 - reach, 1 + reach, 6, WIDTH - 6)

    def place(value: float) -> float:
        return position(clipped(value, reach))

    drawing = Drawing(WIDTH, HEIGHT)
    middle = HEIGHT / 2
    if metric.threshold:
        _bar(drawing, place(1 - metric.threshold), place(1 + metric.threshold), "faint", opacity=0.25)
    drawing.line([(place(1), 0), (place(1), HEIGHT)], "ink", width=1, dashed=True)
    colour = COLOURS.get(metric.verdict, "head")
    drawing.line([(place(low), middle), (place(high), middle)], colour, width=3)
    drawing.dots([(place(ratio), middle)], colour, radius=5)
    return drawing.svg(f"ratio {units.ratio(ratio)}, interval {units.interval((low, high))}")


def _pairs(report: Report, ordered: Sequence[BenchmarkFinding]) -> Overview:
    pairs = report.pairs[:MOST_LINES]
    numbers = {report.names[finding.id]: number for number, finding in enumerate(ordered)}
    logs = [pair.magnitude for pair in pairs]
    low, high = min([*logs, 0.0]), max([*logs, 0.1])
    place = scale(low, high, 2, WIDTH - 2)
    lines = []
    for pair, value in zip(pairs, logs, strict=True):
        drawing = Drawing(WIDTH, HEIGHT)
        left, right = sorted((place(0), place(value)))
        _bar(drawing, left, right, "good" if value >= 0 else "bad", opacity=0.7)
        drawing.line([(place(0), 0), (place(0), HEIGHT)], "ink", width=1)
        kind = "improved" if value >= 0 else "regressed"
        lines.append(Line(numbers[pair.name], pair.label, drawing.svg(pair.comparison), pair.comparison, kind))
    return Overview("Before and after", lines, "Each benchmark and its uncached or naive counterpart, on a log scale.")


def _bar(drawing: Drawing, left: float, right: float, colour: Colour, *, opacity: float) -> None:
    drawing.bar((left, 1), (right, HEIGHT - 1), colour, opacity=opacity)
