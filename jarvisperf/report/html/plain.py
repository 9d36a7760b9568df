"""The sections of the page of a run that was compared with nothing: pairs, groups, parameter curves."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.measure.metrics import BUILT_IN, TIME
from jarvisperf.report.findings.pairs import NO_DIFFERENCE
from jarvisperf.report.html.change_pictures import SIGNS
from jarvisperf.report.html.rows import plain_row, short_name, subjects
from jarvisperf.report.html.sections import Chart, Section, failed_section, skipped_section
from jarvisperf.report.html.value_pictures import (
    SERIES,
    Curve,
    curves_picture,
    pair_picture,
    value_axis,
    value_picture,
    value_scale,
)
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import UNBOUNDED, change_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding
    from jarvisperf.report.html.rows import BenchmarkRow, Subject
    from jarvisperf.report.html.value_pictures import ValueAxis
    from jarvisperf.report.shared.report import Report

FEWEST_POINTS = 3  # of a curve
MOST_CURVES = len(SERIES)
_IN_BRACKETS = re.compile(r"\([^)]*\)")  # stays on one line
ONE_AFTER_THE_OTHER = "Measured one after the other, not in turns: small differences can come from the machine."


class PairLine(NamedTuple):
    """A benchmark next to its uncached or naive counterpart."""

    anchor: str
    name: str
    picture: str
    words: str
    figures: str
    verdict: str
    sign: str


class PairPanel(NamedTuple):
    """The pairs of one metric on one axis."""

    scale: str
    lines: list[PairLine]


class _Family(NamedTuple):
    """Rows that stand together.

    Attributes:
        title: The headline.
        is_comparable: Whether its rows do the same job, so that one can be called faster than another.
        rows: What the rows are about.
    """

    title: str
    is_comparable: bool
    rows: list[Subject]


def plain_sections(report: Report, ordered: Sequence[BenchmarkFinding]) -> list[Section]:
    """Return a section for each group and metric."""
    found = [subject for subject in subjects(ordered) if subject.metric.head is not None]
    names = sorted({subject.metric_name for subject in found}, key=lambda name: (name != TIME.name, name))
    sections = failed_section(report, ordered)
    for name in names:
        chosen = [subject for subject in found if subject.metric_name == name]
        sections += [_section(report, family, name) for family in _families(chosen)]
    return [*sections, *skipped_section(report, ordered)]


def pair_panels(report: Report, ordered: Sequence[BenchmarkFinding]) -> list[PairPanel]:
    """Return the pairs before and after, a panel for each metric."""
    anchors = {report.names[finding.id]: f"b-{number}" for number, finding in enumerate(ordered)}
    panels = []
    for metric, unit in dict.fromkeys((pair.metric, pair.unit) for pair in report.pairs):
        pairs = [pair for pair in report.pairs if (pair.metric, pair.unit) == (metric, unit)]
        ends = [end for pair in pairs for end in (pair.before, pair.after, *(pair.interval or ()))]
        axis = value_axis([end for end in ends if 0 < end < UNBOUNDED], unit)
        lines = []
        for pair in pairs:
            figures = f"{units.quantity(pair.before, unit)} → {units.quantity(pair.after, unit)}"
            words = f"{pair.comparison}: before {figures.replace('→', 'after')}".replace(" after ", ", after ")
            picture = pair_picture(axis, pair.before, pair.after, pair.interval, words)
            name, verdict = short_name(pair.label), pair.direction
            change = _IN_BRACKETS.sub(lambda match: match[0].replace(" ", "\N{NO-BREAK SPACE}"), pair.comparison)
            lines.append(PairLine(anchors[pair.name], name, picture, change, figures, verdict, SIGNS[verdict]))
        panels.append(PairPanel(value_scale(axis, f"{_axis_label(metric, unit)}, log scale"), lines))
    return panels


def _families(chosen: Sequence[Subject]) -> list[_Family]:
    """Sort rows into named groups, parametrized tests, and the rest."""
    groups: dict[tuple[str, str], list[Subject]] = {}
    for subject in chosen:
        finding = subject.finding
        function = _function(finding)
        key = ("group", finding.group) if finding.group else ("function", function)
        groups.setdefault(key, []).append(subject)
    families = [
        _Family(title, True, rows) for (kind, title), rows in groups.items() if kind == "group" or len(rows) > 1
    ]
    rest = [rows[0] for (kind, _), rows in groups.items() if kind == "function" and len(rows) == 1]
    return [*families, _Family("Other benchmarks" if families else "Benchmarks", False, rest)] if rest else families


def _function(finding: BenchmarkFinding) -> str:
    """Return the name of the test function, with its file only if there is no other name."""
    return finding.id.partition("[")[0].partition("::")[2] or finding.id


def _section(report: Report, family: _Family, metric: str) -> Section:
    unit = family.rows[0].metric.unit
    rows = [subject for subject in family.rows if subject.metric.unit == unit]
    charts = _charts(rows, metric, unit) if family.is_comparable else []
    medians = [one.metric.head.median for one in rows if one.metric.head]
    least = min(medians)
    relates = family.is_comparable and len(rows) > 1 and not charts and least > 0
    spreads = [end for one in rows if one.metric.head for end in (one.metric.head.p25, one.metric.head.p75)]
    if relates:
        axis = value_axis([1.0, *(value / least for value in medians)], "")
        label = f"{metric} relative to the fastest" if unit == "s" else f"{metric} relative to the least"
    else:
        axis = value_axis([*medians, *spreads], unit)
        label = _axis_label(metric, unit)
    suffix = "" if metric == TIME.name else f" ({metric})"
    return Section(
        title=f"{family.title}{suffix}",
        note=f"Dot: the median. Line: the middle half of the samples.{f' {ONE_AFTER_THE_OTHER}' * (len(rows) > 1)}",
        columns=("median", ""),
        charts=charts,
        scale=value_scale(axis, f"{label}, log scale"),
        rows=[_row(report, one, axis, least if relates else None) for one in rows],
    )


def _row(report: Report, subject: Subject, axis: ValueAxis, least: float | None) -> BenchmarkRow:
    metric, head = subject.metric, subject.metric.head
    if head is None:
        raise ValueError("a row needs figures")
    shown = units.quantity(head.median, metric.unit)
    more = _compared_with_counterpart(report, subject) or _fastest_of(subject)
    if least is None:
        spread = f", middle half {units.quantity(head.p25, metric.unit)} to {units.quantity(head.p75, metric.unit)}"
        picture = value_picture(axis, head.median, (head.p25, head.p75), f"{shown}{spread}")
        return plain_row(report, subject, picture, shown, more)
    spread_ratio = head.p25 / least, head.p75 / least
    if head.median == least:
        words = "fastest" if metric.unit == "s" else "least"
    else:
        words = change_words(head.median / least, metric.unit).change
    picture = value_picture(axis, head.median / least, spread_ratio, f"{shown}, {words}")
    return plain_row(report, subject, picture, shown, more or words)


def _compared_with_counterpart(report: Report, subject: Subject) -> str:
    before = subject.finding.before
    pair = before.metrics.get(subject.metric_name) if before else None
    if before is None or pair is None:
        return ""
    name = report.names.get(before.id, before.id)
    if pair.word == NO_DIFFERENCE:
        return f"{NO_DIFFERENCE} from {name}"
    return f"{change_words(pair.ratio, subject.metric.unit).change} than {name}"


def _fastest_of(subject: Subject) -> str:
    """Name the fastest of the functions that a test compared, with those that cannot be told apart from it."""
    found = subject.finding.side_by_side
    if found is None or subject.metric_name != TIME.name:
        return ""
    first, *_ = found.ranking
    certain = found.pairs[0].interval is not None
    return f"fastest: {', '.join([first.name, *(first.tied_with if certain else ())])}"


def _charts(rows: Sequence[Subject], metric: str, unit: str) -> list[Chart]:
    """Return curves over the numeric parameter with the most values, if there is one."""
    names = dict.fromkeys(name for one in rows for name in one.finding.params)
    counts = {name: len({_number(one.finding.params.get(name)) for one in rows} - {None}) for name in names}
    parameter = max(counts, key=lambda name: counts[name], default=None)
    if parameter is None or counts[parameter] < FEWEST_POINTS:
        return []
    series: dict[str, dict[float, Subject]] = {}
    several = len({_function(one.finding) for one in rows}) > 1
    for one in rows:
        value = _number(one.finding.params.get(parameter))
        if value is None:
            return []
        others = [f"{name}={text}" for name, text in one.finding.params.items() if name != parameter]
        label = ", ".join([*([_function(one.finding)] if several or not others else []), *others])
        series.setdefault(label, {})[value] = one
    curves = [_curve(name, points) for name, points in series.items() if len(points) >= FEWEST_POINTS]
    if not curves:
        return []
    label = _axis_label(metric, unit)
    charts = []
    for first in range(0, len(curves), MOST_CURVES):
        shown = curves[first : first + MOST_CURVES]
        legend = [(SERIES[number][3], SERIES[number][0], curve.name) for number, curve in enumerate(shown)]
        picture = curves_picture(shown, parameter, unit, label)
        charts.append(
            Chart(picture, [], "; ".join(filter(None, (_growth(curve, parameter, unit) for curve in shown))), legend)
        )
    return charts


def _curve(name: str, points: dict[float, Subject]) -> Curve:
    found = [(value, one.metric.head) for value, one in sorted(points.items()) if one.metric.head]
    return Curve(name, [(value, head.median) for value, head in found], [(head.p25, head.p75) for _, head in found])


def _growth(curve: Curve, parameter: str, unit: str) -> str:
    """Say how a value grows with the parameter: the slope of the least-squares line through the logarithms."""
    points = [(math.log(x), math.log(y)) for x, y in curve.points if x > 0 and y > 0]
    if len(points) < FEWEST_POINTS or points[-1][0] - points[0][0] < math.log(4):
        return ""
    x_mean, y_mean = (math.fsum(column) / len(points) for column in zip(*points, strict=True))
    spread = math.fsum((x - x_mean) ** 2 for x, _ in points)
    slope = math.fsum((x - x_mean) * (y - y_mean) for x, y in points) / spread
    as_much = "as long" if unit == "s" else "as much"
    return f"{curve.name}: twice the {parameter} takes about {2**slope:.2g}x {as_much}" if abs(slope) < 10 else ""


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _axis_label(metric: str, unit: str) -> str:
    return f"median {BUILT_IN.of(metric, unit).axis_label}"
