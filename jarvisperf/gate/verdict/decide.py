"""The verdict: ratios of launches in, one of four words out."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.gate.verdict.bounded import interval_of, inverted, ratio_of
from jarvisperf.gate.verdict.moderation import Prior, fit_prior, moderate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.runs.model import Better

SUITE_ERROR = 0.01  # the chance of any false alarm in a suite of identical code, however large
INTERVAL_ERROR = 0.05  # the chance that the interval of a benchmark does not hold the true ratio, at any look
FEWEST_TO_TRIM = 8
LOOKS = (4, 8, 12)  # after how many launches a verdict may fall
LOOK_ERRORS = (0.0167, 0.0218, 0.0278)  # each look's own, so that all together err with INTERVAL_ERROR

FourVerdicts = Literal["regressed", "improved", "unchanged", "inconclusive"]


class Judgement(msgspec.Struct, frozen=True):
    """What the launches of one benchmark say.

    Attributes:
        ratio: head / base.
        interval: The interval that covers the true ratio with 95 %, whenever one stops to look; from 0 to infinity
            where nothing is known.
        sure_interval: The wider one that covers those of all benchmarks of the suite with 99 %.
        verdict: The word.
        launches: How many launches it rests on.
        doubted: Whether it is inconclusive because the run's control showed a difference, whatever the interval says.
    """

    ratio: float
    interval: tuple[float, float]
    sure_interval: tuple[float, float]
    verdict: FourVerdicts
    launches: int
    doubted: bool = False


def is_look(launches: int) -> bool:
    """Tell whether a verdict may fall after so many launches."""
    return launches in LOOKS


def judge(
    log_ratios: Mapping[str, Sequence[float]],
    thresholds: Mapping[str, float],
    tests: int,
    better: Better = "lower",
) -> dict[str, Judgement]:
    """Judge a suite.

    `regressed` and `improved` take two things: the interval lies beyond the threshold, and the sure interval does not
    hold 1, so that in a suite of identical code the chance of any false alarm is `SUITE_ERROR` at most. `unchanged`
    takes an interval that lies within the threshold.

    From `FEWEST_TO_TRIM` launches on the smallest and the largest are left out, and the variance is the winsorized one:
    now and then a launch is several per cent off, in all its forks. Source: Tukey and McLaughlin, "Less vulnerable
    confidence and significance procedures for location based on a single sample", Sankhya A 25 (1963).

    Every benchmark is looked at no more than `len(LOOKS)` times, and each look spends a part of the error, so that
    stopping early inflates nothing: in proportion to the launches that came since the look before. Looks share
    launches, so what a later one may err by itself is more than what it spends: `LOOK_ERRORS` are the tails of a normal
    walk seen at these times. Source: Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika
    70 (1983). The sure interval has no use of that; its error is divided by the number of tests in the suite as well
    (Bonferroni).

    A single launch says nothing about how launches differ: its interval reaches from 0 to infinity, and it is
    inconclusive.

    Args:
        log_ratios: For each benchmark log(head / base) of its launches, one or more finite numbers; one per launch,
            because launches are what is independent.
        thresholds: For each benchmark how much worse it may get, as a share.
        tests: How many benchmarks the whole suite compares, also those that are decided already.
        better: Which direction is the good one.
    """
    centres = {name: _centre(values) for name, values in log_ratios.items()}
    prior = fit_prior(
        [centre.variance for centre in centres.values()], [centre.counted - 1 for centre in centres.values()]
    )
    return {
        name: _judge(centres[name], len(values), prior, thresholds[name], tests, better)
        for name, values in log_ratios.items()
    }


class _Centre(msgspec.Struct, frozen=True):
    """The middle of the launches' ratios, the variance of one that counts, and how many count."""

    mean: float
    variance: float
    counted: int


def _centre(values: Sequence[float]) -> _Centre:
    ordered = sorted(values)
    count = len(ordered)
    cut = 1 if count >= FEWEST_TO_TRIM else 0
    kept = ordered[cut : count - cut]
    drawn_in = [kept[0]] * cut + kept + [kept[-1]] * cut
    variance = statistics.variance(drawn_in) * (count - 1) / (len(kept) - 1) if count > 1 else math.inf
    return _Centre(statistics.fmean(kept), variance, len(kept))


def _judge(found: _Centre, launches: int, prior: Prior, threshold: float, tests: int, better: Better) -> Judgement:
    from scipy.special import stdtrit

    centre = found.mean
    if found.counted < 2:
        unknown = interval_of(centre, math.inf)
        return Judgement(ratio_of(centre), unknown, unknown, word_of(unknown, unknown, threshold, better), launches)
    variance, df = moderate(found.variance, found.counted - 1, prior)
    error = math.sqrt(variance / found.counted)

    def interval(two_sided_error: float) -> tuple[float, float]:
        reach = abs(float(stdtrit(df, two_sided_error / 2))) * error if error else 0.0  # 0 times infinity is nan
        return interval_of(centre, reach)

    look = min(bisect_left(LOOKS, launches), len(LOOKS) - 1)  # a look before its time errs no more than the next
    usual = interval(LOOK_ERRORS[look])
    sure = interval(SUITE_ERROR * spent_at(look) / max(1, tests))
    return Judgement(ratio_of(centre), usual, sure, word_of(usual, sure, threshold, better), launches)


def spent_at(look: int) -> float:
    """Give the share of the error that a look spends, by its place among the looks."""
    before = LOOKS[look - 1] if look else 0
    return (LOOKS[look] - before) / LOOKS[-1]


def word_of(
    usual: tuple[float, float], sure: tuple[float, float], threshold: float, better: Better = "lower"
) -> FourVerdicts:
    """Say what two intervals of a ratio mean.

    Args:
        usual: The benchmark's own interval.
        sure: The wider one that holds for the whole suite.
        threshold: How much worse it may get, as a share.
        better: Which direction is the good one.
    """
    if better == "higher":
        usual, sure = inverted(usual), inverted(sure)
    if usual[0] > 1 + threshold and sure[0] > 1:
        return "regressed"
    if usual[1] < 1 - threshold and sure[1] < 1:
        return "improved"
    if 1 - threshold <= usual[0] and usual[1] <= 1 + threshold:
        return "unchanged"
    return "inconclusive"
