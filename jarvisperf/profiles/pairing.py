"""Comparing two profiles that were taken in turns, pair of slices by pair of slices.

A single profile is distorted by other processes and by where its samples happen to fall. The difference between two
consecutive slices, one of each arm, is distorted far less, and a trimmed mean (Tukey, 1962) limits the weight of
outliers.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.profiles.difference import blamed
from jarvisperf.profiles.model import Frame, Profile, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TRIMMED_SHARE = 0.25  # share left out at each end
FEWEST_PAIRS = 8
_NOTHING = (0.0, 0.0)


class Sliced(msgspec.Struct, frozen=True):
    """A profile, and the cost of each function in each slice.

    Attributes:
        profile: The profile.
        waits: Whether the target waits voluntarily, so that wall time counts instead of processor time.
        slices: For each slice, the cost of each function including the library code it called, by `function_key`: wall
            and processor seconds per call of the target. Empty: the engine takes no slices.
    """

    profile: Profile
    waits: bool = False
    slices: tuple[dict[str, tuple[float, float]], ...] = ()


def function_key(stack: tuple[Frame, ...]) -> str:
    """Return a name for the function that a sample is attributed to."""
    frame = blamed(stack)
    return f"{frame.file}::{frame.function}"


def matched(launches: Sequence[tuple[Sliced, Sliced]]) -> tuple[Profile, Profile]:
    """Merge the profiles of several launches so that base and head differ by what their pairs of slices show.

    The layout of code and data in memory makes a function several per cent faster or slower for the lifetime of a
    process. Therefore the median over launches counts, each of which is a fresh pair of processes.

    Args:
        launches: One or more pairs of profiles of base and head, whose slices were taken in turns.

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
    """Return the cost of each function in base and its growth in head; nothing if there are too few pairs."""
    pairs = list(zip(base.slices, head.slices, strict=False))
    found = {}
    for key in {name for pair in pairs for one in pair for name in one} if len(pairs) >= FEWEST_PAIRS else ():
        before = [one.get(key, _NOTHING)[clock] for one, _ in pairs]
        after = [one.get(key, _NOTHING)[clock] for _, one in pairs]
        growth = trimmed_mean([late - early for early, late in zip(before, after, strict=True)])
        found[key] = (trimmed_mean(before), growth)
    return found


def trimmed_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half."""
    ordered = sorted(values)
    cut = int(len(ordered) * TRIMMED_SHARE)
    return statistics.fmean(ordered[cut : len(ordered) - cut])


def _levelled(profile: Profile, levels: dict[str, float]) -> Profile:
    """Scale the stacks of each function to the given cost of that function."""
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
