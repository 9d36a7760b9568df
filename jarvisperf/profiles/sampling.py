"""Sampling by pyinstrument: the stack is looked at every half millisecond, so calls are hardly slower.

It looks when a function is called or returns. So a function's time is right, and its line is right where that line
calls something; a loop that calls nothing is seen at its function's end.

When to look is told by the clock on the wall, which is quickly read; how long it was, by the processor's time, which is
read only then: on a busy machine others hold the processor for longer than most functions take.

Many short slices are taken. A profile by itself leaves out the slowest quarter; two that were taken in turns are
compared slice by slice (`pairing`).
"""

from __future__ import annotations

import math
import resource
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.bench.collector import collect_between_samples, collector_paused
from jarvisperf.clocks import REAL
from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.pairing import Sliced, function_key
from jarvisperf.profiles.places import Places, without_launchpad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jarvisperf.bench.targets import Target
    from jarvisperf.profiles.engines import Slices
    from jarvisperf.profiles.model import Frame

INTERVAL_SECONDS = 0.0005
KEPT_SHARE = 0.75
IDLE_SHARE = 0.05
IDLE_TRIALS = 5
SLOWDOWN_TRIALS = 3
LARGEST_SLOWDOWN = 10.0
# How pyinstrument writes a frame: function, file and first line with a zero byte between, then attributes with a
# byte 1 in front of each; the attribute that begins with "l" holds the line that ran.
_FIELD, _ATTRIBUTE, _LINE = "\x00", "\x01", "l"


class _Look(NamedTuple):
    """One look at the stack, and the seconds since the one before."""

    stack: tuple[Frame, ...]
    wall: float
    processor: float

    def seconds(self, *, waits: bool) -> float:
        """Give what counts: of a target that waits the time that passed."""
        return self.wall if waits else self.processor


def take(target: Target, slices: Slices, roots: Sequence[Path]) -> Sliced:
    """Profile a number of calls.

    Args:
        target: What to call.
        slices: How often, and whose turn it is.
        roots: The project's folders.
    """
    places = Places(roots)
    taken: list[list[_Look]] = []
    waits = _waits(target, slices.iterations)
    slowdown = _slowdown(target, slices.iterations, places, waits=waits)
    if target.fixed_iterations:
        number, iterations = max(1, round(slices.number / slowdown)), slices.iterations
    else:
        number, iterations = slices.number, max(1, round(slices.iterations / slowdown))
    with collector_paused():  # as when it was measured
        for _ in range(number):
            with slices.turn():
                taken.append(_slice(target, iterations, places))
                collect_between_samples()
    kept = sorted(taken, key=lambda looks: sum(look.seconds(waits=waits) for look in looks))
    kept = kept[: math.ceil(len(taken) * KEPT_SHARE)]
    calls = len(kept) * iterations
    weights: dict[tuple[Frame, ...], float] = {}
    for look in (look for looks in kept for look in looks):
        weights[look.stack] = weights.get(look.stack, 0.0) + look.seconds(waits=waits) / calls
    profile = profile_of("pyinstrument", "s", weights, iterations=calls, samples=sum(map(len, kept)))
    return Sliced(profile, waits, tuple(_functions(looks, iterations) for looks in taken))


def _waits(target: Target, iterations: int) -> bool:
    """Tell whether a target waits of its own accord, and not for others who have the processor; see getrusage(2).

    Threads that hand over to each other give up the processor too, but then another one has it.
    """
    least = math.inf
    for _ in range(IDLE_TRIALS):
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        start, used = REAL.wall(), REAL.cpu()
        target.sample(iterations)
        passed, used = REAL.wall() - start, REAL.cpu() - used
        if resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw == switches:
            return False
        least = min(least, 1 - used / max(passed, 1e-9))
    return least > IDLE_SHARE


def _slowdown(target: Target, iterations: int, places: Places, *, waits: bool) -> float:
    """Tell how many times as long calls take under the profiler, which reads its clock at every call inside them.

    The best of several trials counts: where others take the processor in the middle of one, it tells nothing.
    """
    few = target.fixed_iterations or max(1, iterations // 20)
    clock = REAL.wall if waits else REAL.cpu
    plain = min(_timed(lambda: target.sample(few), clock) for _ in range(SLOWDOWN_TRIALS))
    profiled = min(_timed(lambda: _slice(target, few, places), clock) for _ in range(SLOWDOWN_TRIALS))
    return min(max(1.0, profiled / max(plain, 1e-9)), LARGEST_SLOWDOWN)


def _timed(act: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    act()
    return clock() - start


def _slice(target: Target, iterations: int, places: Places) -> list[_Look]:
    from pyinstrument.stack_sampler import get_stack_sampler

    found: list[tuple[list[str], float, float]] = []

    def look(stack: list[str], _: float, __: object) -> None:
        found.append((stack, REAL.wall(), REAL.cpu()))

    sampler = get_stack_sampler()
    sampler.has_warned_about_timing_overhead = True  # a slow clock is allowed for: see _slowdown
    sampler.subscribe(look, desired_interval=INTERVAL_SECONDS, use_async_context=False)
    wall, processor = REAL.wall(), REAL.cpu()
    try:
        target.sample(iterations)
    finally:
        sampler.unsubscribe(look)
    looks = []
    for infos, wall_then, processor_then in found:
        stack = without_launchpad([_frame(info, places) for info in infos])
        if stack:
            looks.append(_Look(stack, wall_then - wall, processor_then - processor))
        wall, processor = wall_then, processor_then
    return looks


def _functions(looks: Sequence[_Look], iterations: int) -> dict[str, tuple[float, float]]:
    """Give what each function took, on the wall and of the processor, per call of the target."""
    sums: dict[str, tuple[float, float]] = {}
    for look in looks:
        key = function_key(look.stack)
        wall, processor = sums.get(key, (0.0, 0.0))
        sums[key] = (wall + look.wall / iterations, processor + look.processor / iterations)
    return sums


def _frame(info: str, places: Places) -> Frame:
    head, *attributes = info.split(_ATTRIBUTE)
    function, file, first_line = head.split(_FIELD)
    ran = next((text[1:] for text in attributes if text.startswith(_LINE)), first_line)
    return places.frame(function, file, int(ran or 0))
