"""The result of one benchmark of the `BenchmarkSystem`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from jarvisperf.runs.summary import Summary


def checked_name(name: str) -> str:
    """Return the name of a result, if a report can contain it.

    Raises:
        TypeError: `name` is not a string.
        ValueError: `name` is empty or not valid Unicode.
    """
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}: give text")
    if not name:
        raise ValueError("name is '': give one character or more")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"name is {name!r}, which has a lone surrogate: give valid Unicode") from None
    return name


class BenchmarkResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `BenchmarkSystem.benchmark`; all times in seconds per call.

    Attributes:
        name: The benchmark's name.
        iterations: Number of samples.
        calls_per_sample: Calls per sample; more than 1 if a single call is too short for the clock.
        avg_time: Mean.
        min_time: The fastest sample.
        max_time: The slowest sample.
        std_dev: Sample standard deviation.
        median: The middle sample.
        p50: The same as `median`.
        p90: 90th percentile.
        p95: 95th percentile.
        p99: 99th percentile.
    """

    name: str
    iterations: int
    calls_per_sample: int
    avg_time: float
    min_time: float
    max_time: float
    std_dev: float
    median: float
    p50: float
    p90: float
    p95: float
    p99: float

    @property
    def operations_per_second(self) -> float:
        """Calls per second at the mean; infinite for a mean of 0."""
        return 1 / self.avg_time if self.avg_time else math.inf

    @property
    def percentiles(self) -> dict[str, float]:
        """The percentiles by name."""
        return {"p50": self.p50, "p90": self.p90, "p95": self.p95, "p99": self.p99}

    @classmethod
    def of(cls, name: str, summary: Summary, p90: float) -> BenchmarkResult:
        """Create a result from a summary of samples and their 90th percentile."""
        return cls(
            name=name,
            iterations=summary.samples,
            calls_per_sample=summary.iterations,
            avg_time=summary.mean,
            min_time=summary.min,
            max_time=summary.max,
            std_dev=summary.stddev,
            median=summary.median,
            p50=summary.median,
            p90=p90,
            p95=summary.p95,
            p99=summary.p99,
        )
