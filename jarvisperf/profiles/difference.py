"""What differs between two profiles: which functions explain the slowdown.

A sample counts for the innermost function of the project in its stack: what a library does, it does because that
function called it, and that function is what its authors can change. Where a stack has none, the innermost function
of all counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.profiles.model import Frame

if TYPE_CHECKING:
    from jarvisperf.profiles.model import Profile

COMPREHENSIONS = frozenset({"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"})


class FunctionCost(NamedTuple):
    """What one function takes, per call of the target, with the library code that it calls.

    Attributes:
        function: Its name.
        file: Its file.
        line: The line that takes most; in a difference the line of head that grew most; 0 where unknown.
        head: What it takes in head.
        base: What it takes in the base; None where there is no base.
        share: In a difference the share of the whole change that it explains, else its share of the whole.
    """

    function: str
    file: str
    line: int
    head: float
    base: float | None
    share: float

    @property
    def change(self) -> float:
        """How much more it takes in head."""
        return self.head - (self.base or 0.0)


def costs(head: Profile, base: Profile | None = None) -> list[FunctionCost]:
    """Rank functions.

    Args:
        head: The profile.
        base: The one to compare with; None: rank by what each takes.

    Returns:
        In a difference the function that explains most of the change first, else the one that takes most.
    """
    ours = _by_function(head)
    theirs = _by_function(base) if base is not None else {}
    whole = head.total - base.total if base is not None else head.total
    found = []
    for key in dict.fromkeys([*ours, *theirs]):
        lines, base_lines = ours.get(key, {}), theirs.get(key, {})
        in_head, in_base = sum(lines.values()), sum(base_lines.values())
        change = in_head - in_base
        line = max(lines, key=lambda one: lines[one] - base_lines.get(one, 0.0), default=0)
        share = change / whole if whole else 0.0
        found.append(FunctionCost(*key, line, in_head, None if base is None else in_base, share))
    slower = base is None or whole >= 0
    return sorted(found, key=lambda cost: cost.change, reverse=slower)


def blamed(stack: tuple[Frame, ...]) -> Frame:
    """Give the frame that a sample counts for; what a comprehension does counts for the function that it stands in."""
    own = [frame for frame in stack if frame.own] or [stack[-1]]
    named = next((frame for frame in reversed(own) if frame.function not in COMPREHENSIONS), own[-1])
    innermost = own[-1]
    return Frame(named.function, named.file, innermost.line if innermost.file == named.file else named.line, named.own)


def _by_function(profile: Profile) -> dict[tuple[str, str], dict[int, float]]:
    """Give what each function takes, line by line."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for stack, weight in profile.walk():
        frame = blamed(stack)
        lines = found.setdefault((frame.function, frame.file), {})
        lines[frame.line] = lines.get(frame.line, 0.0) + weight
    return found
