"""Sampling by pyinstrument: the stack is looked at every half millisecond, so calls are hardly slower.

It looks when a function is called or returns. So a function's time is right, and its line is right where that line
calls something; a loop that calls nothing is seen at its function's end.

Many short slices are taken and the slowest quarter is left out: in those somebody else had the processor.
"""

from __future__ import annotations

import math
import resource
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.places import Places, without_launchpad

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jarvisperf.bench.targets import Target
    from jarvisperf.profiles.engines import Slices
    from jarvisperf.profiles.model import Frame, Profile

INTERVAL_SECONDS = 0.0005
KEPT_SHARE = 0.75
# How pyinstrument writes a frame: function, file and first line with a zero byte between, then attributes with a
# byte 1 in front of each; the attribute that begins with "l" holds the line that ran.
_FIELD, _ATTRIBUTE, _LINE = "\x00", "\x01", "l"


def take(target: Target, slices: Slices, roots: Sequence[Path]) -> Profile:
    """Profile a number of calls.

    Args:
        target: What to call.
        slices: How often, and whose turn it is.
        roots: The project's folders.
    """
    places = Places(roots)
    taken = []
    with _clock_for(target, slices.iterations):
        slowdown = _slowdown(target, slices.iterations, places)
        if target.fixed_iterations:
            number, iterations = max(1, round(slices.number / slowdown)), slices.iterations
        else:
            number, iterations = slices.number, max(1, round(slices.iterations / slowdown))
        for _ in range(number):
            with slices.turn():
                taken.append(_slice(target, iterations, places))
    kept = sorted(taken, key=lambda one: sum(seconds for _, seconds in one))[: math.ceil(len(taken) * KEPT_SHARE)]
    calls = len(kept) * iterations
    weights: dict[tuple[Frame, ...], float] = {}
    for stack, seconds in (pair for one in kept for pair in one):
        weights[stack] = weights.get(stack, 0.0) + seconds / calls
    return profile_of("pyinstrument", "s", weights, iterations=calls, samples=sum(map(len, kept)))


@contextmanager
def _clock_for(target: Target, iterations: int) -> Iterator[None]:
    """Count processor time where the target never waits of its own accord, else time as it passes.

    On a busy machine others hold the processor for longer than most functions take; see getrusage(2) for the waits.
    """
    from pyinstrument.stack_sampler import get_stack_sampler

    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    target.sample(iterations)
    waits = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw > before
    sampler = get_stack_sampler()
    known, sampler.timer_func = sampler.timer_func, None if waits else time.thread_time
    try:
        yield
    finally:
        sampler.timer_func = known


def _slowdown(target: Target, iterations: int, places: Places) -> float:
    """Tell how many times as long calls take under the profiler, which reads its clock at every call inside them."""
    few = target.fixed_iterations or max(1, iterations // 20)
    start = time.perf_counter()
    target.sample(few)
    plain = time.perf_counter()
    _slice(target, few, places)
    profiled = time.perf_counter()
    return max(1.0, (profiled - plain) / max(plain - start, 1e-9))


def _slice(target: Target, iterations: int, places: Places) -> list[tuple[tuple[Frame, ...], float]]:
    from pyinstrument import Profiler

    profiler = Profiler(interval=INTERVAL_SECONDS, async_mode="disabled")
    profiler.start()
    try:
        target.sample(iterations)
    finally:
        session = profiler.stop()
    samples = [
        (without_launchpad([_frame(info, places) for info in infos]), seconds)
        for infos, seconds in session.frame_records
    ]
    return [(stack, seconds) for stack, seconds in samples if stack]


def _frame(info: str, places: Places) -> Frame:
    head, *attributes = info.split(_ATTRIBUTE)
    function, file, first_line = head.split(_FIELD)
    ran = next((text[1:] for text in attributes if text.startswith(_LINE)), first_line)
    return places.frame(function, file, int(ran or 0))
