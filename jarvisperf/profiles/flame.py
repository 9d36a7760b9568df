"""The tree behind a flame graph (Gregg, "The Flame Graph", CACM 2016): stacks merged from the outermost frame on."""

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
        frame: What it stands for.
        depth: 0 for the outermost.
        left: Where it begins, as a share of the whole width.
        width: Its width, as a share of the whole.
        head: What it takes in head, with all that it calls.
        base: What it takes in the base; None where there is no base.
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
    """Lay out the flame graph of head; with a base each box knows what it took there.

    Lines are told apart within the project's own files, so that one sees the line; where the base is another text, its
    lines are others, so then a function is one box.

    Args:
        head: The profile.
        base: The one to compare with.
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
