"""Pictures in `plots/`: before and after of every pair, as PNG and SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from jarvisperf.report.formats.base import Report
from jarvisperf.report.plots.figure import (
    BASE_COLOUR,
    HEAD_COLOUR,
    drawing_style,
    figure_files,
    new_figure,
    shortened,
    write_figure,
)
from jarvisperf.report.shared import units
from jarvisperf.report.shared.table import short_names

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings

BEFORE_AFTER = "before_after"
INCHES_PER_PAIR = 0.55
FAINTEST, LARGEST = 1e-30, 1e30  # of a bar, in seconds or bytes
MOST_PAIRS = 60  # a picture of more is one that nobody can open


class Pair(NamedTuple):
    """Two medians that belong together, and how they stand."""

    name: str
    metric: str
    unit: str
    before: float
    after: float

    @property
    def magnitude(self) -> float:
        """How many powers of ten the one before is above the one after."""
        return math.log10(self.before) - math.log10(self.after)

    @property
    def comparison(self) -> str:
        """The ratio in words."""
        better, worse = ("faster", "slower") if self.unit == "s" else ("less", "more")
        if self.before >= self.after:
            return f"{units.times(self.before / self.after)} {better}"
        return f"{units.times(self.after / self.before)} {worse}"


class PlotsReport(Report):
    """Writes `plots/before_after.png` and `.svg`."""

    files = figure_files(BEFORE_AFTER)

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Draw the pairs; where there are none, a picture of an earlier run is removed."""
        pairs = pairs_of(findings)[:MOST_PAIRS]
        with drawing_style():
            return write_figure(_drawn(pairs) if pairs else None, folder, BEFORE_AFTER)


def pairs_of(findings: Findings) -> list[Pair]:
    """Give every uncached/cached or naive/batched pair that has figures above 0 on both sides."""
    names = short_names(findings)
    by_id = {finding.id: finding for finding in findings.benchmarks}
    pairs = []
    for finding in findings.benchmarks:
        for metric in finding.before.ratios if finding.before else ():
            head = finding.metrics[metric].head
            twin = by_id[finding.before.id].metrics[metric].head if finding.before else None
            if head and twin:
                pairs.append(Pair(names[finding.id], metric, finding.metrics[metric].unit, twin.median, head.median))
    return pairs


def _drawn(pairs: list[Pair]) -> Any:
    panels = [(unit, [pair for pair in pairs if pair.unit == unit]) for unit in ("s", "B")]
    panels = [(unit, rows) for unit, rows in panels if rows]
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
    axis.set_xscale("log", base=10 if unit == "s" else 2)
    # Room on the left so that the shortest bar is seen, on the right for what is written behind the longest.
    span = max(highest / lowest, 10)
    axis.set_xlim(lowest / span**0.08, highest * span**0.30)
    axis.set_yticks(range(len(pairs)), [_label(pair) for pair in pairs])
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.rounded(value, unit)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("median time per call, log scale" if unit == "s" else "median peak memory, log scale")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", which="major", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(loc="lower right", frameon=False, ncols=2, bbox_to_anchor=(1, 1))


def _drawable(value: float) -> float:
    """Give where a bar ends: what lies beyond what a clock or a memory can show has no place on an axis."""
    return min(max(value, FAINTEST), LARGEST)


def _label(pair: Pair) -> str:
    name = shortened(pair.name)
    return name if pair.metric == "time" else f"{name} ({pair.metric})"
