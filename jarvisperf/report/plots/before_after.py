"""`plots/before_after.png` and `.svg`: each pair's medians, before and after, with the interval of their ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.plots.figure import (
    BASE_COLOUR,
    HEAD_COLOUR,
    drawing_style,
    figure_contents,
    figure_files,
    new_figure,
    shortened,
)
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import UNBOUNDED
from jarvisperf.report.shared.report import ReportFormat
from jarvisperf.report.shared.ticks import log_ticks

if TYPE_CHECKING:
    from jarvisperf.report.shared.pairs import Pair
    from jarvisperf.report.shared.report import Report

NAME = "before_after"
INCHES_PER_PAIR = 0.55
FAINTEST, LARGEST = 1e-30, 1e30  # the values that an axis can show, in seconds or bytes
MOST_PAIRS = 60  # viewers cannot open a taller picture


def render(report: Report) -> dict[str, bytes]:
    """Draw the pairs, up to 60."""
    pairs = report.pairs[:MOST_PAIRS]
    with drawing_style():
        return figure_contents(_drawn(pairs) if pairs else None, NAME)


def _units_of(pairs: list[Pair]) -> list[str]:
    """Return the units of pairs in the order of the built-in metrics, followed by others."""
    order = [kind.unit.symbol for kind in BUILT_IN]
    return sorted(
        {pair.unit for pair in pairs}, key=lambda unit: (order.index(unit) if unit in order else len(order), unit)
    )


def _drawn(pairs: list[Pair]) -> Any:
    panels = [(unit, [pair for pair in pairs if pair.unit == unit]) for unit in _units_of(pairs)]
    figure = new_figure(10, 1.3 * len(panels) + INCHES_PER_PAIR * len(pairs))
    heights = [len(rows) + 1 for _, rows in panels]
    axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axis, (unit, rows) in zip(axes[:, 0], panels, strict=True):
        _draw_panel(axis, unit, rows)
    return figure


def _draw_panel(axis: Any, unit: str, pairs: list[Pair]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    values = [(_drawable(pair.before), _drawable(pair.after)) for pair in pairs]
    ends = [_drawable(end) for pair in pairs for end in pair.interval or () if end < UNBOUNDED]
    lowest, highest = min([*map(min, values), *ends]), max([*map(max, values), *ends])
    margin = (highest / lowest) ** 0.08 * 1.02
    low, high = lowest / margin, highest * margin
    for row, (pair, (before, after)) in enumerate(zip(pairs, values, strict=True)):
        axis.plot([before, after], [row, row], color="#888888", linewidth=1.5, zorder=1)
        if pair.interval is not None:
            low_end, high_end = (min(max(_drawable(end), low), high) for end in pair.interval)
            axis.plot([low_end, high_end], [row, row], color=HEAD_COLOUR, linewidth=3, solid_capstyle="butt")
        axis.plot([before], [row], "o", color=BASE_COLOUR, markerfacecolor="white", markersize=8, markeredgewidth=2)
        axis.plot([after], [row], "o", color=HEAD_COLOUR, markersize=8)
        for place, text in enumerate(
            (pair.comparison, f"{units.quantity(pair.before, unit)} → {units.quantity(pair.after, unit)}")
        ):
            axis.annotate(
                text,
                (1, row),
                (8, 1 if place == 0 else -1),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="bottom" if place == 0 else "top",
                fontweight="bold" if place == 0 else "normal",
                fontsize=9 if place == 0 else 8,
            )
    for colour, face, name in ((BASE_COLOUR, "white", "before"), (HEAD_COLOUR, HEAD_COLOUR, "after")):
        axis.plot([], [], "o", color=colour, markerfacecolor=face, markersize=8, markeredgewidth=2, label=name)
    axis.set_xscale("log", base=unit_of(unit).log_base)
    axis.set_xlim(low, high)
    ticks = log_ticks(low, high, 6, unit_of(unit).log_base)
    axis.xaxis.set_major_locator(FixedLocator(ticks))
    axis.xaxis.set_major_formatter(FixedFormatter([units.rounded(value, unit) for value in ticks]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_yticks(range(len(pairs)), [shortened(pair.label) for pair in pairs])
    axis.set_ylim(len(pairs) - 0.4, -0.6)
    labels = dict.fromkeys(BUILT_IN.of(pair.metric, unit).axis_label for pair in pairs)
    axis.set_xlabel(f"median {', '.join(labels)}, log scale; thick line: 95% interval from measuring in turns")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", which="major", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(loc="lower right", frameon=False, ncols=2, bbox_to_anchor=(1, 1))


def _drawable(value: float) -> float:
    """Return where a value is drawn: the axis cannot show values far outside what clocks and memories measure."""
    return min(max(value, FAINTEST), LARGEST)


FORMAT = ReportFormat("before_after", figure_files(NAME), render, extra="plots")
