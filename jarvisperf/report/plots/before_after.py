"""`plots/before_after.png` and `.svg`: each pair's medians, before and after."""

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
from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from jarvisperf.report.shared.pairs import Pair
    from jarvisperf.report.shared.report import Report

NAME = "before_after"
INCHES_PER_PAIR = 0.55
FAINTEST, LARGEST = 1e-30, 1e30  # the lengths that a bar can have, in seconds or bytes
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
    from matplotlib.ticker import FuncFormatter, NullFormatter

    bar = 0.38
    for row, pair in enumerate(pairs):
        before, after = _drawable(pair.before), _drawable(pair.after)
        axis.barh(row - bar / 2, before, bar, color=BASE_COLOUR, label="before" if row == 0 else None)
        axis.barh(row + bar / 2, after, bar, color=HEAD_COLOUR, label="after" if row == 0 else None)
        axis.annotate(
            units.quantity(pair.before, unit),
            (before, row - bar / 2),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
        axis.annotate(
            f"{units.quantity(pair.after, unit)}   {pair.comparison}",
            (after, row + bar / 2),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold",
        )
    lowest = _drawable(min(min(pair.before, pair.after) for pair in pairs))
    highest = _drawable(max(max(pair.before, pair.after) for pair in pairs))
    axis.set_xscale("log", base=unit_of(unit).log_base)
    # Room on the left so that the shortest bar is visible, on the right for the text behind the longest.
    span = max(highest / lowest, 10)
    axis.set_xlim(lowest / span**0.08, highest * span**0.30)
    axis.set_yticks(range(len(pairs)), [shortened(pair.label) for pair in pairs])
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.rounded(value, unit)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    labels = dict.fromkeys(BUILT_IN.of(pair.metric, unit).axis_label for pair in pairs)
    axis.set_xlabel(f"median {', '.join(labels)}, log scale")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", which="major", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(loc="lower right", frameon=False, ncols=2, bbox_to_anchor=(1, 1))


def _drawable(value: float) -> float:
    """Return where a bar ends: the axis cannot show values far outside what clocks and memories measure."""
    return min(max(value, FAINTEST), LARGEST)


FORMAT = ReportFormat("before_after", figure_files(NAME), render, extra="plots")
