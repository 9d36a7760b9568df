"""A row of the page for each metric of each benchmark: its picture on a common axis, its words, and its details."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.findings.borderline import is_at_threshold
from jarvisperf.report.html.change_pictures import SIGNS, change_picture
from jarvisperf.report.html.details import Detail, detail_of
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.names import shortened
from jarvisperf.report.shared.reasons import cause_of
from jarvisperf.report.shared.table import SEVERITY, verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding, MetricFinding
    from jarvisperf.report.shared.change_axis import ChangeAxis
    from jarvisperf.report.shared.report import Report


LONGEST_NAME = 90
MOST_FLAMES = 60  # benchmarks with flame graphs; each takes some 20 kB
ORDER: dict[str, int] = {verdict: number for number, verdict in enumerate(SEVERITY)}


class BenchmarkRow(NamedTuple):
    """A row of the page.

    Attributes:
        id: The anchor, ``b-3``; further metrics of a benchmark have ``b-3-memory``.
        name: The display name.
        note: The group.
        reason: The function that explains a regression; empty if none does.
        verdict: The verdict; empty if nothing was compared.
        sign: A sign for the verdict, for readers who cannot tell the colours apart.
        picture: An SVG element; empty if there is nothing to draw.
        words: What the picture shows, in words.
        more: The second line of the words.
        figures: The medians.
        text: What the filter searches, in lower case.
        keys: The values that rows are sorted by: change, severity, name, and value.
        detail: The details.
    """

    id: str
    name: str
    note: str
    reason: str
    verdict: str
    sign: str
    picture: str
    words: str
    more: str
    figures: str
    text: str
    keys: dict[str, str]
    detail: Detail


class Subject(NamedTuple):
    """What a row is about.

    Attributes:
        number: The benchmark's number on the page.
        finding: The benchmark.
        metric_name: The metric's name.
        metric: Its findings.
        has_flames: Whether its flame graphs are drawn.
    """

    number: int
    finding: BenchmarkFinding
    metric_name: str
    metric: MetricFinding
    has_flames: bool

    @property
    def id(self) -> str:
        """The row's anchor."""
        place = list(self.finding.metrics).index(self.metric_name)
        return f"b-{self.number}-{place}" if place else f"b-{self.number}"


def subjects(findings: Sequence[BenchmarkFinding]) -> list[Subject]:
    """Return what the rows are about, benchmark by benchmark."""
    profiled = [number for number, finding in enumerate(findings) if finding.profile is not None][:MOST_FLAMES]
    return [
        Subject(number, finding, name, metric, number in profiled)
        for number, finding in enumerate(findings)
        for name, metric in finding.metrics.items()
    ]


def compared_row(report: Report, subject: Subject, axis: ChangeAxis) -> BenchmarkRow:
    """Return the row of a metric that was compared."""
    metric = subject.metric
    words, more = "", ""
    if metric.ratio is not None:
        change = change_words(metric.ratio, metric.unit, metric.interval)
        words, more = change.change, change.interval
        words += ", at your threshold" if is_at_threshold(metric) else ""
    elif metric.verdict == "missing":
        words, more = "missing", "exists in base but not in head"
    elif metric.verdict == "new":
        words, more = "new", subject.finding.new_because or "exists in head but not in base"
    medians = [units.quantity(arm.median, metric.unit) for arm in (metric.base, metric.head) if arm is not None]
    return _row(
        report,
        subject,
        verdict=metric.verdict,
        picture=change_picture(metric, axis) if metric.ratio is not None else "",
        words=words or (subject.finding.error or metric.verdict),
        more=more,
        figures=" → ".join(medians),
    )


def plain_row(report: Report, subject: Subject, picture: str, words: str, more: str) -> BenchmarkRow:
    """Return the row of a metric that was not compared."""
    verdict = "error" if subject.metric.verdict == "error" else ""
    return _row(report, subject, verdict=verdict, picture=picture, words=words, more=more, figures="")


def bare_row(report: Report, number: int, finding: BenchmarkFinding) -> BenchmarkRow:
    """Return the row of a benchmark that has no figures, because it failed, was skipped, or is new."""
    verdict = verdict_of(finding)
    return BenchmarkRow(
        id=f"b-{number}",
        name=short_name(report.names[finding.id]),
        note=finding.group or "",
        reason="",
        verdict=verdict,
        sign=SIGNS[verdict],
        picture="",
        words=finding.error or finding.left_out or finding.skipped or finding.new_because or "no figures",
        more="",
        figures="",
        text=_searched(finding, ""),
        keys=_keys(report.names[finding.id], verdict, None, None),
        detail=detail_of(report, finding, None),
    )


def short_name(name: str) -> str:
    """Shorten a very long name; the details have the whole id."""
    return name if len(name) <= LONGEST_NAME else shortened([name], LONGEST_NAME)[0]


def _row(
    report: Report, subject: Subject, *, verdict: str, picture: str, words: str, more: str, figures: str
) -> BenchmarkRow:
    finding, metric = subject.finding, subject.metric
    name = report.names[finding.id]
    cause = cause_of(finding) if metric.verdict == "regressed" else None
    value = metric.head or metric.base
    return BenchmarkRow(
        id=subject.id,
        name=short_name(name),
        note=finding.group or "",
        reason=cause.named if cause is not None else "",
        verdict=verdict,
        sign=SIGNS.get(verdict, ""),
        picture=picture,
        words=words,
        more=more,
        figures=figures,
        text=_searched(finding, subject.metric_name),
        keys=_keys(name, verdict, metric.ratio, value.median if value else None),
        detail=detail_of(report, finding, subject.metric_name, has_flames=subject.has_flames),
    )


def _searched(finding: BenchmarkFinding, metric: str) -> str:
    return " ".join([finding.id, finding.group or "", *finding.params.values(), f"metric:{metric}"]).lower()


def _keys(name: str, verdict: str, ratio: float | None, value: float | None) -> dict[str, str]:
    return {
        "change": "" if ratio is None else f"{math.log(ratio) if ratio > 0 else -1e9:.9g}",
        "severity": f"{ORDER.get(verdict, len(ORDER))}",
        "name": name.lower(),
        "value": "" if value is None else f"{value:.9g}",
    }
