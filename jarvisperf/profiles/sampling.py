"""Sampling by pyinstrument: the stack is looked at every half millisecond, so calls are hardly slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.places import Places, without_launchpad

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jarvisperf.bench.targets import Target
    from jarvisperf.profiles.model import Frame, Profile

INTERVAL_SECONDS = 0.0005
# How pyinstrument writes a frame: function, file and first line with a zero byte between, then attributes with a
# byte 1 in front of each; the attribute that begins with "l" holds the line that ran.
_FIELD, _ATTRIBUTE, _LINE = "\x00", "\x01", "l"


def take(target: Target, iterations: int, roots: Sequence[Path]) -> Profile:
    """Profile a number of calls.

    Args:
        target: What to call.
        iterations: How often.
        roots: The project's folders.
    """
    from pyinstrument import Profiler

    profiler = Profiler(interval=INTERVAL_SECONDS, async_mode="disabled")
    profiler.start()
    try:
        target.sample(iterations)
    finally:
        session = profiler.stop()
    places = Places(roots)
    weights: dict[tuple[Frame, ...], float] = {}
    samples = 0
    for infos, seconds in session.frame_records:
        stack = without_launchpad([_frame(info, places) for info in infos])
        if stack:
            samples += 1
            weights[stack] = weights.get(stack, 0.0) + seconds / iterations
    return profile_of("pyinstrument", "s", weights, iterations=iterations, samples=samples)


def _frame(info: str, places: Places) -> Frame:
    head, *attributes = info.split(_ATTRIBUTE)
    function, file, first_line = head.split(_FIELD)
    ran = next((text[1:] for text in attributes if text.startswith(_LINE)), first_line)
    return places.frame(function, file, int(ran or 0))
