"""The yardstick: reference workloads that never change, measured beside the benchmarks to see how fast the machine is.

A stored run says how fast the code was on the machine of that day. What the yardstick lost between two days, the code
lost for no fault of its own. It removes the part of the drift that all code shares; `jarvisperf.gate.screening.screen` reckons
with the rest.

Each workload does the same work in every version of jarvisperf: change one, and change its name with it.
"""

from __future__ import annotations

import hashlib
import statistics
from array import array
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.runs.summary import Summary, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.measure.targets import Clock

    Workload = Callable[[], object]

CALLS_PER_TICK = 3
MOST_READINGS = 100

_LOOP_ROUNDS = 3_000
_STREAM_BYTES = 2 << 20
_OBJECTS = 2_000
_HASHED_BYTES = 128 << 10


def reference_workloads() -> dict[str, Workload]:
    """Make the workloads, each well under a millisecond; what they work on lives as long as they do."""
    source, target = bytes(_STREAM_BYTES), bytearray(_STREAM_BYTES)
    message = bytes(range(256)) * (_HASHED_BYTES // 256)

    def stream_memory() -> None:
        target[:] = source
        target[:] = source

    def hash_message() -> None:
        hashlib.blake2b(message).digest()

    return {
        "interpreter": interpret,
        "memory": stream_memory,
        "allocation": allocate,
        "hashing": hash_message,
    }


def interpret() -> int:
    """Interpret bytecode: a linear congruential generator in whole numbers, with a branch."""
    state = odd = 0
    for _ in range(_LOOP_ROUNDS):
        state = (state * 1_103_515_245 + 12_345) & 0x3FFFFFFF
        if state & 1:
            odd += 1
    return odd


def allocate() -> int:
    """Allocate small objects of many sizes and let them go: bytes, which the garbage collector does not count."""
    return len([bytes(17 + step % 600) for step in range(_OBJECTS)])


class Reading(msgspec.Struct, frozen=True):
    """How fast the machine was at one moment.

    Attributes:
        when: The clock's time when the reading ended, seconds.
        seconds: Seconds of one call of each workload.
    """

    when: float
    seconds: dict[str, float]


class Yardstick:
    """Takes readings and keeps them; 40 bytes each.

    Args:
        clock: Seconds as a float.
        workloads: Functions without arguments, by name; None: the reference workloads.
    """

    def __init__(self, clock: Clock = REAL.wall, workloads: Mapping[str, Workload] | None = None) -> None:
        self._clock = clock
        self._workloads = reference_workloads() if workloads is None else dict(workloads)
        self._when = array("d")
        self._seconds = {name: array("d") for name in self._workloads}

    def __len__(self) -> int:
        return len(self._when)

    def tick(self) -> Reading:
        """Measure each workload; it takes a few milliseconds.

        The median of 3 calls counts, so neither the first call's cold caches nor one interruption do.
        """
        clock = self._clock
        for name, work in self._workloads.items():
            calls = []
            for _ in range(CALLS_PER_TICK):
                start = clock()
                work()
                calls.append(clock() - start)
            self._seconds[name].append(statistics.median(calls))
        self._when.append(clock())
        return self._reading(len(self) - 1)

    def refresh(self, count: int, seconds: float) -> int:
        """Take readings until the newest ones are recent; none where they are.

        Args:
            count: How many of the newest readings are to be recent; no more than that are taken.
            seconds: How long ago a recent reading ended at most.

        Returns:
            The place of the oldest of these readings, for `since`.
        """
        for _ in range(count):
            if len(self) >= count and self._clock() - self._when[-count] <= seconds:
                break
            self.tick()
        return len(self) - count

    def since(self, place: int) -> dict[str, float]:
        """Give each workload's median seconds over the readings from a place (with it) to the newest."""
        return {name: statistics.median(values[place:]) for name, values in self._seconds.items()}

    def summary(self) -> dict[str, Summary]:
        """Summarize each workload's seconds over all readings; empty without a reading."""
        return {name: summarize(values) for name, values in self._seconds.items() if values}

    def readings(self, at_most: int = MOST_READINGS) -> list[Reading]:
        """Give the readings, oldest first.

        Args:
            at_most: Of more readings than this, as many at equal steps, the first and the last among them.
        """
        count = len(self)
        if count <= at_most:
            return [self._reading(place) for place in range(count)]
        return [self._reading(step * (count - 1) // max(1, at_most - 1)) for step in range(at_most)]

    def _reading(self, place: int) -> Reading:
        return Reading(self._when[place], {name: values[place] for name, values in self._seconds.items()})
