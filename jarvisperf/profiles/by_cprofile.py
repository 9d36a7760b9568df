"""Profiles by cProfile: every call is counted, which makes small functions look slower than they are.

cProfile records who called whom, not whole stacks. They are reconstructed as in gprof (Graham, Kessler and McKusick,
"gprof: a Call Graph Execution Profiler", 1982): a function's time is divided among its callers in proportion to the
time they spent in it.
"""

from __future__ import annotations

import cProfile
import pstats
from typing import TYPE_CHECKING, Any

from jarvisperf.measure.targets import call_targets
from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.source_files import Places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Frame, Profile, Slices

    Key = tuple[str, int, str]

SMALLEST_SHARE = 1e-3
DEEPEST = 60


def take(target: Target, slices: Slices, roots: Sequence[Path]) -> Profile:
    """Profile a number of calls.

    Args:
        target: The target to call.
        slices: How often to call it, and how to take turns.
        roots: The project's folders.
    """
    profiler = cProfile.Profile()
    for _ in range(slices.number):
        with slices.turn():
            target.samples(slices.iterations, 1, profiler)
    iterations = slices.number * slices.iterations
    stats: dict[Key, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    weights = _Stacks(stats, Places(roots)).weights
    calls = sum(entry[1] for entry in stats.values())
    scaled = {stack: seconds / iterations for stack, seconds in weights.items()}
    return profile_of("cprofile", "s", scaled, iterations=iterations, samples=calls)


class _Stacks:
    """Reconstructs stacks from a call graph."""

    def __init__(self, stats: dict[Key, Any], places: Places) -> None:
        self._stats = stats
        self._places = places
        self._callees: dict[Key, list[tuple[Key, float]]] = {}
        for callee, (_, _, _, whole, callers) in stats.items():
            for caller, (_, _, _, through) in callers.items():
                if whole > 0:
                    self._callees.setdefault(caller, []).append((callee, through / whole))
        self.weights: dict[tuple[Frame, ...], float] = {}
        starts = [key for key in stats if key[0] == call_targets.__file__]
        self._least = SMALLEST_SHARE * sum(stats[key][3] for key in starts)
        for start in starts:
            for callee, share in self._callees.get(start, ()):
                self._expand(callee, share, ())

    def _expand(self, key: Key, share: float, above: tuple[Key, ...]) -> None:
        _, _, own, whole, _ = self._stats[key]
        if key in above or len(above) >= DEEPEST or whole * share < self._least:
            return
        stack = (*above, key)
        if own * share > 0:
            frames = tuple(self._places.frame(function, file, line) for file, line, function in stack)
            self.weights[frames] = self.weights.get(frames, 0.0) + own * share
        for callee, part in self._callees.get(key, ()):
            self._expand(callee, share * part, stack)
