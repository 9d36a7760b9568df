"""Decides how long to wait for a worker's answer: by how long the benchmark has taken so far."""

from __future__ import annotations

UNKNOWN_SECONDS = 120.0  # of the first answers: a single call may take as long
FEWEST_SECONDS = 30.0  # even on a machine that swaps, no short answer takes this long
TIMES_AS_LONG = 10.0


class Patience:
    """Remembers how long benchmarks take, over all launches of a run."""

    def __init__(self) -> None:
        self._longest: dict[str, float] = {}

    def note(self, name: str, seconds: float) -> None:
        """Record how long a benchmark took in one process, from the start of its test to the end."""
        self._longest[name] = max(seconds, self._longest.get(name, 0.0))

    def answer_seconds(self, name: str) -> float:
        """Return how long to wait for each answer: 10 times as long as the benchmark ever took, from 30 s to 120 s."""
        longest = self._longest.get(name)
        if longest is None:
            return UNKNOWN_SECONDS
        return min(UNKNOWN_SECONDS, max(FEWEST_SECONDS, TIMES_AS_LONG * longest))
