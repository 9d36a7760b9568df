"""The difference between two profiles: which functions explain a change.

A sample is attributed to the innermost function of the project on its stack: that function called the library code
below it, and it is what the authors can change. If a stack has none, the innermost function of all counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.profiles.model import Frame

if TYPE_CHECKING:
    from jarvisperf.profiles.model import Profile

COMPREHENSIONS = frozenset({"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"})


class FunctionCost(NamedTuple):
    """The cost of one function per call of the target, including the library code it calls.

    Attributes:
        function: Its name.
        file: Its file.
        line: The most expensive line, or in a difference the line of head that grew most; 0: unknown.
        head: Its cost in head.
        base: Its cost in base; None: no base.
        share: In a difference its share of the total change, otherwise its share of the total cost.
    """

    function: str
    file: str
    line: int
    head: float
    base: float | None
    share: float

    @property
    def change(self) -> float:
        """Its cost in head minus its cost in base."""
        return self.head - (self.base or 0.0)


def costs(head: Profile, base: Profile | None = None) -> list[FunctionCost]:
    """Rank functions.

    Args:
        head: The profile.
        base: The profile to compare with; None: rank by cost.

    Returns:
        The functions; first the one that explains most of the change, or without a base the most expensive one.
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
    """Return the frame a sample is attributed to; comprehensions count as part of the function around them."""
    own = [frame for frame in stack if frame.own] or [stack[-1]]
    named = next((frame for frame in reversed(own) if frame.function not in COMPREHENSIONS), own[-1])
    innermost = own[-1]
    return Frame(named.function, named.file, innermost.line if innermost.file == named.file else named.line, named.own)


def _by_function(profile: Profile) -> dict[tuple[str, str], dict[int, float]]:
    """Return the cost of each line, by function."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for stack, weight in profile.walk():
        frame = blamed(stack)
        lines = found.setdefault((frame.function, frame.file), {})
        lines[frame.line] = lines.get(frame.line, 0.0) + weight
    return found
