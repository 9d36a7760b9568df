"""The details of one row: figures, pictures, history and profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.findings.borderline import shown_verdict
from jarvisperf.report.hosting import commit_link, function_links, hosting_of
from jarvisperf.report.html.change_pictures import launch_ladder
from jarvisperf.report.html.pictures import distribution, history_line
from jarvisperf.report.html.profile import ProfileView, profile_view
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.pairs import side_by_side_lines
from jarvisperf.report.shared.reasons import reason_of, share_of, state_of
from jarvisperf.runs.bounds import bounded_id

if TYPE_CHECKING:
    from jarvisperf.history.model import History, Series
    from jarvisperf.report.findings.model import BenchmarkFinding, MetricFinding
    from jarvisperf.report.shared.report import Report
    from jarvisperf.runs.summary import Summary
    from jarvisperf.suspects.model import Explanation

MOST_SUSPECTS = 20
FIGURES = ("median", "mean", "min", "p25", "p75", "p95", "max")


class Picture(NamedTuple):
    """A picture and its caption."""

    svg: str
    caption: str


class SuspectView(NamedTuple):
    """A changed function, and the lines that differ.

    Attributes:
        cells: Function, place, what differs, calls per call of the target, and share of the change.
        address: The page with the function's lines; empty if there is none.
        lines: The lines, with ``+`` and ``-``.
    """

    cells: tuple[str, ...]
    address: str
    lines: tuple[str, ...]


class Detail(NamedTuple):
    """What a row opens to.

    Attributes:
        id: The benchmark's id.
        place: The test's file and line.
        error: Why it has no figures; empty if it has some.
        sentence: The verdict, and how it was reached.
        reason: The reason for a regression; empty if nothing is known.
        suspects: The changed functions that a regressed benchmark executes.
        notes: Parameters and the author's notes, by name.
        ranking: A line for each function that the test compared with others.
        pictures: The pictures.
        changes: A line for each change of level in the history, with the address of its commit.
        figure_names: The titles of the figures' columns.
        figures: The figures of each arm.
        profile: The profile; None if it has none or explains another metric.
    """

    id: str
    place: str
    error: str
    sentence: str
    reason: str
    suspects: list[SuspectView]
    notes: list[tuple[str, str]]
    ranking: list[str]
    pictures: list[Picture]
    changes: list[tuple[str, str]]
    figure_names: tuple[str, ...]
    figures: list[tuple[str, list[str]]]
    profile: ProfileView | None


def detail_of(report: Report, finding: BenchmarkFinding, metric_name: str | None, *, has_flames: bool = True) -> Detail:
    """Return the details of a benchmark's metric.

    Args:
        report: The report.
        finding: The benchmark.
        metric_name: The metric; None for a benchmark without figures.
        has_flames: Whether to draw the flame graphs.
    """
    metric = finding.metrics.get(metric_name) if metric_name is not None else None
    series = report.history.series.get(bounded_id(finding.id), {}).get(metric_name or "")
    explained = finding.profile.explains if finding.profile is not None else None
    is_explained = explained == metric_name or (
        explained not in finding.metrics and metric_name == next(iter(finding.metrics), None)
    )
    is_regressed = metric is not None and metric.verdict == "regressed"
    return Detail(
        id=finding.id,
        place=f"{finding.id.partition('::')[0]}:{finding.line}" if finding.line else "",
        error=finding.error or "",
        sentence=_sentence(metric) if metric is not None else "",
        reason=reason_of(finding) if is_regressed else "",
        suspects=_suspects(report, finding.explanation) if is_regressed and finding.explanation is not None else [],
        notes=[*finding.params.items(), *finding.extra_info.items()],
        ranking=side_by_side_lines(finding.side_by_side) if finding.side_by_side is not None else [],
        pictures=_pictures(metric, series, report.history) if metric is not None else [],
        changes=_changes(series, report) if series is not None else [],
        figure_names=(*FIGURES, "samples"),
        figures=_arms(metric) if metric is not None else [],
        profile=profile_view(report, finding, has_flames=has_flames) if is_explained else None,
    )


def _suspects(report: Report, explanation: Explanation) -> list[SuspectView]:
    address_of = function_links(report.findings)
    return [
        SuspectView(
            (
                one.function,
                f"{one.file}:{one.line}" if one.line else one.file,
                state_of(one),
                f"{one.base_calls:.4g} → {one.head_calls:.4g}",
                share_of(one).removeprefix("explains ") or "unknown",
            ),
            "" if one.difference == "removed" else address_of(one.file, one.line),  # it has no lines in head
            one.lines,
        )
        for one in explanation.suspects[:MOST_SUSPECTS]
    ]


def _sentence(metric: MetricFinding) -> str:
    """Return the verdict and its basis, as a sentence."""
    if metric.ratio is None:
        return f"Measured by {metric.method}." if metric.verdict == "new" else ""
    words = change_words(metric.ratio, metric.unit, metric.interval).whole
    against = (
        f"the threshold is {metric.threshold * 100:.3g}%" if metric.threshold is not None else "it has no threshold"
    )
    ways = {"lockstep": "measured in turns (lockstep)", "screening": "compared with stored runs (screening)", None: ""}
    launches = f" in {len(metric.launches)} launches" if len(metric.launches) > 1 else ""
    way = f"; {ways[metric.via]}{launches}" if ways[metric.via] else ""
    doubt = f". {metric.doubt[0].upper()}{metric.doubt[1:]}" if metric.doubt else ""
    return f"{words[0].upper()}{words[1:]}: {shown_verdict(metric)}; {against}{way}{doubt}."


def _pictures(metric: MetricFinding, series: Series | None, history: History) -> list[Picture]:
    dots = " A dot is the median of one launch." if metric.launches else ""
    drawn = [Picture(distribution(metric), f"Distribution of the samples.{dots}")]
    dots = "a dot for each launch, " if metric.launches else ""
    drawn += [Picture(launch_ladder(metric), f"Change: {dots}the interval below; shaded: the threshold.")]
    if series is not None:
        drawn += [
            Picture(history_line(series, history), f"{len(series.points)} stored runs: medians and middle halves.")
        ]
    return [one for one in drawn if one.svg]


def _changes(series: Series, report: Report) -> list[tuple[str, str]]:
    hosting = hosting_of({}, report.findings.repository)
    lines = []
    for change in series.changes:
        occasion = report.history.occasions[change.place]
        words = change_words(change.ratio, series.unit).change
        text = (
            f"{words} at {occasion.shown}, {occasion.created:%Y-%m-%d %H:%M} UTC: "
            f"{units.quantity(change.before, series.unit)} to {units.quantity(change.after, series.unit)}"
        )
        lines.append((text, commit_link(hosting, occasion.commit)))
    return lines


def _arms(metric: MetricFinding) -> list[tuple[str, list[str]]]:
    arms = [("base", metric.base), ("head", metric.head)]
    if metric.base is None and metric.ratio is None:
        arms = [("measured", metric.head)]
    return [(name, _figures(arm, metric.unit)) for name, arm in arms if arm is not None]


def _figures(summary: Summary, unit: str) -> list[str]:
    return [*(units.quantity(getattr(summary, name), unit) for name in FIGURES), f"{summary.samples:,}"]
