"""The lab's two pictures: alarms of each tool by factor, and how well each kind of work is measured."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from benchmarks.gate_lab.summary import ALARMS, lower_bound, right_word, upper_bound
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.gate_lab.summary import FactorCount, KindSummary, ToolSummary

# Okabe and Ito's palette: colour-blind readers can tell it apart, also in grey.
COLOURS = {
    "jarvisperf": "#0072B2",
    "pytest-benchmark median": "#E69F00",
    "pytest-benchmark min": "#D55E00",
    "pytest-benchmark mean": "#CC79A7",
}
OTHER_COLOUR = "#999999"
BAR_WIDTH = 0.21  # four tools fit next to each other


def draw_alarms(tools: Sequence[ToolSummary], threshold: float, path: Path) -> None:
    """Draw each tool's false alarms and detections by factor, with the one-sided 95 % bounds of each share.

    Args:
        tools: What is drawn: one panel for the idle machine, one for the busy one.
        threshold: The smallest change that counts, as a share.
        path: The file.
    """
    neighbourhoods = sorted({tool.neighbour for tool in tools})

    def draw(figure: Any) -> None:
        panels = figure.subplots(len(neighbourhoods), 1, squeeze=False)
        for axis, neighbour in zip(panels[:, 0], neighbourhoods, strict=True):
            _draw_alarm_panel(axis, [tool for tool in tools if tool.neighbour == neighbour], threshold)
            axis.set_title("while other processes keep all cores busy" if neighbour else "nothing else running")

    _save(path, (9, 3.6 * len(neighbourhoods)), draw)


def draw_kinds(kinds: Sequence[KindSummary], path: Path) -> None:
    """Draw the errors of the ratios and the coverage of the intervals by kind of work; without any, remove the file."""
    if not kinds:
        path.unlink(missing_ok=True)
        return

    def draw(figure: Any) -> None:
        errors, coverage = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [2, 1]})
        for row, kind in enumerate(kinds):
            points = [error * 100 for error in kind.errors_found]
            errors.scatter(points, [row] * len(points), s=9, alpha=0.4, color=COLOURS["jarvisperf"], linewidths=0)
            errors.plot([points[len(points) // 2]], [row], "|", color="black", markersize=12)
            coverage.barh(row, kind.coverage * 100, 0.6, color=COLOURS["jarvisperf"])
        errors.axvspan(-2, 2, color="#000000", alpha=0.06, linewidth=0)
        errors.set_xscale("symlog", linthresh=2)
        errors.set_xticks([-10, -2, -1, 0, 1, 2, 10], ["-10", "-2", "-1", "0", "+1", "+2", "+10"])
        errors.set_yticks(range(len(kinds)), [f"{kind.kind} ({kind.total})" for kind in kinds])
        errors.invert_yaxis()
        errors.set_xlabel("measured ratio compared with the true one, %")
        coverage.axvline(95, color="black", linewidth=1)
        coverage.set_xlim(0, 100)
        coverage.set_xlabel("intervals that contain the true ratio, %")

    _save(path, (10, 1.2 + 0.32 * len(kinds)), draw)


def _draw_alarm_panel(axis: Any, tools: Sequence[ToolSummary], threshold: float) -> None:
    factors = sorted({count.factor for tool in tools for count in tool.factors})
    for place, tool in enumerate(tools):
        counts = {count.factor: count for count in tool.factors}
        for group, factor in enumerate(factors):
            if factor not in counts:
                continue
            hits, total = shown_hits(counts[factor], threshold), counts[factor].total
            share, low, high = (100 * part for part in (hits / total, *_interval(hits, total)))
            centre = group + (place - (len(tools) - 1) / 2) * BAR_WIDTH
            label = tool.tool if group == 0 else None
            axis.bar(centre, share, BAR_WIDTH * 0.9, color=COLOURS.get(tool.tool, OTHER_COLOUR), label=label)
            axis.errorbar(centre, share, [[share - low], [high - share]], color="black", linewidth=1, capsize=2)
            axis.annotate(f"{share:.0f}", (centre, high), (0, 2), textcoords="offset points", ha="center")
    axis.set_xticks(range(len(factors)), [_label(factor, threshold) for factor in factors])
    axis.set_yticks(range(0, 101, 20))
    axis.set_ylim(0, 128)
    axis.set_ylabel("% of functions")
    axis.legend(loc="upper center", frameon=False, ncols=len(tools))


def _label(factor: float, threshold: float) -> str:
    if factor == 1:
        return "no change:\nfalse alarms"
    change = f"{round(abs(factor - 1) * 100, 6):g}% {'slower' if factor > 1 else 'faster'}"
    return f"{change}:\ndetected" if right_word(factor, threshold) else f"{change}, the\nthreshold: alarms"


def shown_hits(count: FactorCount, threshold: float) -> int:
    """Return the number of false alarms if nothing changed, otherwise that of the right verdict.

    Args:
        count: The verdicts.
        threshold: The smallest change that counts, as a share.
    """
    words = ALARMS if count.factor == 1 else (right_word(count.factor, threshold) or "regressed",)
    return sum(count.verdicts.get(word, 0) for word in words)


def _interval(hits: int, total: int) -> tuple[float, float]:
    return lower_bound(hits, total) or 0.0, upper_bound(hits, total) or 0.0


def _save(path: Path, inches: tuple[float, float], draw: Callable[[Any], None]) -> None:
    # The figure is used without pyplot: pyplot keeps every figure in a global list and may open a window.
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "gate-lab", "font.size": 9, "svg.fonttype": "none", "text.parse_math": False}):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        for axis in figure.axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_axisbelow(True)
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    write_whole(path, svg.getvalue())
