"""Decides which of the four verdicts the ratios of launches lead to."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.gate.verdict.bounded import interval_of, inverted, ratio_of
from jarvisperf.gate.verdict.distributions import t_quantile
from jarvisperf.gate.verdict.moderation import Prior, fit_prior, moderate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.runs.model import Better

SUITE_ERROR = 0.01  # the probability of any false alarm in a suite of identical code, however large
FEWEST_TO_TRIM = 8
LOOKS = (4, 8, 12)  # numbers of launches after which a verdict may be reached
LOOK_ERRORS = (0.0167, 0.0218, 0.0278)  # tails of the interval at each look; they add up to an error of 5 %

FourVerdicts = Literal["regressed", "improved", "unchanged", "inconclusive"]


class Judgement(msgspec.Struct, frozen=True):
    """The verdict on one benchmark, and its basis.

    Attributes:
        ratio: head / base.
        interval: The interval that covers the true ratio with 95 % confidence, whenever measuring stops; from 0 to
            infinity if nothing is known.
        sure_interval: The wider interval that covers the true ratios of all benchmarks of the suite with 99 %.
        verdict: The verdict.
        launches: The number of launches it is based on.
        doubted: Whether it is inconclusive because the run's control showed a difference, whatever the interval says.
    """

    ratio: float
    interval: tuple[float, float]
    sure_interval: tuple[float, float]
    verdict: FourVerdicts
    launches: int
    doubted: bool = False


def is_look(launches: int) -> bool:
    """Return whether a verdict may be reached after this number of launches."""
    return launches in LOOKS


def judge(
    log_ratios: Mapping[str, Sequence[float]],
    thresholds: Mapping[str, float],
    tests: int,
    better: Better = "lower",
) -> dict[str, Judgement]:
    """Judge a suite.

    `regressed` and `improved` require two things: the interval lies beyond the threshold, and the sure interval does
    not contain 1, so that in a suite of identical code the probability of any false alarm is at most `SUITE_ERROR`.
    `unchanged` requires an interval within the threshold.

    From `FEWEST_TO_TRIM` launches on, the smallest and the largest are left out and the variance is winsorized, because
    now and then a launch is several per cent off, in all its forks. Source: Tukey and McLaughlin, "Less vulnerable
    confidence and significance procedures for location based on a single sample", Sankhya A 25 (1963).

    Every benchmark has at most `len(LOOKS)` looks, and each look spends a share of the error in proportion to the
    launches since the previous look, so stopping early does not inflate the error. Because looks share launches, the
    error of a later look by itself may be larger than what it spends: `LOOK_ERRORS` are the tails of a normal walk
    observed at these times. Source: Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70
    (1983). The sure interval does not exploit that; its error is also divided by the number of tests in the suite
    (Bonferroni).

    A single launch does not show how launches differ: its interval extends from 0 to infinity, and the verdict is
    inconclusive.

    Args:
        log_ratios: For each benchmark, log(head / base) of its launches, one or more finite numbers; one per launch,
            because only launches are independent.
        thresholds: For each benchmark, how much worse it may get, as a share.
        tests: Number of benchmarks that the whole suite compares, including those that are already decided.
        better: The direction of an improvement.
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
    """The trimmed mean of the launches' log ratios, the variance of a counted launch, and how many are counted."""

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
    centre = found.mean
    if found.counted < 2:
        unknown = interval_of(centre, math.inf)
        return Judgement(ratio_of(centre), unknown, unknown, word_of(unknown, unknown, threshold, better), launches)
    variance, df = moderate(found.variance, found.counted - 1, prior)
    error = math.sqrt(variance / found.counted)

    def interval(two_sided_error: float) -> tuple[float, float]:
        reach = -t_quantile(df, two_sided_error / 2) * error if error else 0.0  # 0 times infinity is nan
        return interval_of(centre, reach)

    look = min(bisect_left(LOOKS, launches), len(LOOKS) - 1)  # an early look has the error of the next one
    usual = interval(LOOK_ERRORS[look])
    sure = interval(SUITE_ERROR * spent_at(look) / max(1, tests))
    return Judgement(ratio_of(centre), usual, sure, word_of(usual, sure, threshold, better), launches)


def spent_at(look: int) -> float:
    """Return the share of the error that a look spends, by its index."""
    before = LOOKS[look - 1] if look else 0
    return (LOOKS[look] - before) / LOOKS[-1]


def word_of(
    usual: tuple[float, float], sure: tuple[float, float], threshold: float, better: Better = "lower"
) -> FourVerdicts:
    """Return the verdict for two intervals of a ratio.

    Args:
        usual: The benchmark's own interval.
        sure: The wider interval, which is valid for the whole suite.
        threshold: How much worse it may get, as a share.
        better: The direction of an improvement.
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
