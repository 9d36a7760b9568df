"""How long launches take, benchmark by benchmark, and from that how long the rest of a run takes at most."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

LAUNCH_SECONDS = 1.0  # about what starting a pair takes, before one was seen
NEWEST = (
    4  # launches whose middle counts: a machine's speed changes, and the first launch settles how many forks there are
)


@dataclass(slots=True)
class _LaunchUnderWay:
    """A launch that runs: when it began, what it measures since when, and what each benchmark has cost in it."""

    begin: float
    now: str | None = None
    since: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)


class Pace:
    """Watches launches.

    Args:
        clock: Seconds as a float.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._running: dict[int, _LaunchUnderWay] = {}
        self._starts: list[float] = []
        self._walls: dict[str, list[float]] = {}

    def begin(self, launch: int) -> None:
        """Note that a launch begins."""
        self._running[launch] = _LaunchUnderWay(self._clock())

    def measures(self, launch: int, name: str) -> None:
        """Note that a launch turns to a benchmark, in whichever of its forks."""
        running = self._running.get(launch)
        if running is not None:
            self._turn(running, name)

    def end(self, launch: int) -> None:
        """Note that a launch has ended."""
        running = self._running.pop(launch)
        self._turn(running, None)
        for name, seconds in running.seconds.items():
            self._walls.setdefault(name, []).append(seconds)

    def _turn(self, running: _LaunchUnderWay, name: str | None) -> None:
        now = self._clock()
        if running.now is not None:
            running.seconds[running.now] = running.seconds.get(running.now, 0.0) + now - running.since
        elif name is not None:
            self._starts.append(now - running.begin)
        running.now, running.since = name, now

    def seconds_left(self, launches: Mapping[str, int], lanes: int, guess: Callable[[str], float]) -> float:
        """Reckon what launches take that have yet to end, those that run included.

        Args:
            launches: How many launches each benchmark still needs, those that run included.
            lanes: How many launches run at a time.
            guess: Gives what a benchmark takes in one launch, where that has not been seen.
        """
        batches = {name: math.ceil(count / lanes) for name, count in launches.items()}
        now = self._clock()
        start = self._start()
        walls = {name: self._wall(name, guess, now) for name in launches}
        whole = start * max(batches.values(), default=0) + math.fsum(walls[name] * batches[name] for name in launches)
        if not self._running:
            return whole
        elapsed = now - min(running.begin for running in list(self._running.values()))
        return max(0.0, whole - min(elapsed, start + math.fsum(walls.values())))

    def launch_seconds(self, names: Collection[str], guess: Callable[[str], float]) -> float:
        """Reckon what one launch with these benchmarks takes.

        Args:
            names: The benchmarks.
            guess: Gives what a benchmark takes in one launch, where that has not been seen.
        """
        now = self._clock()
        return self._start() + math.fsum(self._wall(name, guess, now) for name in names)

    def usual_launch_seconds(self, benchmarks: float, most_seconds: float) -> float:
        """Reckon what a launch with so many usual benchmarks takes; where that is too much, one with a quick one."""
        walls = [statistics.median(seen[-NEWEST:]) for seen in self._walls.values()] or [0.0]
        usual = self._start() + benchmarks * statistics.median(walls)
        return usual if usual <= most_seconds else self._start() + min(walls)

    def _start(self) -> float:
        return statistics.median(self._starts[-NEWEST:]) if self._starts else LAUNCH_SECONDS

    def _wall(self, name: str, guess: Callable[[str], float], now: float) -> float:
        """Give what a benchmark takes in one launch: what it took, else a guess, at least what it has taken by now."""
        seen = self._walls.get(name)
        if seen:
            return statistics.median(seen[-NEWEST:])
        by_now = [
            running.seconds.get(name, 0.0) + (now - running.since if running.now == name else 0.0)
            for running in list(self._running.values())
        ]
        return max(guess(name), *by_now, 0.0)
