"""Two profiles that were taken in turns, slice by slice: what one function takes more is told pair by pair.

A single profile is blurred by where samples happen to fall and by whoever else had the processor. Both blur the
difference of two slices, one of each arm and taken just after each other, less than they blur the slices; and a wild
pair counts no more than any other, because the mean is a trimmed one (Tukey, 1962).
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.profiles.difference import blamed
from jarvisperf.profiles.model import Frame, Profile, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TRIMMED_SHARE = 0.25  # at each end
FEWEST_PAIRS = 8
_NOTHING = (0.0, 0.0)


class Sliced(msgspec.Struct, frozen=True):
    """A profile, and what its functions took in each slice.

    Attributes:
        profile: The profile, by itself.
        waits: Whether the target waits of its own accord, so that its time is that of the clock on the wall.
        slices: For each slice, what each function took, with the library code that it called, by `function_key`:
            seconds per call of the target, on the wall and of the processor. None: the engine takes no slices.
    """

    profile: Profile
    waits: bool = False
    slices: tuple[dict[str, tuple[float, float]], ...] = ()


def function_key(stack: tuple[Frame, ...]) -> str:
    """Name the function that a sample counts for."""
    frame = blamed(stack)
    return f"{frame.file}::{frame.function}"


def matched(launches: Sequence[tuple[Sliced, Sliced]]) -> tuple[Profile, Profile]:
    """Join the profiles of several launches, so that base and head differ by what the pairs of their slices say.

    Where a process has its code and data in memory makes a function faster or slower by several per cent, for as long
    as that process lives. So what counts is the median over launches, each of which is a fresh pair of processes.

    Args:
        launches: The profiles of base and head, one pair or more; the slices of a pair were taken in turns.

    Returns:
        The profiles of base and head.
    """
    clock = 0 if any(one.waits for launch in launches for one in launch) else 1
    differences = [_differences(base, head, clock) for base, head in launches]
    levels: dict[str, tuple[float, float]] = {}
    for key in {key for found in differences for key in found}:
        level, growth = (
            statistics.median(found.get(key, _NOTHING)[place] for found in differences) for place in (0, 1)
        )
        levels[key] = (level, max(level + growth, 0.0))
    base, head = (joined([launch[arm].profile for launch in launches]) for arm in (0, 1))
    return (
        _levelled(base, {key: level for key, (level, _) in levels.items()}),
        _levelled(head, {key: level for key, (_, level) in levels.items()}),
    )


def _differences(base: Sliced, head: Sliced, clock: int) -> dict[str, tuple[float, float]]:
    """Give what each function takes in the base, and how much more in head; nothing where there are too few pairs."""
    pairs = list(zip(base.slices, head.slices, strict=False))
    found = {}
    for key in {name for pair in pairs for one in pair for name in one} if len(pairs) >= FEWEST_PAIRS else ():
        before = [one.get(key, _NOTHING)[clock] for one, _ in pairs]
        after = [one.get(key, _NOTHING)[clock] for _, one in pairs]
        growth = trimmed_mean([late - early for early, late in zip(before, after, strict=True)])
        found[key] = (trimmed_mean(before), growth)
    return found


def trimmed_mean(values: Sequence[float]) -> float:
    """Give the mean of the middle half."""
    ordered = sorted(values)
    cut = int(len(ordered) * TRIMMED_SHARE)
    return statistics.fmean(ordered[cut : len(ordered) - cut])


def _levelled(profile: Profile, levels: dict[str, float]) -> Profile:
    """Scale the stacks of each function so that together they take what is given."""
    keys = [function_key(stack) for stack, _ in profile.walk()]
    totals = _sums(zip(keys, (weight for _, weight in profile.stacks), strict=True))
    return msgspec.structs.replace(
        profile,
        stacks=tuple(
            (places, weight * levels.get(key, totals[key]) / totals[key])
            for key, (places, weight) in zip(keys, profile.stacks, strict=True)
        ),
    )


def _sums(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for key, value in pairs:
        sums[key] = sums.get(key, 0.0) + value
    return sums
