"""Ranks suspects by their share of the change, from their times in both arms, which were taken in turns.

A share is the growth of a suspect, including all that it calls except other suspects, divided by the growth of the
whole target, in consecutive slices of both arms. Its interval covers what resampling the pairs of slices yields (Efron,
"Bootstrap Methods: Another Look at the Jackknife", 1979), and the estimates of single pairs of processes, because the
layout of memory makes a function faster or slower for the lifetime of a process.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.profiles.pairing import FEWEST_PAIRS, trimmed_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.suspects.model import Explanation, Suspect, TimedSlices

    Pair = dict[str, float]  # growth by label, in seconds per call of the target

RESAMPLES = 300
TAIL = 0.025
MOST_SHARES = 10
WIDEST_INTERVAL = 0.6  # a share that is known less precisely is not shown
REST = ""  # the label of the time outside of suspects


def with_shares(explanation: Explanation, launches: Sequence[tuple[TimedSlices, TimedSlices]]) -> Explanation:
    """Rank suspects, and add their shares if they can be determined.

    Args:
        explanation: The suspects.
        launches: The times of base and head in each pair of processes; empty if there are none, as for metrics other
            than time.
    """
    grown = [_pairs(base, head) for base, head in launches]
    grown = [pairs for pairs in grown if len(pairs) >= FEWEST_PAIRS]
    if not grown or not explanation.suspects:
        return msgspec.structs.replace(explanation, suspects=tuple(sorted(explanation.suspects, key=_by_kind)))
    groups = _groups(explanation.suspects)
    pairs = [pair for launch in grown for pair in launch]
    growths = {one.label: _growth(pairs, [one.label]) for one in explanation.suspects}
    order = {number: _growth(pairs, labels) for number, labels in groups.items()}
    # What was prepared differently makes code slower that did not change.
    order |= dict.fromkeys((one.group for one in explanation.suspects if one.prepares), _growth(pairs, [REST]))
    most = sorted(groups, key=lambda number: -order[number])[:MOST_SHARES]
    found = {number: _share(grown, groups[number]) for number in most}
    suspects = [_shared(one, found.get(one.group)) for one in explanation.suspects]
    ranked = sorted(suspects, key=lambda one: (-order[one.group], one.group, -growths[one.label]))
    return msgspec.structs.replace(explanation, suspects=tuple(ranked))


def _by_kind(suspect: Suspect) -> tuple[bool, bool, float]:
    """Without shares: what only prepares comes last, changed code before what reads changed values, then many calls."""
    return suspect.prepares, suspect.difference == "reads", -max(suspect.base_calls, suspect.head_calls)


def _pairs(base: TimedSlices, head: TimedSlices) -> list[Pair]:
    """Return how much more each label took in head, for each pair of consecutive slices."""
    clock = 0 if base.waits or head.waits else 1
    found = []
    for before, after in zip(base.slices, head.slices, strict=False):
        labels = before.keys() | after.keys()
        nothing = (0.0, 0.0)
        found.append({label: after.get(label, nothing)[clock] - before.get(label, nothing)[clock] for label in labels})
    return found


def _groups(suspects: Iterable[Suspect]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for suspect in suspects:
        found.setdefault(suspect.group, []).append(suspect.label)
    return found


def _growth(pairs: Sequence[Pair], labels: Sequence[str] | None = None) -> float:
    """Return the growth of some labels, or of the whole target, without the outliers among the pairs."""
    if labels is None:
        return trimmed_mean([sum(pair.values()) for pair in pairs])
    return trimmed_mean([sum(pair.get(label, 0.0) for label in labels) for pair in pairs])


def _share(launches: Sequence[Sequence[Pair]], labels: Sequence[str]) -> tuple[float, float, float] | None:
    """Return a group's share and its interval; None if it cannot be determined."""
    pairs = [pair for launch in launches for pair in launch]
    whole = _growth(pairs)
    if whole <= 0:
        return None
    draw = random.Random(0)  # noqa: S311  # the same report for the same data
    ends = []
    for _ in range(RESAMPLES):
        drawn = [draw.choice(launch) for launch in launches for _ in launch]
        ends.append((_growth(drawn, labels), _growth(drawn)))
    if sorted(total for _, total in ends)[int(TAIL * RESAMPLES)] <= 0:
        return None  # the times do not show that the target became slower
    shares = sorted(own / total for own, total in ends if total > 0)
    by_launch = [_growth(launch, labels) / total for launch in launches if (total := _growth(launch)) > 0]
    low = min([shares[int(TAIL * len(shares))], *by_launch])
    high = max([shares[-1 - int(TAIL * len(shares))], *by_launch])
    low, share, high = (min(max(end, 0.0), 1.0) for end in (low, _growth(pairs, labels) / whole, high))
    return (share, low, high) if high - low <= WIDEST_INTERVAL else None


def _shared(suspect: Suspect, found: tuple[float, float, float] | None) -> Suspect:
    if found is None or suspect.prepares:
        return suspect
    share, low, high = found
    return msgspec.structs.replace(suspect, share=round(share, 4), interval=(round(low, 4), round(high, 4)))
