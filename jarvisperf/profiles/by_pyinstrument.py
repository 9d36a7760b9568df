"""Profiles by pyinstrument: it samples the stack every half millisecond, which hardly slows calls down.

pyinstrument samples when a function is called or returns. The time of a function is therefore correct, and so is the
line if that line calls something; a loop without calls is attributed to the end of its function.

The wall clock, which is quick to read, decides when to sample. The processor clock is read only then and measures the
cost, because on a busy machine other processes hold the processor for longer than most functions run.

Many short slices are taken. A single profile leaves out the slowest quarter of them; two that were taken in turns are
compared slice by slice (`pairing`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.clocks import REAL, voluntary_switches
from jarvisperf.measure.collector import collect_between_samples, collector_paused
from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.pairing import Sliced, function_key
from jarvisperf.profiles.source_files import Places, without_launchpad

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Frame, Slices

INTERVAL_SECONDS = 0.0005
KEPT_SHARE = 0.75
IDLE_SHARE = 0.05
IDLE_TRIALS = 5
SLOWDOWN_TRIALS = 3
LARGEST_SLOWDOWN = 10.0
# pyinstrument's notation of a frame: function, file and first line, separated by zero bytes; then attributes, each
# preceded by a byte 1. The attribute that begins with "l" is the line that ran.
_FIELD, _ATTRIBUTE, _LINE = "\x00", "\x01", "l"


class _Look(NamedTuple):
    """One sample of the stack, and the seconds since the previous one."""

    stack: tuple[Frame, ...]
    wall: float
    processor: float

    def seconds(self, *, waits: bool) -> float:
        """Return wall seconds for a target that waits, otherwise processor seconds."""
        return self.wall if waits else self.processor


def take(target: Target, slices: Slices, roots: Sequence[Path]) -> Sliced:
    """Profile a number of calls.

    Args:
        target: The target to call.
        slices: How often to call it, and how to take turns.
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
    with collector_paused():  # as in the measurement
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
    """Return whether a target waits voluntarily, not because others have the processor; see getrusage(2).

    Threads that hand over to each other also yield the processor, but then another thread of the process uses it.
    """
    least = math.inf
    for _ in range(IDLE_TRIALS):
        watch = _CallWatch()
        target.samples(iterations, 1, watch)
        if watch.switches == 0:
            return False
        least = min(least, 1 - watch.processor / max(watch.wall, 1e-9))
    return least > IDLE_SHARE


class _CallWatch:
    """Measures what calls cost on the thread that makes them, or waits for them.

    Attributes:
        wall: Wall seconds.
        processor: Processor seconds of the process.
        switches: Voluntary context switches; nan if the system does not count them.
    """

    wall = processor = 0.0
    switches = 0.0

    def __enter__(self) -> None:
        self.switches = -voluntary_switches()
        self.wall, self.processor = -REAL.wall(), -REAL.cpu()

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = self.wall + REAL.wall(), self.processor + REAL.cpu()
        self.switches += voluntary_switches()

    def seconds(self, *, waits: bool) -> float:
        """Return wall seconds for a target that waits, otherwise processor seconds."""
        return self.wall if waits else self.processor


def _slowdown(target: Target, iterations: int, *, waits: bool) -> float:
    """Return how many times longer calls take under the profiler, which reads its clock at every call inside them.

    The best of several trials counts, because a trial interrupted by other processes is meaningless.
    """
    few = target.fixed_iterations or max(1, iterations // 20)
    plain, profiled = math.inf, math.inf
    for _ in range(SLOWDOWN_TRIALS):
        watch = _CallWatch()
        target.samples(few, 1, watch)
        plain = min(plain, watch.seconds(waits=waits))
    for _ in range(SLOWDOWN_TRIALS):
        watch = _CallWatch()
        target.samples(few, 1, _Observation(watch))
        profiled = min(profiled, watch.seconds(waits=waits))
    return min(max(1.0, profiled / max(plain, 1e-9)), LARGEST_SLOWDOWN)


class _Observation:
    """Samples the stack of the thread that enters it, with the time of both clocks.

    Args:
        watch: Entered and left together with it.

    Attributes:
        looks: For each sample, the stack as pyinstrument writes it and the time of both clocks.
        begin: The time of both clocks at the start.
    """

    def __init__(self, watch: _CallWatch) -> None:
        self._watch = watch
        self.looks: list[tuple[list[str], float, float]] = []
        self.begin = (0.0, 0.0)

    def __enter__(self) -> None:
        from pyinstrument.stack_sampler import get_stack_sampler

        self._watch.__enter__()
        self._sampler = get_stack_sampler()
        self._sampler.has_warned_about_timing_overhead = True  # _slowdown compensates for a slow clock
        self._sampler.subscribe(self._look, desired_interval=INTERVAL_SECONDS, use_async_context=False)
        self.begin = (REAL.wall(), REAL.cpu())

    def __exit__(self, *_: object) -> None:
        self._sampler.unsubscribe(self._look)
        self._watch.__exit__()

    def _look(self, stack: list[str], _: float, __: object) -> None:
        self.looks.append((stack, REAL.wall(), REAL.cpu()))


def _slice(target: Target, iterations: int, places: Places) -> list[_Look]:
    seen = _Observation(_CallWatch())
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
    """Return the wall and processor seconds of each function per call of the target."""
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
