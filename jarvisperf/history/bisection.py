"""Bisection for the commit that made a benchmark slower, which copes with commits that cannot be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Word = Literal["slow", "fast", "unknown"]


class Step(msgspec.Struct, frozen=True):
    """The comparison of a commit with the good one.

    Attributes:
        commit: The full hash.
        word: ``slow``, ``fast``, or ``unknown`` if the commit could not be measured.
        ratio: Its time over that of the good commit; None if unknown.
        interval: The ratio's interval.
        note: Details, in one line.
    """

    commit: str
    word: Word
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""


class Culprit(msgspec.Struct, frozen=True):
    """The result of a bisection.

    Attributes:
        suspects: The commits that include the first slow one, oldest first; just that one if every commit could be
            measured.
        before: The last commit that is known to be fast.
        steps: All commits that were judged, in order.
    """

    suspects: tuple[str, ...]
    before: str
    steps: tuple[Step, ...]


def bisect(good: str, commits: Sequence[str], judge: Callable[[str], Step]) -> Culprit:
    """Find the first slow commit.

    Args:
        good: The commit that is fast.
        commits: The commits after it, oldest first; the last is known to be slow.
        judge: Measures a commit against the good one.
    """
    steps: list[Step] = []
    unknown: set[int] = set()
    fast, slow = -1, len(commits) - 1
    while candidates := [place for place in range(fast + 1, slow) if place not in unknown]:
        middle = (fast + slow) / 2
        place = min(candidates, key=lambda one: abs(one - middle))
        step = judge(commits[place])
        steps.append(step)
        if step.word == "unknown":
            unknown.add(place)
        elif step.word == "slow":
            slow = place
        else:
            fast = place
    return Culprit(tuple(commits[fast + 1 : slow + 1]), good if fast < 0 else commits[fast], tuple(steps))
