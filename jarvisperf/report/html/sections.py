"""The sections of the page if something was compared: one for each metric, all its changes on one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.measure.metrics import TIME
from jarvisperf.report.html.change_pictures import change_scale, waterfall
from jarvisperf.report.html.rows import bare_row, compared_row, subjects
from jarvisperf.report.shared.change_axis import change_axis
from jarvisperf.report.shared.table import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding
    from jarvisperf.report.html.rows import BenchmarkRow, Subject
    from jarvisperf.report.shared.report import Report

MOST_NAMED = 40  # more rows than these get a picture of all of them at once


class Chart(NamedTuple):
    """A picture of many benchmarks.

    Attributes:
        svg: An SVG element.
        rows: The anchors of the rows it shows, from left to right; empty if it does not lead to rows.
        caption: What it shows.
        legend: The series: a sign, its colour's class, and its name.
    """

    svg: str
    rows: list[str]
    caption: str
    legend: Sequence[tuple[str, str, str]]


class Section(NamedTuple):
    """A part of the page: rows on a common axis.

    Attributes:
        title: The headline.
        note: How to read it.
        columns: What the words and the figures of its rows are.
        charts: Pictures above the rows.
        scale: The axis above the rows, an SVG element; empty if the rows have no pictures.
        rows: The rows.
    """

    title: str
    note: str
    columns: tuple[str, str]
    charts: list[Chart]
    scale: str
    rows: list[BenchmarkRow]


def compared_sections(report: Report, ordered: Sequence[BenchmarkFinding]) -> list[Section]:
    """Return a section for each metric, and one for benchmarks without figures.

    Args:
        report: The report.
        ordered: Its benchmarks in the order of their numbers on the page.
    """
    by_metric: dict[str, list[Subject]] = {}
    for subject in subjects(ordered):
        by_metric.setdefault(subject.metric_name, []).append(subject)
    names = sorted(by_metric, key=lambda name: name != TIME.name)
    found = [_section(report, name, by_metric[name]) for name in names]
    return [*failed_section(report, ordered), *found, *skipped_section(report, ordered)]


def failed_section(report: Report, ordered: Sequence[BenchmarkFinding]) -> list[Section]:
    """Return the section of the benchmarks that failed and have no figures; nothing if there are none."""
    return _bare(report, ordered, "Failed", lambda finding: finding.error is not None)


def skipped_section(report: Report, ordered: Sequence[BenchmarkFinding]) -> list[Section]:
    """Return the sections of the other benchmarks without figures: skipped or new, and left out."""
    return [
        *_bare(report, ordered, "Not measured", lambda finding: finding.error is None and finding.left_out is None),
        *_bare(report, ordered, "Left out", lambda finding: finding.left_out is not None, report.left_out),
    ]


def _bare(
    report: Report,
    ordered: Sequence[BenchmarkFinding],
    title: str,
    belongs: Callable[[BenchmarkFinding], bool],
    note: str = "",
) -> list[Section]:
    rows = [
        bare_row(report, number, finding)
        for number, finding in enumerate(ordered)
        if not finding.metrics and belongs(finding)
    ]
    return [Section(title, note, ("reason", ""), [], "", rows)] if rows else []


def _section(report: Report, name: str, found: list[Subject]) -> Section:
    drawn = [subject for subject in found if subject.metric.ratio is not None]
    axis = change_axis(subject.metric for subject in drawn)
    by_change = sorted(drawn, key=lambda subject: -(subject.metric.ratio or 0.0))
    if len(found) > MOST_NAMED:
        rows = sorted(found, key=lambda one: (SEVERITY.index(one.metric.verdict), -(one.metric.ratio or 0.0)))
        picture = waterfall([one.metric for one in by_change], axis, drawn[0].metric.unit) if by_change else ""
        caption = f"All {len(by_change):,} changes, sorted. Each dot is a benchmark; shaded: within the threshold."
        charts = [Chart(picture, [one.id for one in by_change], caption, [])] if picture else []
    else:
        rows = [*(one for one in found if one.metric.ratio is None), *by_change]
        charts = []
    return Section(
        title=name[:1].upper() + name[1:],
        note="Dot: the change. Line: its 95% interval. Shaded: within the threshold.",
        columns=("change", "base → head"),
        charts=charts,
        scale=change_scale(axis, drawn[0].metric.unit) if drawn else "",
        rows=[compared_row(report, subject, axis) for subject in rows],
    )
