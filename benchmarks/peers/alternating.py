"""Times several implementations in one process, in turns, so that all of them see the same machine."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Many short turns: on a busy machine, a turn is hardly longer than the scheduler's time slice for another process.
# In shorter ones, a call of 0.3 ms would be alone in its turn with cold caches, which favours slow calls.
ROUNDS = 60
TURN_SECONDS = 0.005


@dataclass(frozen=True)
class Timing:
    """The times of one implementation: the median of its turns in seconds per call, and all turns."""

    seconds: float
    turns: tuple[float, ...]

    def ratio_to(self, others: Timing) -> float:
        """Return the median ratio of neighbouring turns."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.turns, others.turns, strict=True))

    def __add__(self, other: Timing) -> Timing:
        return Timing(self.seconds + other.seconds, tuple(map(sum, zip(self.turns, other.turns, strict=True))))


def repeat(call: Callable[..., object], *args: object) -> Callable[[int], float]:
    """Return a loop that calls a function a number of times and returns the seconds that it took."""

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
    """Time loops in turns.

    Args:
        loops: The loops by name; each takes a number of calls and returns the seconds that they took.
        rounds: The number of turns of each loop.
        turn_seconds: The approximate length of a turn.
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
    loop(1)  # the first call may compute, connect or import
    times = 1
    while (taken := loop(times)) < seconds / 2:
        times = max(2 * times, int(times * seconds / 2 / max(taken, 1e-9)))
    return max(1, int(times * seconds / taken))
