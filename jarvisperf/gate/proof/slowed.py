"""A target with a delay of known size: what it would be if a change had made it slower."""

from __future__ import annotations

import statistics
from collections import deque
from typing import TYPE_CHECKING, Any

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from jarvisperf.measure.targets.call_targets import Clock, Target

REMEMBERED = 31  # samples whose median is the target's own duration, which changes with the machine's speed


class SlowedTarget:
    """Wraps a target and spends a share of its own duration on top, as real work of the processor.

    The delay follows each sample. Its size is computed from the median of the latest samples and not from the sample
    itself, so the noise of a sample does not grow with it, as in a function that does more work of another kind.

    Args:
        inner: The target.
        share: The size of the slowdown: 0.05 makes it 5% slower.
    """

    def __init__(self, inner: Target, share: float) -> None:
        self._inner = inner
        self._share = share
        self._clock: Clock = REAL.wall
        self._own: deque[float] = deque(maxlen=REMEMBERED)
        self._overspent = 0.0  # a delay ends with the first reading of the clock after its end
        self.fixed_iterations = inner.fixed_iterations

    @property
    def has_own_clock(self) -> bool:
        """Whether the author of the benchmark chose the clock."""
        return self._inner.has_own_clock

    @property
    def sets_up(self) -> bool:
        """Whether the author's `setup` creates a fresh state for each sample."""
        return self._inner.sets_up

    def sample(self, iterations: int) -> float:
        """Call the target `iterations` times, then spend the delay; return the total seconds."""
        return self._with_delay(self._inner.sample(iterations), iterations)

    def samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        """Take several samples inside a context, each with its delay."""
        return [self._with_delay(self._inner.samples(iterations, 1, around)[0], iterations) for _ in range(count)]

    def call(self) -> Any:
        """Call the target once, without a delay, and return its result."""
        return self._inner.call()

    def timed_call(self) -> tuple[float, Any]:
        """Call the target once, then spend the delay; return the seconds and the result."""
        seconds, result = self._inner.timed_call()
        return self._with_delay(seconds, 1), result

    def use_clock(self, clock: Clock) -> None:
        """Use another clock for further samples."""
        if clock is not self._clock:  # durations by another clock are not comparable
            self._own.clear()
        self._clock = clock
        self._inner.use_clock(clock)

    def close(self) -> None:
        """Release what the target holds."""
        self._inner.close()

    def _with_delay(self, seconds: float, iterations: int) -> float:
        self._own.append(seconds / iterations)
        wanted = self._share * statistics.median(self._own) * iterations
        start = now = self._clock()
        while now - start < wanted - self._overspent:
            now = self._clock()
        self._overspent += now - start - wanted
        return seconds + (now - start)
