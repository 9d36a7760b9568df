"""The layout of a flame graph (Gregg, "The Flame Graph", CACM 2016): stacks merged from the outermost frame inwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.profiles.model import Frame, Profile

SMALLEST_SHARE = 0.004
DEEPEST = 40


class Box(NamedTuple):
    """One box of the graph.

    Attributes:
        frame: The frame it represents.
        depth: 0 for the outermost.
        left: Its left edge, as a share of the total width.
        width: Its width, as a share of the total width.
        head: Its cost in head, including everything it calls.
        base: Its cost in base; None: no base.
    """

    frame: Frame
    depth: int
    left: float
    width: float
    head: float
    base: float | None


@dataclass
class _Node:
    frame: Frame | None = None
    head: float = 0.0
    base: float = 0.0
    inside: dict[tuple[str, str, int], _Node] = field(default_factory=dict)


def boxes(head: Profile, base: Profile | None = None) -> list[Box]:
    """Lay out the flame graph of head; with a base, each box also has its cost there.

    Without a base, each line of the project's own files is a box, so that the line is visible. With one, a function is
    a box, because line numbers differ between the two versions.

    Args:
        head: The profile.
        base: The profile to compare with.
    """
    top = _Node()
    _grow(top, head, "head", lines=base is None)
    if base is not None:
        _grow(top, base, "base", lines=False)
    whole = top.head or 1.0
    return list(_laid_out(top, 0, 0.0, whole, compared=base is not None))


def _grow(top: _Node, profile: Profile, arm: str, *, lines: bool) -> None:
    for stack, weight in profile.walk():
        node = top
        setattr(node, arm, getattr(node, arm) + weight)
        for frame in stack[:DEEPEST]:
            key = (frame.function, frame.file, frame.line if lines and frame.own else 0)
            node = node.inside.setdefault(key, _Node(frame))
            setattr(node, arm, getattr(node, arm) + weight)


def _laid_out(node: _Node, depth: int, left: float, whole: float, *, compared: bool) -> Iterator[Box]:
    for inner in sorted(node.inside.values(), key=lambda one: -one.head):
        width = inner.head / whole
        if width < SMALLEST_SHARE or inner.frame is None:
            continue
        yield Box(inner.frame, depth, left, width, inner.head, inner.base if compared else None)
        yield from _laid_out(inner, depth + 1, left, whole, compared=compared)
        left += width
