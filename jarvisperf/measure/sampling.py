"""Takes samples in one process: warms up, calibrates, then samples until the budget is spent."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.measure.collector import collect_between_samples, collector_paused
from jarvisperf.measure.instrumentation import uninstrumented
from jarvisperf.runs.summary import Summary, summarize

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.measure.targets.call_targets import Clock, Target

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function

DEFAULT_BUDGET_SECONDS = 2.0
CLOCK_TICKS_PER_SAMPLE = 1_000  # so that an error of one tick is 0.1 % of a sample
MOST_SECONDS_WITHOUT_TIME = 0.5
LARGEST_ITERATIONS = 1 << 24  # ends the calibration when the clock stands still


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how finely to measure.

    Attributes:
        budget_seconds: Time for all samples together.
        warmup_seconds: How long the target runs before the first sample; it runs at least once.
        sample_seconds: Target duration of a sample, unless the number of calls is fixed.
        min_samples: Samples to take even if they exceed the budget.
        max_samples: Maximum number of samples, even within the budget; None: no limit.
        pause_collector: Whether to disable the garbage collector during samples.
    """

    budget_seconds: float = DEFAULT_BUDGET_SECONDS
    warmup_seconds: float = 0.1
    sample_seconds: float = 0.002
    min_samples: int = 5
    max_samples: int | None = None
    pause_collector: bool = True


class Samples(msgspec.Struct, frozen=True):
    """Samples of one target.

    Attributes:
        iterations: Calls per sample.
        seconds: Seconds per call, one value per sample, in the order they were taken.
    """

    iterations: int
    seconds: tuple[float, ...]

    def summarize(self) -> Summary:
        """Summarize the samples."""
        return summarize(self.seconds, self.iterations)


def measure(target: Target, plan: Plan, clock: Clock = REAL.wall) -> Samples:
    """Warm up a target, calibrate it and take its samples.

    Args:
        target: The target to measure.
        plan: How long and how finely to measure it.
        clock: Returns seconds; the budget is counted with it.

    Raises:
        RuntimeError: A clock stands still, or jumps back.
    """
    with uninstrumented(), collector_paused() if plan.pause_collector else nullcontext():
        warm_up(target, plan.warmup_seconds, clock)
        iterations = target.fixed_iterations or calibrate(target, plan.sample_seconds, clock_resolution(clock))
        return Samples(iterations, _take(target, iterations, plan, clock))


def measure_rounds(
    target: Target, rounds: int, warmup_rounds: int, tell_first: Callable[[float], None] = lambda _: None
) -> tuple[Any, Samples]:
    """Take the number of samples that the author of a benchmark chose.

    Args:
        target: A target with fixed iterations.
        rounds: Samples to take.
        warmup_rounds: Samples to discard beforehand.
        tell_first: Called after the very first round with the seconds it took, including its setup.

    Returns:
        The result of the last call, and the samples.

    Raises:
        RuntimeError: The target's clock jumps back.
    """
    iterations = target.fixed_iterations or 1
    seconds: list[float] = []
    result: Any = None
    with uninstrumented(), collector_paused():
        begin = REAL.wall()
        for number in range(warmup_rounds + rounds):
            if iterations == 1:
                elapsed, result = target.timed_call()
            else:
                elapsed = target.sample(iterations)
            if number == 0:
                tell_first(REAL.wall() - begin)
            if number >= warmup_rounds:
                seconds.append(_forward(elapsed) / iterations)
            collect_between_samples()
    if iterations > 1:  # a loop over many calls keeps no result
        result = target.call()
    return result, Samples(iterations, tuple(seconds))


def _take(target: Target, iterations: int, plan: Plan, clock: Clock) -> tuple[float, ...]:
    most = plan.max_samples or math.inf
    seconds: list[float] = []
    now = clock()
    end = now + plan.budget_seconds
    while len(seconds) < most and (len(seconds) < plan.min_samples or now < end):
        seconds.append(_forward(target.sample(iterations)) / iterations)
        collect_between_samples()
        before, now = now, clock()
        _forward(now - before)  # otherwise the end might never come
    return tuple(seconds)


def _forward(seconds: float) -> float:
    """Return a duration.

    Raises:
        RuntimeError: It is negative.
    """
    if seconds < 0:
        raise RuntimeError(f"its clock jumped back by {-seconds:,.4g} s, so nothing can be timed")
    return seconds


def warm_up(target: Target, seconds: float, clock: Clock = REAL.wall) -> None:
    """Run a target for a while, at least once, so that caches fill and bytecode is specialized (PEP 659).

    Raises:
        RuntimeError: The clock jumps back.
    """
    iterations = target.fixed_iterations or 1
    end = clock() + seconds
    while True:
        start = clock()
        target.sample(iterations)
        collect_between_samples()
        now = clock()
        _forward(now - start)
        if now >= end:
            return
        if target.fixed_iterations is None and now - start < seconds / 100:
            iterations = min(iterations * 2, LARGEST_ITERATIONS)


def calibrate(target: Target, sample_seconds: float, resolution_seconds: float) -> int:
    """Find how many calls make a sample of the intended duration.

    Args:
        target: A warm target.
        sample_seconds: Intended duration of a sample.
        resolution_seconds: Resolution of the clock; a sample lasts at least 1,000 times as long.

    Returns:
        The number of calls, 1 or more.

    Raises:
        RuntimeError: The target's clock stands still.
    """
    wanted = max(sample_seconds, resolution_seconds * CLOCK_TICKS_PER_SAMPLE)
    iterations = 1
    while iterations < LARGEST_ITERATIONS:
        begin = REAL.wall()
        seconds = target.sample(iterations)
        if seconds <= 0 and REAL.wall() - begin >= MOST_SECONDS_WITHOUT_TIME:
            raise RuntimeError(f"its clock shows {seconds:g} s for {iterations:,} calls: is time mocked or frozen?")
        collect_between_samples()
        if seconds >= wanted:
            break
        if (
            seconds >= wanted / 10
        ):  # long enough to extrapolate from; shorter samples are distorted by the clock and the loop
            return max(1, round(iterations * wanted / seconds))
        iterations *= 4
    return iterations


def clock_resolution(clock: Callable[[], float]) -> float:
    """Measure the resolution of a clock in seconds: the smallest of 20 observed steps.

    Raises:
        RuntimeError: The clock stands still.
    """
    steps = []
    for _ in range(20):
        start = clock()
        for _ in range(LARGEST_ITERATIONS):
            now = clock()
            if now != start:
                break
        else:
            raise RuntimeError("the clock stands still, so nothing can be timed: is time mocked or frozen?")
        steps.append(now - start)
    return min(steps)
