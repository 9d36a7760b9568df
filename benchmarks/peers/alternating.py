"""Timing several ways to do the same in one process, turn by turn, so that all meet the same machine."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Many short turns: on a machine with other work a turn is hardly longer than what a scheduler gives to somebody else.
# In shorter ones a call of 0.3 ms is alone in its turn, after others have had the caches, which flatters slow calls.
ROUNDS = 60
TURN_SECONDS = 0.005


@dataclass(frozen=True)
class Timing:
    """Of one way: the middle of its turns, in seconds per call, and all turns."""

    seconds: float
    turns: tuple[float, ...]

    def ratio_to(self, others: Timing) -> float:
        """Give the middle of the ratios of turns that were neighbours."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.turns, others.turns, strict=True))

    def __add__(self, other: Timing) -> Timing:
        return Timing(self.seconds + other.seconds, tuple(map(sum, zip(self.turns, other.turns, strict=True))))


def repeat(call: Callable[..., object], *args: object) -> Callable[[int], float]:
    """Make the loop that calls a function so many times and gives the seconds it took."""

    def loop(times: int) -> float:
        turns = range(times)
        started = time.perf_counter()
        for _ in turns:
            call(*args)
        return time.perf_counter() - started

    def loop_one(times: int) -> float:
        (argument,) = args
        turns = range(times)
        started = time.perf_counter()
        for _ in turns:
            call(argument)
        return time.perf_counter() - started

    return loop_one if len(args) == 1 else loop


def alternate(
    loops: Mapping[str, Callable[[int], float]], rounds: int = ROUNDS, turn_seconds: float = TURN_SECONDS
) -> dict[str, Timing]:
    """Time loops turn by turn.

    Args:
        loops: By name; each is given a number of calls and returns the seconds that they took.
        rounds: Turns of each.
        turn_seconds: About how long a turn is.
    """
    times = {name: _times_for(loop, turn_seconds) for name, loop in loops.items()}
    turns: dict[str, list[float]] = {name: [] for name in loops}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for name in sorted(loops, reverse=bool(number % 2)):
                turns[name].append(loops[name](times[name]) / times[name])
    finally:
        gc.enable()
    return {name: Timing(statistics.median(each), tuple(each)) for name, each in turns.items()}


def _times_for(loop: Callable[[int], float], seconds: float) -> int:
    loop(1)  # a first call may compute, connect or import
    times = 1
    while (taken := loop(times)) < seconds / 2:
        times = max(2 * times, int(times * seconds / 2 / max(taken, 1e-9)))
    return max(1, int(times * seconds / taken))
