"""A benchmark's profile as the page shows it: a table of functions and a flame graph."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.profiles.difference import costs
from jarvisperf.profiles.flame import boxes
from jarvisperf.profiles.model import scaled
from jarvisperf.report.shared import units
from jarvisperf.report.shared.visible import visible

if TYPE_CHECKING:
    from jarvisperf.profiles.difference import FunctionCost
    from jarvisperf.profiles.flame import Box
    from jarvisperf.profiles.model import Profile
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

LONGEST_SECONDS = 1e30  # of a call; a profile cannot be drawn to a scale beyond
WIDTH = 900
ROW_HEIGHT = 17
CHARACTER_WIDTH = 6.1
COMPARED = ("function", "at", "base", "head", "change", "share of the change")
COMPARED_CAPTION = (
    "Flame graph of head: callers above, width is what it takes. Grey: as in the base; yellow to red: it grew, the "
    "redder the more; green: it shrank."
)
CAPTION = "Flame graph: callers above, width is what it takes. Yellow: the project's own functions; grey: library code."
ALONE = ("function", "at", "takes", "share")


class ProfileView(NamedTuple):
    """What the page shows of a profile.

    Attributes:
        title: The headline.
        note: How it was taken.
        compared: Whether base and head are compared.
        columns: The table's columns.
        rows: Its rows, the one that explains most first.
        flame: The flame graph, an SVG element.
        caption: What its widths and colours mean.
    """

    title: str
    note: str
    compared: bool
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    flame: str
    caption: str


def compared_profiles(finding: BenchmarkFinding) -> tuple[Profile, Profile | None] | None:
    """Give the profiles of head and base, with the totals that were measured; None where head was not profiled."""
    head, base = finding.profile, finding.base_profile
    if head is None:
        return None
    time = finding.metrics.get("time")
    if head.unit == "s" and time and time.head:
        head = _scaled(head, time.head.median)
        if base is not None and time.ratio:
            base = _scaled(base, time.head.median / time.ratio)
    return head, base


def _scaled(profile: Profile, seconds: float) -> Profile:
    """Scale a profile to the seconds of a call; it stays as it was taken where those are beyond any call."""
    return scaled(profile, seconds) if seconds < LONGEST_SECONDS else profile


def profile_view(finding: BenchmarkFinding) -> ProfileView | None:
    """Describe a benchmark's profile; None where it has none."""
    profiles = compared_profiles(finding)
    if profiles is None:
        return None
    head, base = profiles
    ranked = costs(head, base)[: head.top]
    what = "memory" if head.unit == "B" else "time"
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


def guilty(finding: BenchmarkFinding) -> FunctionCost | None:
    """Give the function that explains most of a change; None where nothing was profiled on both arms."""
    profiles = compared_profiles(finding)
    if profiles is None or profiles[1] is None:
        return None
    return next(iter(costs(*profiles)), None)


def reasons(findings: Findings) -> list[str]:
    """Say in a line for each benchmark that got worse, in what its profile measures, which function explains most."""
    lines = []
    for finding in findings.benchmarks:
        metric = finding.metrics.get("memory" if finding.profile and finding.profile.unit == "B" else "time")
        cost = guilty(finding) if metric is not None and metric.verdict == "regressed" else None
        if cost is not None and cost.share > 0:
            unit = finding.profile.unit if finding.profile else "s"
            lines.append(visible(f"{finding.id}: {cost.function} ({place(cost)}) {_explanation(cost, unit)}"))
    return lines


def _explanation(cost: FunctionCost, unit: str) -> str:
    """Say what a function has to do with a change: it may have grown by more than the whole, where others shrank."""
    if cost.share <= 1:
        return f"explains {cost.share * 100:.0f}% of the change"
    whole = units.quantity(cost.change / cost.share, unit)
    return f"takes {units.quantity(cost.change, unit)} more, and other functions take less: {whole} more in all"


def place(cost: FunctionCost) -> str:
    """Say where a function stands."""
    return f"{cost.file}:{cost.line}" if cost.line else cost.file


def _note(head: Profile, *, compared: bool) -> str:
    kinds = {"pyinstrument": "samples", "cprofile": "calls", "memray": "allocations", "profile_function": "calls"}
    arms = "Both arms were profiled by themselves after the measurement; " if compared else ""
    rule = "A function's figures hold the library code that it calls."
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
    kind = "coloured by how much more it takes than in the base" if compared else "the wider, the more it takes"
    words = f"Flame graph of head, {kind}; the table beside it has the figures"
    size = f'viewBox="0 0 {WIDTH} {depth * ROW_HEIGHT}"'
    parts = [f'<svg class="flame" {size} role="img" aria-label="{words}"><title>{words}</title>']
    for box in layout:
        x, width, y = box.left * WIDTH, box.width * WIDTH, box.depth * ROW_HEIGHT
        name = f"{box.frame.function}:{box.frame.line}" if box.frame.own and box.frame.line else box.frame.function
        parts.append(
            f"<g><title>{html.escape(_told(box, head))}</title>"
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW_HEIGHT}" class="{_heat(box, head)}"/>'
        )
        characters = int((width - 4) / CHARACTER_WIDTH)
        if characters >= 3:
            shown = name if len(name) <= characters else f"{name[: characters - 1]}…"
            parts.append(f'<text x="{x + 2:.1f}" y="{y + 12}">{html.escape(shown)}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])


def _told(box: Box, head: Profile) -> str:
    place = f"{box.frame.function} ({box.frame.file}:{box.frame.line})"
    told = f"{place}: {units.quantity(box.head, head.unit)}, {box.width * 100:.1f}% of head"
    return told if box.base is None else f"{told}; base {units.quantity(box.base, head.unit)}"


def _heat(box: Box, head: Profile) -> str:
    """Colour by the growth as a share of the whole; without a base by whether it is the project's own."""
    if box.base is None:
        return "heat-1" if box.frame.own else "heat-0"
    growth = (box.head - box.base) / (head.total or 1.0)
    for name, least in (("heat-4", 0.10), ("heat-3", 0.05), ("heat-2", 0.02), ("heat-1", 0.005)):
        if growth >= least:
            return name
    return "cool-2" if growth <= -0.05 else "cool-1" if growth <= -0.01 else "heat-0"
