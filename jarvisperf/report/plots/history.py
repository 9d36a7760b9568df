"""`plots/history.png` and `.svg`: benchmarks over the stored runs, with the runs at which they changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.plots.figure import (
    BETTER_COLOUR,
    HEAD_COLOUR,
    WORSE_COLOUR,
    drawing_style,
    encoded,
    figure_contents,
    figure_files,
    new_figure,
    shortened,
)
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.names import label
from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.history.model import History, Series
    from jarvisperf.report.shared.report import Report

NAME = "history"
MOST_PANELS = 12
PANELS_IN_A_ROW = 3
FEWEST_POINTS = 3
LARGEST = 1e30  # the largest value that an axis shows, in seconds or bytes


def render(report: Report) -> dict[str, bytes]:
    """Draw the 12 series with the largest changes, or the first ones if nothing changed."""
    chosen = sorted_by_change(report.history.all_series())[:MOST_PANELS]
    with drawing_style():
        return figure_contents(_drawn(chosen, report.history) if chosen else None, NAME)


def sorted_by_change(chosen: Iterable[Series]) -> list[Series]:
    """Return the series with at least three points, those with the largest change first."""
    drawable = [series for series in chosen if len(series.points) >= FEWEST_POINTS]
    return sorted(drawable, key=lambda series: -max((one.size for one in series.changes), default=0.0))


def draw_history(chosen: Sequence[Series], history: History, kind: str) -> bytes:
    """Return the picture of some series as the content of a file; `kind` is ``png`` or ``svg``."""
    with drawing_style():
        return encoded(_drawn(chosen, history), kind)


def _drawn(chosen: Sequence[Series], history: History) -> Any:
    """Draw one panel for each series."""
    across = min(PANELS_IN_A_ROW, len(chosen))
    down = math.ceil(len(chosen) / across)
    figure = new_figure(4.4 * across + 1, 2.2 * down + 0.3)
    axes = figure.subplots(down, across, squeeze=False).flat
    for axis, series in zip(axes, chosen, strict=False):
        _draw_panel(axis, series, history)
    for axis in list(axes)[len(chosen) :]:
        axis.set_visible(False)
    return figure


def _draw_panel(axis: Any, series: Series, history: History) -> None:
    from matplotlib.ticker import FuncFormatter

    points = series.levels()
    xs = [point.place for point in points]
    values, lows, highs = (
        [min(value, LARGEST) for value in column]
        for column in zip(*((point.median, point.low, point.high) for point in points), strict=True)
    )
    axis.fill_between(xs, lows, highs, color=HEAD_COLOUR, alpha=0.12)
    axis.plot(xs, values, ".-", color=HEAD_COLOUR, linewidth=0.8, markersize=4)
    for change in series.changes:
        is_worse = unit_of(series.unit).effects[change.ratio > 1] == "bad"
        colour = WORSE_COLOUR if is_worse else BETTER_COLOUR
        axis.axvline(change.place - 0.5, color=colour, linestyle="--", linewidth=1.2)
        text = f"{change_words(change.ratio, series.unit).change}\n{history.occasions[change.place].shown[:8]}"
        axis.annotate(
            text,
            (change.place - 0.5, 1),
            (2, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=7,
            color=colour,
        )
    name = series.benchmark.partition("::")[2] or series.benchmark
    axis.set_title(shortened(label(name, series.metric)), fontsize=8)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.rounded(value, series.unit)))
    axis.set_ylim(bottom=0, top=max(values) * 1.3 or 1.0)
    axis.set_xlabel("stored run, oldest first", fontsize=7)
    axis.set_ylabel(f"median {BUILT_IN.of(series.metric, series.unit).axis_label}", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)


FORMAT = ReportFormat("history", figure_files(NAME), render, extra="plots")
