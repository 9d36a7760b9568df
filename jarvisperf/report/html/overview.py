"""The page's first picture: a line for each benchmark that changed, or for each pair where nothing was compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.html.svg import Drawing, scale
from jarvisperf.report.plots.before_after import pairs_of
from jarvisperf.report.shared import units
from jarvisperf.report.shared.ratio_scale import clipped, reach_of
from jarvisperf.report.shared.table import short_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding
    from jarvisperf.report.html.svg import Colour

MOST_LINES = 30
WIDTH, HEIGHT = 360.0, 16.0
COLOURS: dict[str, Colour] = {"regressed": "bad", "improved": "good", "inconclusive": "warn"}


class Line(NamedTuple):
    """One benchmark in the overview.

    Attributes:
        number: Its place on the page, by which it is linked to.
        name: Its name.
        picture: An SVG element.
        words: What the picture shows, in words.
        kind: The colour of the words.
    """

    number: int
    name: str
    picture: str
    words: str
    kind: str


class Overview(NamedTuple):
    """The overview; without lines it is not shown."""

    title: str
    lines: list[Line]
    note: str


def overview_of(findings: Findings, ordered: Sequence[BenchmarkFinding]) -> Overview:
    """Draw what changed, the gravest first; where nothing was compared, the pairs.

    Args:
        findings: The report.
        ordered: Its benchmarks as they are numbered on the page.
    """
    return _changes(findings, ordered) if findings.base is not None else _pairs(findings, ordered)


def _changes(findings: Findings, ordered: Sequence[BenchmarkFinding]) -> Overview:
    names = short_names(findings)
    found = [
        (number, names[finding.id] if name == "time" else f"{names[finding.id]} ({name})", metric)
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
    return Overview("What changed", lines, f"{note} {more} more stand in the table." if more else note)


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


def _pairs(findings: Findings, ordered: Sequence[BenchmarkFinding]) -> Overview:
    pairs = pairs_of(findings)[:MOST_LINES]
    names = short_names(findings)
    numbers = {names[finding.id]: number for number, finding in enumerate(ordered)}
    logs = [pair.magnitude for pair in pairs]
    low, high = min([*logs, 0.0]), max([*logs, 0.1])
    place = scale(low, high, 2, WIDTH - 2)
    lines = []
    for pair, value in zip(pairs, logs, strict=True):
        drawing = Drawing(WIDTH, HEIGHT)
        left, right = sorted((place(0), place(value)))
        _bar(drawing, left, right, "good" if value >= 0 else "bad", opacity=0.7)
        drawing.line([(place(0), 0), (place(0), HEIGHT)], "ink", width=1)
        name = pair.name if pair.metric == "time" else f"{pair.name} ({pair.metric})"
        kind = "improved" if value >= 0 else "regressed"
        lines.append(Line(numbers[pair.name], name, drawing.svg(pair.comparison), pair.comparison, kind))
    return Overview("Before and after", lines, "Each against its uncached or naive twin, on a log scale.")


def _bar(drawing: Drawing, left: float, right: float, colour: Colour, *, opacity: float) -> None:
    drawing.bar((left, 1), (right, HEIGHT - 1), colour, opacity=opacity)
