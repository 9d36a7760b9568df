"""The verdict: ratios of launches in, one of four words out."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.gate.moderation import Prior, fit_prior, moderate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUITE_ERROR = 0.01  # the chance of any false `regressed` or `improved` in a suite, however large
UNCHANGED_ERROR = 0.05  # the chance of a false `unchanged`, for each benchmark
LOOKS = (4, 8, 12)  # after how many launches a verdict may fall

FourVerdicts = Literal["regressed", "improved", "unchanged", "inconclusive"]


class Judgement(msgspec.Struct, frozen=True):
    """What the launches of one benchmark say.

    Attributes:
        ratio: head / base.
        interval: The interval that covers the true ratio with 95 %, whenever one stops to look.
        sure_interval: The wider one that decides `regressed` and `improved`.
        verdict: The word.
        launches: How many launches it rests on.
    """

    ratio: float
    interval: tuple[float, float]
    sure_interval: tuple[float, float]
    verdict: FourVerdicts
    launches: int


def is_look(launches: int) -> bool:
    """Tell whether a verdict may fall after so many launches."""
    return launches in LOOKS


def judge(
    log_ratios: Mapping[str, Sequence[float]], thresholds: Mapping[str, float], tests: int
) -> dict[str, Judgement]:
    """Judge a suite.

    Every benchmark is looked at no more than `len(LOOKS)` times, and each look gets an equal part of the error
    (Bonferroni), so that stopping early inflates nothing. The error of `regressed` and `improved` is divided by the
    number of tests in the suite as well.

    Args:
        log_ratios: For each benchmark log(head / base) of its launches, two or more; one number per launch, for
            launches are what is independent.
        thresholds: For each benchmark how much worse it may get, as a share.
        tests: How many benchmarks the whole suite compares, also those that are decided already.
    """
    variances = {name: statistics.variance(values) for name, values in log_ratios.items()}
    prior = fit_prior(list(variances.values()), [len(values) - 1 for values in log_ratios.values()])
    return {
        name: _judge(values, variances[name], prior, thresholds[name], tests) for name, values in log_ratios.items()
    }


def _judge(values: Sequence[float], variance: float, prior: Prior, threshold: float, tests: int) -> Judgement:
    from scipy.special import stdtrit

    variance, df = moderate(variance, len(values) - 1, prior)
    centre = statistics.fmean(values)
    error = math.sqrt(variance / len(values))

    def interval(two_sided_error: float) -> tuple[float, float]:
        reach = -float(stdtrit(df, two_sided_error / 2)) * error
        return math.exp(centre - reach), math.exp(centre + reach)

    usual = interval(UNCHANGED_ERROR / len(LOOKS))
    sure = interval(SUITE_ERROR / (len(LOOKS) * max(1, tests)))
    return Judgement(math.exp(centre), usual, sure, _word(usual, sure, threshold), len(values))


def _word(usual: tuple[float, float], sure: tuple[float, float], threshold: float) -> FourVerdicts:
    if sure[0] > 1 + threshold:
        return "regressed"
    if sure[1] < 1 - threshold:
        return "improved"
    if 1 - threshold <= usual[0] and usual[1] <= 1 + threshold:
        return "unchanged"
    return "inconclusive"
