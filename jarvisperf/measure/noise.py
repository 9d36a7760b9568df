"""Measures how noisy this machine is, by measuring the same work repeatedly.

- within: how much consecutive samples differ;
- between: how much two measurements a moment apart differ, like two runs compared with each other;
- in turns: how much two measurements that alternate every few milliseconds differ, like the arms in lockstep.
"""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.measure.yardstick import interpret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STRETCHES = 12
SAMPLE_SECONDS = 0.001
QUIET_SHARE, NOISY_SHARE = 0.02, 0.08


class Noise(msgspec.Struct, frozen=True):
    """The noise of a machine, as shares: 0.01 is 1 %.

    Attributes:
        within: Interquartile range of the samples, divided by their median.
        between: Median difference between the medians of neighbouring stretches.
        worst: Largest of those differences.
        in_turns: Median difference between two arms that take turns.
        lost: Share of processor time that other processes took while this one measured.
        samples: Number of samples.
    """

    within: float
    between: float
    worst: float
    in_turns: float
    lost: float
    samples: int


def measure_noise(
    seconds: float = 4.0, work: Callable[[], object] = interpret, clock: Callable[[], float] = REAL.wall
) -> Noise:
    """Measure the noise of this machine.

    Args:
        seconds: How long to measure.
        work: The function to repeat; it must do the same work every time.
        clock: Returns seconds.
    """
    calls = _calls(work, clock)
    stretches: list[list[float]] = []
    begin, begin_cpu = clock(), REAL.cpu()
    for number in range(STRETCHES):
        stretch: list[float] = []
        while clock() - begin < seconds * (number + 1) / STRETCHES or len(stretch) < 4:
            start = clock()
            for _ in range(calls):
                work()
            stretch.append(clock() - start)
        stretches.append(stretch)
    whole, used = clock() - begin, REAL.cpu() - begin_cpu
    return noise_of(stretches, lost=max(1 - used / whole, 0.0) if whole > 0 else 0.0)


def noise_of(stretches: Sequence[Sequence[float]], lost: float) -> Noise:
    """Compute the noise from samples.

    Args:
        stretches: Samples in the order they were taken, split into stretches of equal duration.
        lost: Share of processor time that other processes took.
    """
    quartiles = [statistics.quantiles(stretch, n=4) for stretch in stretches]
    medians = [statistics.median(stretch) for stretch in stretches]
    differences = [abs(math.log(after / before)) for before, after in itertools.pairwise(medians)]
    turns = [abs(math.log(statistics.median(stretch[::2]) / statistics.median(stretch[1::2]))) for stretch in stretches]
    return Noise(
        within=statistics.median((high - low) / middle for low, middle, high in quartiles),
        between=statistics.median(differences),
        worst=max(differences),
        in_turns=statistics.median(turns),
        lost=lost,
        samples=sum(map(len, stretches)),
    )


def _calls(work: Callable[[], object], clock: Callable[[], float]) -> int:
    calls = 1
    while True:
        start = clock()
        for _ in range(calls):
            work()
        if clock() - start >= SAMPLE_SECONDS or calls >= 1 << 20:
            return calls
        calls *= 2
