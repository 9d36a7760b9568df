"""Times suspects exactly: reads the clocks whenever a target enters or leaves one of them.

A sampling profiler would need some ten thousand samples to see a slowdown of 3 % of the whole. A profile function
(`sys.setprofile`) makes every call slower, but equally in both arms.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
from typing import TYPE_CHECKING, Any

from jarvisperf.clocks import REAL
from jarvisperf.measure.collector import collect_between_samples, collector_paused
from jarvisperf.suspects.model import TimedSlices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import CodeType, FrameType
    from typing import Self

    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Slices
    from jarvisperf.suspects.model import CodeRange

MOST_PARTS = 20  # of a slice
MOST_TIMES_AS_LONG = 3.0
FEWEST_SLICES = 3


def time_suspects(
    target: Target, slices: Slices, ranges: Sequence[CodeRange], roots: Sequence[Path], *, waits: bool, seconds: float
) -> TimedSlices:
    """Time suspects.

    Args:
        target: The target to call.
        slices: How often to call it if watching cost nothing, and how to take turns.
        ranges: The lines of the suspects.
        roots: The arm's folders.
        waits: Whether the target waits voluntarily.
        seconds: The time that those slices fill without watching; with it, they take at most a few times as long.
    """
    watch = _Watch(ranges, roots)
    slices = _affordable(target, slices, watch, seconds)
    calls = math.ceil(slices.iterations / MOST_PARTS)
    taken = []
    with collector_paused():  # as in the measurement
        for _ in range(slices.number):
            parts = []
            with slices.turn():
                for _ in range(math.ceil(slices.iterations / calls)):
                    target.samples(calls, 1, watch)
                    parts.append(watch.seconds_per_call(calls))
                collect_between_samples()
            taken.append(_medians(parts))
    return TimedSlices(tuple(taken), waits)


def _affordable(target: Target, slices: Slices, watch: _Watch, seconds: float) -> Slices:
    """Return fewer calls if watching makes them much slower: a generator is entered for each of its items."""
    iterations = target.fixed_iterations or 1
    begin = REAL.wall()
    target.samples(iterations, 1, watch)
    most_calls = seconds * MOST_TIMES_AS_LONG / max(REAL.wall() - begin, 1e-9) * iterations
    if not target.fixed_iterations:
        iterations = min(slices.iterations, max(round(most_calls / slices.number), 1))
    number = min(slices.number, max(round(most_calls / iterations), FEWEST_SLICES))
    return slices._replace(number=number, iterations=iterations)


def _medians(parts: Sequence[dict[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Return the median of each label's times, because an interruption spoils a part, not the whole slice."""
    labels = {label for part in parts for label in part}
    nothing = (0.0, 0.0)
    return {
        label: (
            statistics.median(part.get(label, nothing)[0] for part in parts),
            statistics.median(part.get(label, nothing)[1] for part in parts),
        )
        for label in labels
    }


class _Watch:
    """Adds up the time of each suspect while it is entered; it may be entered again."""

    def __init__(self, ranges: Sequence[CodeRange], roots: Sequence[Path]) -> None:
        files = {f"{number}/": os.path.realpath(root) for number, root in enumerate(roots)}
        self._ranges: dict[str, list[CodeRange]] = {}
        for one in ranges:
            number, _, path = one.place.partition("/")
            self._ranges.setdefault(f"{files[f'{number}/']}/{path}", []).append(one)
        self._labels: dict[int, str] = {}
        self._codes: list[CodeType] = []  # keeps them alive, so that their ids stay theirs
        self._begin()

    def _begin(self) -> None:
        self._sums: dict[str, list[float]] = {}
        self._inside = [""]
        self._wall, self._processor = REAL.wall(), REAL.cpu()

    def __enter__(self) -> Self:
        self._outer = sys.getprofile()
        self._begin()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._outer)
        self._switch()

    def seconds_per_call(self, calls: int) -> dict[str, tuple[float, float]]:
        """Return the wall and processor seconds of each label since this was last entered."""
        return {label: (wall / calls, processor / calls) for label, (wall, processor) in self._sums.items()}

    def _see(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" and event != "return":  # noqa: PLR1714  # quicker than a set, and this runs for every call
            return
        code = frame.f_code
        label = self._labels.get(id(code))
        if label is None:
            label = self._label(code)
        if not label:
            return
        self._switch()
        if event == "call":
            self._inside.append(label)
        elif len(self._inside) > 1:
            self._inside.pop()

    def _switch(self) -> None:
        wall, processor = REAL.wall(), REAL.cpu()
        sums = self._sums.setdefault(self._inside[-1], [0.0, 0.0])
        sums[0] += wall - self._wall
        sums[1] += processor - self._processor
        self._wall, self._processor = wall, processor

    def _label(self, code: CodeType) -> str:
        """Return the label of a code object, of the innermost function that contains it; empty if there is none."""
        ranges = self._ranges.get(os.path.realpath(code.co_filename), ())
        around = [one for one in ranges if one.first_line <= code.co_firstlineno <= one.last_line]
        label = min(around, key=lambda one: one.last_line - one.first_line).label if around else ""
        self._codes.append(code)
        self._labels[id(code)] = label
        return label
