"""A benchmark's profile on the page: a table of functions and a flame graph."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.profiles.difference import costs
from jarvisperf.profiles.flame import boxes
from jarvisperf.report.shared import units
from jarvisperf.report.shared.reasons import compared_profiles, place

if TYPE_CHECKING:
    from jarvisperf.profiles.difference import FunctionCost
    from jarvisperf.profiles.flame import Box
    from jarvisperf.profiles.model import Profile
    from jarvisperf.report.findings.model import BenchmarkFinding

WIDTH = 900
ROW_HEIGHT = 17
CHARACTER_WIDTH = 6.1
COMPARED = ("function", "at", "base", "head", "change", "share of the change")
COMPARED_CAPTION = (
    "Flame graph of head: callers above, width is cost. Grey: as in base; yellow to red: grew, the redder the more; "
    "green: shrank."
)
CAPTION = "Flame graph: callers above, width is cost. Yellow: the project's own functions; grey: library code."
ALONE = ("function", "at", "takes", "share")


class ProfileView(NamedTuple):
    """The part of a profile that the page shows.

    Attributes:
        title: The headline.
        note: How the profile was taken.
        compared: Whether base and head are compared.
        columns: The table's columns.
        rows: The table's rows; the function that explains most comes first.
        flame: The flame graph, an SVG element.
        caption: The meaning of its widths and colours.
    """

    title: str
    note: str
    compared: bool
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    flame: str
    caption: str


def profile_view(finding: BenchmarkFinding) -> ProfileView | None:
    """Return the view of a benchmark's profile; None if it has none."""
    profiles = compared_profiles(finding)
    if profiles is None:
        return None
    head, base = profiles
    ranked = costs(head, base)[: head.top]
    what = head.explains
    compared = base is not None
    return ProfileView(
        title=f"Why: the functions that explain the change of {what}" if compared else f"Where the {what} goes",
        note=_note(head, compared=compared),
        compared=compared,
        columns=COMPARED if compared else ALONE,
        rows=[_row(cost, head.unit) for cost in ranked],
        flame=_flame(boxes(head, base), head, compared=compared),
        caption=COMPARED_CAPTION if compared else CAPTION,
    )


def _note(head: Profile, *, compared: bool) -> str:
    kinds = {"pyinstrument": "samples", "cprofile": "calls", "memray": "allocations", "profile_function": "calls"}
    arms = "Both arms were profiled separately after the measurement; " if compared else ""
    rule = "A function's figures include the library code that it calls."
    return f"{arms}{head.engine}, {head.samples:,} {kinds[head.engine]} in {head.iterations:,} calls. {rule}"


def _row(cost: FunctionCost, unit: str) -> tuple[str, ...]:
    if cost.base is None:
        return cost.function, place(cost), units.quantity(cost.head, unit), units.percent(cost.share)
    sign = "+" if cost.change >= 0 else "-"
    return (
        cost.function,
        place(cost),
        units.quantity(cost.base, unit),
        units.quantity(cost.head, unit),
        f"{sign}{units.quantity(abs(cost.change), unit)}",
        f"{cost.share * 100:.0f}%",
    )


def _flame(layout: list[Box], head: Profile, *, compared: bool) -> str:
    depth = max((box.depth for box in layout), default=0) + 1
    kind = "coloured by how much more it takes than in base" if compared else "the wider, the more it takes"
    words = f"Flame graph of head, {kind}; the table below has the figures"
    size = f'viewBox="0 0 {WIDTH} {depth * ROW_HEIGHT}"'
    parts = [f'<svg class="flame" {size} role="img" aria-label="{words}"><title>{words}</title>']
    for box in layout:
        x, width, y = box.left * WIDTH, box.width * WIDTH, box.depth * ROW_HEIGHT
        name = f"{box.frame.function}:{box.frame.line}" if box.frame.own and box.frame.line else box.frame.function
        parts.append(
            f"<g><title>{html.escape(_caption(box, head))}</title>"
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW_HEIGHT}" class="{_heat(box, head)}"/>'
        )
        characters = int((width - 4) / CHARACTER_WIDTH)
        if characters >= 3:
            shown = name if len(name) <= characters else f"{name[: characters - 1]}…"
            parts.append(f'<text x="{x + 2:.1f}" y="{y + 12}">{html.escape(shown)}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])


def _caption(box: Box, head: Profile) -> str:
    place = f"{box.frame.function} ({box.frame.file}:{box.frame.line})"
    text = f"{place}: {units.quantity(box.head, head.unit)}, {box.width * 100:.1f}% of head"
    return text if box.base is None else f"{text}; base {units.quantity(box.base, head.unit)}"


def _heat(box: Box, head: Profile) -> str:
    """Colour by the growth as a share of the total; without a base, by whether the code is the project's own."""
    if box.base is None:
        return "heat-1" if box.frame.own else "heat-0"
    growth = (box.head - box.base) / (head.total or 1.0)
    for name, least in (("heat-4", 0.10), ("heat-3", 0.05), ("heat-2", 0.02), ("heat-1", 0.005)):
        if growth >= least:
            return name
    return "cool-2" if growth <= -0.05 else "cool-1" if growth <= -0.01 else "heat-0"
