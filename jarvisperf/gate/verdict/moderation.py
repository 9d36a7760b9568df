"""Moderated variances, which borrow strength from each other: the moderated t of Smyth (2004).

With few launches, a benchmark's own variance is a poor estimate. Benchmarks of one suite on one machine have
launch-to-launch variances of similar size, so each is shrunk towards the common one, the more the better they agree.
Source: G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", Statistical Applications in Genetics and Molecular Biology 3 (2004), section 6.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.verdict.distributions import digamma, tetragamma, trigamma

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_VARIANCES = 3
LEAST_EXCESS = 1e-6  # a smaller excess variance would give the prior over two million degrees of freedom
NEWTON_STEPS = 50  # it converges within 10
MOST_PRIOR_DF = 30.0  # however well they agree: a suite's variances are never exactly equal


class Prior(msgspec.Struct, frozen=True):
    """The suite's prior for a variance.

    Attributes:
        df: Its weight in degrees of freedom; 0: nothing is known.
        variance: The common variance.
    """

    df: float
    variance: float


NOTHING_KNOWN = Prior(0.0, 0.0)


def fit_prior(variances: Sequence[float], dfs: Sequence[int]) -> Prior:
    """Estimate the prior from a suite's variances by the moments of their logarithms.

    Args:
        variances: One sample variance for each benchmark.
        dfs: Their degrees of freedom.
    """
    known = [(variance, df) for variance, df in zip(variances, dfs, strict=True) if variance > 0 and df > 0]
    if len(known) < FEWEST_VARIANCES:
        return NOTHING_KNOWN
    logs = [math.log(variance) - digamma(df / 2) + math.log(df / 2) for variance, df in known]
    mean = math.fsum(logs) / len(logs)
    spread = math.fsum((value - mean) ** 2 for value in logs) / (len(logs) - 1)
    excess = spread - math.fsum(trigamma(df / 2) for _, df in known) / len(known)
    if excess < LEAST_EXCESS:
        return Prior(MOST_PRIOR_DF, math.exp(mean))
    df = 2 * _trigamma_inverse(excess)
    variance = math.exp(mean + digamma(df / 2) - math.log(df / 2))
    return Prior(min(df, MOST_PRIOR_DF), variance)


def moderate(variance: float, df: int, prior: Prior) -> tuple[float, float]:
    """Shrink a variance towards the prior, but never below what the benchmark itself shows.

    A benchmark that is noisier than the suite keeps its own variance; shrinking it would cause false alarms on the very
    benchmarks that deserve the least trust.

    Returns:
        The variance and its degrees of freedom.
    """
    moderated = (prior.df * prior.variance + df * variance) / (prior.df + df)
    return max(moderated, variance), prior.df + df


def _trigamma_inverse(value: float) -> float:
    """Solve trigamma(y) = value by Newton's method on 1 / trigamma, as in Smyth's appendix."""
    y = 0.5 + 1 / value
    for _ in range(NEWTON_STEPS):
        reached = trigamma(y)
        y += reached * (1 - reached / value) / tetragamma(y)
    return y
