"""One row of the results: what was compared, the outcome, and whether it meets its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.peers.alternating import Timing


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        operation: What was measured.
        ours: This cache's figure, with its unit.
        peer: What it was compared with.
        theirs: The peer's figure, with its unit.
        figure: The ratio that has the target.
        at_most: The target, if it is an upper bound.
        at_least: The target, if it is a lower bound.
    """

    operation: str
    ours: str
    peer: str
    theirs: str
    figure: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def reached(self) -> bool:
        """Return whether the target is reached."""
        return self.figure <= self.at_most if self.at_most is not None else self.figure >= (self.at_least or 0.0)

    @property
    def target(self) -> str:
        """Return the target as text."""
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"

    def cells(self) -> list[str]:
        """Return the row's cells."""
        reached = "yes" if self.reached else "**no**"
        return [self.operation, self.ours, self.peer, self.theirs, f"{self.figure:.2f}", self.target, reached]


HEADS = ["operation", "ours", "compared with", "theirs", "ratio", "target", "reached"]


def compare(operation: str, ours: Timing, peer: str, theirs: Timing, *, at_most: float) -> Row:
    """Return the row of a ratio ours / theirs that should be small."""
    return Row(operation, show(ours.seconds), peer, show(theirs.seconds), ours.ratio_to(theirs), at_most=at_most)


def outrun(operation: str, ours: Timing, peer: str, theirs: Timing, *, at_least: float) -> Row:
    """Return the row of a ratio theirs / ours that should be large."""
    return Row(operation, show(ours.seconds), peer, show(theirs.seconds), theirs.ratio_to(ours), at_least=at_least)


def show(seconds: float) -> str:
    """Format a duration with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(rows: list[Row]) -> str:
    """Format a Markdown table."""
    lines = [HEADS, ["---"] * len(HEADS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
