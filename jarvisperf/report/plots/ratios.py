"""`plots/ratios.png` and `.svg`: every change and its interval against the threshold, the most serious on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.report.plots.figure import (
    CALM_COLOUR,
    VERDICT_LOOKS,
    drawing_style,
    figure_contents,
    figure_files,
    new_figure,
    shortened,
)
from jarvisperf.report.shared.change_axis import change_axis
from jarvisperf.report.shared.change_words import change_words
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
    scale = change_axis(metric for _, metric in shown)
    for row, (_, metric) in enumerate(shown):
        if metric.threshold:
            left, right = scale.place(1 - metric.threshold), scale.place(1 + metric.threshold)
            axis.barh(row, right - left, 1, left=left, color="#000000", alpha=0.08, linewidth=0)
        ratio = metric.ratio or 0.0
        low, high = metric.interval or (ratio, ratio)
        colour, marker = VERDICT_LOOKS.get(metric.verdict, (CALM_COLOUR, "o"))
        axis.plot([scale.place(low), scale.place(high)], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        if scale.is_beyond(ratio):
            marker = ">" if ratio > 1 else "<"
        axis.plot([scale.place(ratio)], [row], marker, color=colour, markersize=6, clip_on=False)
        axis.annotate(
            f"{change_words(ratio, metric.unit, metric.interval).change}, {metric.verdict}",
            (1, row),
            (8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
        )
    axis.axvline(0, color="#000000", linewidth=0.8)
    axis.set_xlim(-1, 1)
    axis.set_xticks([tick.place for tick in scale.ticks()], [tick.text for tick in scale.ticks()])
    axis.set_yticks(range(len(shown)), [shortened(name) for name, _ in shown])
    axis.set_ylim(len(shown) - 0.4, -0.6)
    left_out = f", the {len(shown)} most serious of {len(rows)}" if len(rows) > len(shown) else ""
    axis.set_xlabel(f"change from base to head with its 95% interval, log scale; grey: the threshold{left_out}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", alpha=0.3)
    return figure


FORMAT = ReportFormat("ratios", figure_files(NAME), render, extra="plots")
