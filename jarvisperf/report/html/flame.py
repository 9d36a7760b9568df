"""Flame graphs as SVG that the page's script zooms and searches, and that can be read without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.profiles.flame import boxes
from jarvisperf.report.html.svg import escaped
from jarvisperf.report.shared import units

if TYPE_CHECKING:
    from jarvisperf.profiles.flame import Box
    from jarvisperf.profiles.model import Profile

ROW_HEIGHT = 20
HEAT = ((0.10, "heat-4"), (0.05, "heat-3"), (0.02, "heat-2"), (0.005, "heat-1"))
COOL = ((-0.05, "cool-2"), (-0.01, "cool-1"))


def flame_graphs(head: Profile, base: Profile | None) -> list[tuple[str, str]]:
    """Draw base and head, or head alone.

    Boxes with the same stack have the same number in both graphs (`data-stack`), so that the page zooms both at once.

    Returns:
        Pairs of the arm's name and an SVG element.
    """
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    if base is None:
        return [("profile", _graph("profile", boxes(head), head, None, numbers))]
    whole = max(head.total, base.total) or 1.0
    return [
        ("base", _graph("base", boxes(base, head), base, whole, numbers)),
        ("head", _graph("head", boxes(head, base), head, whole, numbers)),
    ]


def _graph(
    arm: str, layout: list[Box], profile: Profile, whole: float | None, numbers: dict[tuple[tuple[str, str], ...], int]
) -> str:
    share = profile.total / whole if whole else 1.0  # both graphs have one scale, so the slower arm's is wider
    depth = max((box.depth for box in layout), default=0) + 1
    total = units.quantity(profile.total, profile.unit)
    words = escaped(f"Flame graph of {arm}, {total}; callers above, width is cost")
    parts = [f'<svg class="flame" width="100%" height="{depth * ROW_HEIGHT}" role="tree" aria-label="{words}">']
    path: list[tuple[str, str]] = []
    for box in layout:
        path[box.depth :] = [(box.frame.function, box.frame.file)]
        stack = numbers.setdefault(tuple(path), len(numbers))
        name = (
            f"{box.frame.function}:{box.frame.line}"
            if box.base is None and box.frame.own and box.frame.line
            else box.frame.function
        )
        caption = escaped(_caption(box, arm, profile.unit))
        parts.append(
            f'<svg class="{_heat(box, arm, whole)}" x="{box.left * share * 100:.2f}%" y="{box.depth * ROW_HEIGHT}" '
            f'width="{box.width * share * 100:.2f}%" height="{ROW_HEIGHT - 1}" role="treeitem" '
            f'aria-level="{box.depth + 1}" aria-label="{caption}" data-stack="{stack}" '
            f'tabindex="{0 if box is layout[0] else -1}">'
            f'<rect width="100%" height="100%" rx="2"/><text x="4" y="13">{escaped(name)}</text></svg>'
        )
    return "".join([*parts, "</svg>"])


def _caption(box: Box, arm: str, unit: str) -> str:
    line = f":{box.frame.line}" if box.frame.line else ""
    text = f"{box.frame.function} ({box.frame.file}{line}): {units.quantity(box.head, unit)}, {box.width * 100:.1f}%"
    if box.base is None:
        return text
    other = "head" if arm == "base" else "base"
    return f"{text} of {arm}; {other}: {units.quantity(box.base, unit)}"


def _heat(box: Box, arm: str, whole: float | None) -> str:
    """Colour by the growth from base to head as a share of the total; alone, by whether it is the project's own."""
    if box.base is None or whole is None:
        return "heat-1" if box.frame.own else "heat-0"
    growth = (box.head - box.base) / whole * (-1 if arm == "base" else 1)
    if growth >= 0:
        return next((name for least, name in HEAT if growth >= least), "heat-0")
    return next((name for most, name in COOL if growth <= most), "heat-0")
