"""Reduces samples to a few figures and a bounded description of their distribution."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # beyond that, a float no longer holds every integer
KEPT_QUANTILES = 129  # 128 steps of equal probability: 0.8 % each, enough to draw a distribution


class Summary(msgspec.Struct, frozen=True):
    """Figures of one metric's samples, in the metric's unit per iteration.

    Attributes:
        samples: The number of samples.
        iterations: Calls of the target in each sample.
        min: The smallest sample.
        max: The largest sample.
        mean: Arithmetic mean.
        median: The middle sample.
        stddev: Sample standard deviation; 0 with one sample.
        p5: 5th percentile; percentiles interpolate linearly between order statistics.
        p25: 25th percentile.
        p75: 75th percentile.
        p95: 95th percentile.
        p99: 99th percentile.
        quantiles: The sorted samples, or 129 quantiles at equal steps if there were more.
    """

    samples: Count
    iterations: Count
    min: float
    max: float
    mean: float
    median: float
    stddev: float
    p5: float
    p25: float
    p75: float
    p95: float
    p99: float
    quantiles: tuple[float, ...]

    @property
    def iqr(self) -> float:
        """Interquartile range: the width of the middle half."""
        return self.p75 - self.p25

    @property
    def per_second(self) -> float:
        """Iterations per second at the median; infinite for a median of 0."""
        return 1 / self.median if self.median else math.inf


def quantile(ordered: Sequence[float], probability: float) -> float:
    """Return a quantile of sorted values by linear interpolation.

    This is definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996).

    Args:
        ordered: One or more values, ascending.
        probability: From 0 (the smallest) to 1 (the largest).
    """
    position = probability * (len(ordered) - 1)
    below = math.floor(position)
    share = position - below
    if not share:
        return ordered[below]
    above = below + 1
    between = ordered[below] + share * (ordered[above] - ordered[below])
    return min(between, ordered[above])  # rounding must not push it past its neighbour


def _mean(values: Sequence[float]) -> float:
    try:
        return statistics.fmean(values)
    except OverflowError:  # the sum exceeds the largest float; this function computes with fractions, which is slow
        return statistics.mean(values)


def summarize(samples: Sequence[float], iterations: int = 1) -> Summary:
    """Summarize samples.

    Args:
        samples: One value per sample, each already divided by the number of iterations.
        iterations: Calls of the target in each sample.

    Raises:
        ValueError: There are no samples, or one of them is negative or not finite.
    """
    if not samples:
        raise ValueError("no samples to summarize: give at least one")
    for value in samples:
        if not 0 <= value < math.inf:
            raise ValueError(f"a sample of {value:g} is not a measurement: samples must be finite and not negative")
    ordered = sorted(samples)
    if len(ordered) <= KEPT_QUANTILES:
        kept = tuple(ordered)
    else:
        kept = tuple(quantile(ordered, step / (KEPT_QUANTILES - 1)) for step in range(KEPT_QUANTILES))
    return Summary(
        samples=len(ordered),
        iterations=iterations,
        min=ordered[0],
        max=ordered[-1],
        mean=_mean(ordered),
        median=quantile(ordered, 0.5),
        stddev=statistics.stdev(ordered) if len(ordered) > 1 else 0.0,
        p5=quantile(ordered, 0.05),
        p25=quantile(ordered, 0.25),
        p75=quantile(ordered, 0.75),
        p95=quantile(ordered, 0.95),
        p99=quantile(ordered, 0.99),
        quantiles=kept,
    )
