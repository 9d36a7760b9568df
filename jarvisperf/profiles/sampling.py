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

from jarvisperf.clocks import REAL
from jarvisperf.measure.collector import collect_between_samples, collector_paused
from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.pairing import Sliced, function_key
from jarvisperf.profiles.source_files import Places, without_launchpad

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jarvisperf.measure.targets import Target
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
    slowdown = _slowdown(target, slices.iterations, waits=waits)
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
        watch = _Watch()
        target.samples(iterations, 1, watch)
        if not watch.switches:
            return False
        least = min(least, 1 - watch.processor / max(watch.wall, 1e-9))
    return least > IDLE_SHARE


class _Watch:
    """What calls cost on the thread that makes them, or waits while they are made.

    Attributes:
        wall: Seconds that passed.
        processor: Seconds of the process on a processor.
        switches: How often the process gave up the processor voluntarily.
    """

    wall = processor = 0.0
    switches = 0

    def __enter__(self) -> None:
        self.switches = -resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        self.wall, self.processor = -REAL.wall(), -REAL.cpu()

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = self.wall + REAL.wall(), self.processor + REAL.cpu()
        self.switches += resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

    def seconds(self, *, waits: bool) -> float:
        """Give what counts: of a target that waits the time that passed."""
        return self.wall if waits else self.processor


def _slowdown(target: Target, iterations: int, *, waits: bool) -> float:
    """Tell how many times as long calls take under the profiler, which reads its clock at every call inside them.

    The best of several trials counts: where others take the processor in the middle of one, it tells nothing.
    """
    few = target.fixed_iterations or max(1, iterations // 20)
    plain, profiled = math.inf, math.inf
    for _ in range(SLOWDOWN_TRIALS):
        watch = _Watch()
        target.samples(few, 1, watch)
        plain = min(plain, watch.seconds(waits=waits))
    for _ in range(SLOWDOWN_TRIALS):
        watch = _Watch()
        target.samples(few, 1, _Observation(watch))
        profiled = min(profiled, watch.seconds(waits=waits))
    return min(max(1.0, profiled / max(plain, 1e-9)), LARGEST_SLOWDOWN)


class _Observation:
    """Looks at the stack of the thread that it is entered on, and notes each look with both clocks.

    Args:
        watch: Entered with it.

    Attributes:
        looks: The stack as pyinstrument writes it, and both clocks then.
        begin: Both clocks at the start.
    """

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch
        self.looks: list[tuple[list[str], float, float]] = []
        self.begin = (0.0, 0.0)

    def __enter__(self) -> None:
        from pyinstrument.stack_sampler import get_stack_sampler

        self._watch.__enter__()
        self._sampler = get_stack_sampler()
        self._sampler.has_warned_about_timing_overhead = True  # a slow clock is allowed for: see _slowdown
        self._sampler.subscribe(self._look, desired_interval=INTERVAL_SECONDS, use_async_context=False)
        self.begin = (REAL.wall(), REAL.cpu())

    def __exit__(self, *_: object) -> None:
        self._sampler.unsubscribe(self._look)
        self._watch.__exit__()

    def _look(self, stack: list[str], _: float, __: object) -> None:
        self.looks.append((stack, REAL.wall(), REAL.cpu()))


def _slice(target: Target, iterations: int, places: Places) -> list[_Look]:
    seen = _Observation(_Watch())
    target.samples(iterations, 1, seen)
    wall, processor = seen.begin
    looks = []
    for infos, wall_then, processor_then in seen.looks:
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
