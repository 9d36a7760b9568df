"""The content of the HTML page: rows, details and words, made from the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.measure.metrics import SECONDS
from jarvisperf.report.html import pictures
from jarvisperf.report.html.overview import Overview, overview_of
from jarvisperf.report.html.profile import ProfileView, profile_view
from jarvisperf.report.shared import units
from jarvisperf.report.shared.table import SEVERITY, verdict_of
from jarvisperf.runs.bounds import bounded_id
from jarvisperf.runs.machine import differing, machine_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.history.model import History, Series
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding
    from jarvisperf.report.shared.report import MetricRow, Report
    from jarvisperf.runs.summary import Summary

TEXT_COLUMNS = frozenset({"benchmark", "metric", "verdict", "via"})
FIGURES = ("median", "mean", "min", "p25", "p75", "p95", "max")
MOST_DETAILS = 1_000  # about 14 MB; a larger page opens slowly in every browser


class Column(NamedTuple):
    """A column of the main table."""

    title: str
    number: bool


class Cell(NamedTuple):
    """A cell: what it shows, and the value it is sorted by."""

    text: str
    value: str
    kind: str
    label: str


class PageRow(NamedTuple):
    """A row of the main table."""

    number: int
    group: str | None
    verdict: str
    metric: str
    text: str
    cells: list[Cell]


class MetricDetail(NamedTuple):
    """One metric in a benchmark's details."""

    name: str
    words: str
    pictures: list[tuple[str, str]]
    changes: list[str]
    figure_names: tuple[str, ...]
    figures: list[tuple[str, list[str]]]


class Detail(NamedTuple):
    """A benchmark's details."""

    number: int
    id: str
    error: str | None
    notes: list[tuple[str, str]]
    metrics: list[MetricDetail]
    profile: ProfileView | None


class Page(NamedTuple):
    """Everything on the page."""

    summary: str
    state: str
    facts: list[str]
    problems: list[str]
    overview: Overview
    reasons: list[str]
    verdicts: list[str]
    metrics: list[str]
    footnote: str
    columns: list[Column]
    rows: list[PageRow]
    compared: bool
    elsewhere: str
    differences: list[tuple[str, str, str]]
    environment: str
    machine: list[tuple[str, str]]
    details: list[Detail]


def page_of(report: Report) -> Page:
    """Build the content of the page."""
    findings = report.findings
    ordered = list(findings.benchmarks)
    if findings.base is not None:
        ordered.sort(key=lambda finding: SEVERITY.index(verdict_of(finding)))
    titles = report.columns[1:]
    found = {metric.verdict for finding in ordered for metric in finding.metrics.values()}
    differences = _differences(findings)
    return Page(
        summary=report.summary,
        state=_state(findings, ordered),
        facts=[report.commit, _base_line(findings), f"{_time(findings.created)}, {report.machine}"],
        problems=report.problems,
        overview=overview_of(report, ordered),
        reasons=report.reasons,
        verdicts=[verdict for verdict in SEVERITY if verdict in found],
        metrics=sorted({name for finding in ordered for name in finding.metrics}),
        footnote=report.footnote,
        columns=[Column(title, title not in TEXT_COLUMNS) for title in titles],
        rows=[
            _row(number, row, titles) for number, finding in enumerate(ordered) for row in report.rows_by_id[finding.id]
        ],
        compared=findings.base is not None,
        elsewhere="report.json" if "report.json" in report.files else "",
        differences=differences,
        environment=_environment_line(findings, differences),
        machine=list(machine_facts(findings.machine).items()),
        details=[
            _detail(number, finding, report.history)
            for number, finding in enumerate(ordered[:MOST_DETAILS])
            if finding.metrics
        ],
    )


def _state(findings: Findings, ordered: Sequence[BenchmarkFinding]) -> str:
    """Return ``bad``, ``warn`` or ``good``, or an empty text if nothing was compared."""
    found = {verdict_of(finding) for finding in ordered}
    bad = {"error", "regressed"} if findings.allows_missing else {"error", "regressed", "missing"}
    if found & bad or not findings.trusted or findings.interrupted:
        return "bad"
    if findings.base is None:
        return ""
    return "warn" if "inconclusive" in found else "good"


def _time(created: str) -> str:
    from jarvisperf.runs.names import utc_time

    try:
        return f"{utc_time(created):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return created


def _base_line(findings: Findings) -> str:
    base = findings.base
    if base is None:
        return "compared with nothing"
    name = f" ({base.name})" if base.name else ""
    return f"compared with {(base.commit or 'no commit')[:12]}{name}, mode {findings.mode}"


def _differences(findings: Findings) -> list[tuple[str, str, str]]:
    if findings.base_machine is None:
        return []
    return differing(machine_facts(findings.base_machine), machine_facts(findings.machine))


def _environment_line(findings: Findings, differences: list[tuple[str, str, str]]) -> str:
    if findings.base is None:
        return "Nothing was compared."
    if findings.mode == "lockstep":
        return "Base and head ran side by side on the same machine with the same packages."
    if differences:
        return f"{len(differences)} facts differ: {', '.join(name for name, _, _ in differences)}."
    return "Machine and packages of base and head are the same."


def _row(number: int, row: MetricRow, titles: tuple[str, ...]) -> PageRow:
    finding, name, metric, texts = row
    values = _values(finding, name, metric)
    cells = [
        Cell(texts[title], values.get(title, texts[title] if title in TEXT_COLUMNS else ""), _kind(title, texts), title)
        for title in titles
    ]
    words = " ".join([finding.id, finding.group or "", *finding.params.values(), name])
    group = texts["group"] if finding.group else None
    return PageRow(number, group, metric.verdict, name, words.lower(), cells)


def _kind(title: str, texts: dict[str, str]) -> str:
    if title == "benchmark":
        return "name"
    if title == "verdict":
        return f"verdict {texts[title]}"
    return "" if title in TEXT_COLUMNS else "number"


def _values(finding: BenchmarkFinding, name: str, metric: MetricFinding) -> dict[str, str]:
    head, base = metric.head, metric.base
    values: dict[str, float | None] = {
        "median": head.median if head else None,
        "spread": head.iqr / head.median if head and head.median else None,
        "ops/s": head.per_second if head and metric.unit == SECONDS.symbol else None,
        "samples": head.samples if head else None,
        "before/after": finding.before.ratios.get(name) if finding.before else None,
        "base": base.median if base else None,
        "head": head.median if head else None,
        "change": metric.ratio,
        "95% interval": metric.interval[1] - metric.interval[0] if metric.interval else None,
        "threshold": metric.threshold,
        "verdict": float(SEVERITY.index(metric.verdict)),
    }
    return {title: "" if value is None else f"{value:.9g}" for title, value in values.items()}


def _detail(number: int, finding: BenchmarkFinding, history: History) -> Detail:
    return Detail(
        number=number,
        id=finding.id,
        error=finding.error,
        notes=[*finding.params.items(), *finding.extra_info.items()],
        metrics=[_metric(finding, name, metric, history) for name, metric in finding.metrics.items()],
        profile=profile_view(finding),
    )


def _metric(finding: BenchmarkFinding, name: str, metric: MetricFinding, history: History) -> MetricDetail:
    series = history.series.get(bounded_id(finding.id), {}).get(name)
    drawn = [("Distributions of the samples", pictures.distribution(metric))]
    drawn += [("Ratio against the threshold (grey)", pictures.interval(metric))]
    if series is not None:
        drawn += [(f"{len(series.points)} stored runs", pictures.history_line(series, history))]
    words = metric.verdict if metric.ratio is None else f"{metric.verdict}, ratio {units.ratio(metric.ratio)}"
    arms = [(arm, summary) for arm, summary in (("base", metric.base), ("head", metric.head)) if summary is not None]
    return MetricDetail(
        name=name,
        words=f"{words} ({metric.method})" + (f": {metric.doubt}" if metric.doubt else ""),
        pictures=[(caption, picture) for caption, picture in drawn if picture],
        changes=_changes(series, history) if series is not None else [],
        figure_names=(*FIGURES, "samples"),
        figures=[(arm, _figures(summary, metric.unit)) for arm, summary in arms],
    )


def _changes(series: Series, history: History) -> list[str]:
    lines = []
    for change in series.changes:
        occasion = history.occasions[change.place]
        lines.append(
            f"{(change.ratio - 1) * 100:+.3g}% at {occasion.shown}, {occasion.created:%Y-%m-%d %H:%M} UTC: "
            f"{units.quantity(change.before, series.unit)} to {units.quantity(change.after, series.unit)}"
        )
    return lines


def _figures(summary: Summary, unit: str) -> list[str]:
    return [*(units.quantity(getattr(summary, name), unit) for name in FIGURES), f"{summary.samples:,}"]
