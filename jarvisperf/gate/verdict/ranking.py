"""Compares several functions that were measured side by side: all pairs with intervals, and a ranking with ties."""

from __future__ import annotations

import itertools
import statistics
import sys
from typing import TYPE_CHECKING

from jarvisperf.gate.verdict.decide import judge
from jarvisperf.gate.verdict.estimate import log_ratio
from jarvisperf.runs.model import PairRatio, Ranked, SideBySide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.gate.verdict.decide import Judgement
    from jarvisperf.runs.model import SideBySideWay

# Forked copies have the code elsewhere in memory, but what a module created when it was imported stays where it was. In
# one of 96 comparisons, a copy of the same code was 10 % slower in all forks, with an interval from 6.5 to 14.3 %.
SMALLEST_DIFFERENCE = 0.1
FEWEST_PARTS = 4  # fewer do not show how parts differ
MOST_PARTS = 12
LARGEST = sys.float_info.max  # stands for infinity, which JSON does not have


def side_by_side(parts: Sequence[Mapping[str, Sequence[float]]], how: SideBySideWay) -> SideBySide:
    """Compare functions with each other.

    Each pair is judged like a benchmark in lockstep, with the parts in place of launches; the error of the claims is
    controlled for all pairs together. A function's rank is 1 plus the number of functions that are faster than it, so
    functions that cannot be told apart may share a rank.

    Args:
        parts: For each forked copy of the process, or section of the measuring time, the samples of each function in
            seconds per call, in rounds; the same names in every part.
        how: How they were measured.

    Raises:
        ValueError: There are no parts, or a sample is not positive and finite.
    """
    if not parts:
        raise ValueError("there are no samples to compare: give one part or more")
    medians = {name: statistics.median(value for part in parts for value in part[name]) for name in parts[0]}
    names = sorted(medians, key=lambda name: medians[name])
    judged = _judged(parts, names)
    pairs = tuple(_pair(first, second, judged, medians) for first, second in itertools.combinations(names, 2))
    return SideBySide(ranking=tuple(_ranked(name, medians[name], pairs) for name in names), pairs=pairs, how=how)


def sections(samples: Mapping[str, Sequence[float]]) -> list[dict[str, Sequence[float]]]:
    """Cut samples that were taken in rounds into up to 12 sections of the measuring time.

    Args:
        samples: Samples of each function, as many as there were rounds.
    """
    rounds = len(next(iter(samples.values())))
    count = min(MOST_PARTS, rounds)
    cuts = [rounds * number // count for number in range(count + 1)]
    return [{name: values[start:end] for name, values in samples.items()} for start, end in itertools.pairwise(cuts)]


def _judged(parts: Sequence[Mapping[str, Sequence[float]]], names: Sequence[str]) -> dict[str, Judgement]:
    """Judge every pair, by the two names; none if there are too few parts."""
    if len(parts) < FEWEST_PARTS:
        return {}
    ratios = {
        _key(first, second): [log_ratio(part[first], part[second]) for part in parts]
        for first, second in itertools.combinations(names, 2)
    }
    return judge(ratios, dict.fromkeys(ratios, SMALLEST_DIFFERENCE), tests=len(ratios))


def _key(first: str, second: str) -> str:
    return f"{len(first)} {first} {second}"  # unambiguous whatever the names contain


def _pair(first: str, second: str, judged: Mapping[str, Judgement], medians: Mapping[str, float]) -> PairRatio:
    found = judged.get(_key(first, second))
    if found is None:
        ratio = medians[second] / medians[first] if medians[first] else LARGEST
        return PairRatio(first, second, min(ratio, LARGEST), None, None)
    word = {"regressed": "slower", "improved": "faster"}.get(found.verdict, "no difference found")
    low, high = found.interval
    return PairRatio(first, second, min(found.ratio, LARGEST), (low, min(high, LARGEST)), word)


def _ranked(name: str, median: float, pairs: Sequence[PairRatio]) -> Ranked:
    faster = sum(_slower_one(pair) == name for pair in pairs)
    tied = tuple(
        pair.second if pair.first == name else pair.first
        for pair in pairs
        if name in {pair.first, pair.second} and _slower_one(pair) is None
    )
    return Ranked(name, 1 + faster, median, tied)


def _slower_one(pair: PairRatio) -> str | None:
    """Return the function that is slower; None if they cannot be told apart."""
    return {"slower": pair.second, "faster": pair.first}.get(pair.word or "")
