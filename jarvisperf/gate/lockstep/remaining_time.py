"""Tracks how long launches take, benchmark by benchmark, and estimates how long the rest of a run takes at most."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

LAUNCH_SECONDS = 1.0  # assumed for starting a pair until one has been observed
NEWEST = 4  # launches whose median counts: a machine's speed changes, and the first launch determines the forks


@dataclass(slots=True)
class _LaunchUnderWay:
    """A running launch: when it began, what it is measuring and since when, and the time each benchmark has taken."""

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
        """Record that a launch begins."""
        self._running[launch] = _LaunchUnderWay(self._clock())

    def measures(self, launch: int, name: str) -> None:
        """Record that a launch starts measuring a benchmark, in any of its forks."""
        running = self._running.get(launch)
        if running is not None:
            self._turn(running, name)

    def end(self, launch: int) -> None:
        """Record that a launch has ended."""
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
        """Estimate the seconds until all remaining launches have ended.

        Args:
            launches: Number of launches that each benchmark still needs, including running ones.
            lanes: Number of launches that run at a time.
            guess: Returns the assumed seconds of a benchmark in one launch, until one has been observed.
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
        """Estimate the seconds of one launch with these benchmarks.

        Args:
            names: The benchmarks.
            guess: Returns the assumed seconds of a benchmark in one launch, until one has been observed.
        """
        now = self._clock()
        return self._start() + math.fsum(self._wall(name, guess, now) for name in names)

    def usual_launch_seconds(self, benchmarks: float, most_seconds: float) -> float:
        """Estimate the seconds of a launch with this many typical benchmarks or, if too long, with one quick one."""
        walls = [statistics.median(seen[-NEWEST:]) for seen in self._walls.values()] or [0.0]
        usual = self._start() + benchmarks * statistics.median(walls)
        return usual if usual <= most_seconds else self._start() + min(walls)

    def _start(self) -> float:
        return statistics.median(self._starts[-NEWEST:]) if self._starts else LAUNCH_SECONDS

    def _wall(self, name: str, guess: Callable[[str], float], now: float) -> float:
        """Return a benchmark's seconds in one launch: observed, else guessed, but at least what it has taken so far."""
        seen = self._walls.get(name)
        if seen:
            return statistics.median(seen[-NEWEST:])
        by_now = [
            running.seconds.get(name, 0.0) + (now - running.since if running.now == name else 0.0)
            for running in list(self._running.values())
        ]
        return max(guess(name), *by_now, 0.0)
