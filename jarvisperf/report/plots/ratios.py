"""`plots/ratios.png` and `.svg`: every ratio and its interval against the threshold, the most serious on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.report.plots.figure import (
    BETTER_COLOUR,
    HEAD_COLOUR,
    WORSE_COLOUR,
    drawing_style,
    figure_contents,
    figure_files,
    new_figure,
    shortened,
)
from jarvisperf.report.shared import units
from jarvisperf.report.shared.ratio_scale import clipped, reach_of
from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import MetricFinding
    from jarvisperf.report.shared.report import Report

NAME = "ratios"
MOST_ROWS = 60
INCHES_PER_ROW = 0.24


def render(report: Report) -> dict[str, bytes]:
    """Draw the ratios of all benchmarks, or of the 60 most serious if there are more."""
    rows = [
        (row.label, row.metric)
        for row in report.rows
        if row.metric.ratio is not None and row.metric.interval is not None
    ]
    with drawing_style():
        return figure_contents(_drawn(rows) if rows else None, NAME)


def _drawn(rows: list[tuple[str, MetricFinding]]) -> Any:
    shown = rows[:MOST_ROWS]
    figure = new_figure(10, 1.2 + INCHES_PER_ROW * len(shown))
    axis = figure.subplots()
    reach = reach_of(metric for _, metric in shown)
    colours = {"regressed": WORSE_COLOUR, "improved": BETTER_COLOUR}
    for row, (_, metric) in enumerate(shown):
        low, high = metric.interval or (1.0, 1.0)
        if metric.threshold:
            axis.barh(row, 2 * metric.threshold, 0.8, left=1 - metric.threshold, color="#000000", alpha=0.08)
        colour = colours.get(metric.verdict, HEAD_COLOUR)
        ends = [clipped(low, reach), clipped(high, reach)]
        axis.plot(ends, [row, row], color=colour, linewidth=2.5, solid_capstyle="butt")
        axis.plot([clipped(metric.ratio or 0.0, reach)], [row], "D", color=colour, markersize=5)
        axis.annotate(
            f"{units.ratio(metric.ratio or 0.0)} {metric.verdict}",
            (1, row),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
        )
    axis.axvline(1, color="#000000", linewidth=0.8)
    axis.set_yticks(range(len(shown)), [shortened(name) for name, _ in shown])
    axis.set_ylim(len(shown) - 0.4, -0.6)
    left = f", the {len(shown)} most serious of {len(rows)}" if len(rows) > len(shown) else ""
    axis.set_xlabel(f"ratio head / base with its interval; grey: the threshold{left}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", alpha=0.3)
    return figure


FORMAT = ReportFormat("ratios", figure_files(NAME), render, extra="plots")
