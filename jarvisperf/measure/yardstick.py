"""The yardstick: fixed reference workloads, measured next to the benchmarks to track the speed of the machine.

A stored run shows how fast the code was on the machine at that time. If the yardstick is slower today, so is the
machine, and the code is not to blame for that part of a slowdown. The yardstick removes the drift that all code shares;
`jarvisperf.gate.screening` estimates the rest.

A workload does the same work in every version of jarvisperf. To change one, give it a new name.
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

    from jarvisperf.measure.targets.call_targets import Clock

    Workload = Callable[[], object]

CALLS_PER_TICK = 3
MOST_READINGS = 100

_LOOP_ROUNDS = 3_000
_STREAM_BYTES = 2 << 20
_OBJECTS = 2_000
_HASHED_BYTES = 128 << 10


def reference_workloads() -> dict[str, Workload]:
    """Create the workloads, each well under a millisecond, with the data they work on."""
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
    """Interpret bytecode: an integer linear congruential generator, with a branch."""
    state = odd = 0
    for _ in range(_LOOP_ROUNDS):
        state = (state * 1_103_515_245 + 12_345) & 0x3FFFFFFF
        if state & 1:
            odd += 1
    return odd


def allocate() -> int:
    """Allocate and free small objects of many sizes: bytes, which the garbage collector does not track."""
    return len([bytes(17 + step % 600) for step in range(_OBJECTS)])


class YardstickReading(msgspec.Struct, frozen=True):
    """The speed of the machine at one moment.

    Attributes:
        when: The end of the reading, in seconds of the clock.
        seconds: Seconds per call, by workload.
    """

    when: float
    seconds: dict[str, float]


class Yardstick:
    """Takes readings and keeps them, at 40 bytes each.

    Args:
        clock: Returns seconds.
        workloads: Functions without arguments, by name; None: the reference workloads.
    """

    def __init__(self, clock: Clock = REAL.wall, workloads: Mapping[str, Workload] | None = None) -> None:
        self._clock = clock
        self._workloads = reference_workloads() if workloads is None else dict(workloads)
        self._when = array("d")
        self._seconds = {name: array("d") for name in self._workloads}

    def __len__(self) -> int:
        return len(self._when)

    def tick(self) -> YardstickReading:
        """Measure each workload, which takes a few milliseconds.

        The median of 3 calls counts, so neither cold caches in the first call nor a single interruption matter.
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
        """Take readings until the newest ones are recent; if they already are, take none.

        Args:
            count: Number of readings that must be recent, and the most to take.
            seconds: Maximum age of a recent reading.

        Returns:
            The index of the oldest of these readings, for `since`.
        """
        for _ in range(count):
            if len(self) >= count and self._clock() - self._when[-count] <= seconds:
                break
            self.tick()
        return len(self) - count

    def since(self, place: int) -> dict[str, float]:
        """Return the median seconds of each workload over the readings from an index on."""
        return {name: statistics.median(values[place:]) for name, values in self._seconds.items()}

    def summary(self) -> dict[str, Summary]:
        """Summarize the seconds of each workload over all readings; empty if there are none."""
        return {name: summarize(values) for name, values in self._seconds.items() if values}

    def readings(self, at_most: int = MOST_READINGS) -> list[YardstickReading]:
        """Return the readings, oldest first.

        Args:
            at_most: Maximum number to return; if there are more, evenly spaced ones including the first and the last.
        """
        count = len(self)
        if count <= at_most:
            return [self._reading(place) for place in range(count)]
        return [self._reading(step * (count - 1) // max(1, at_most - 1)) for step in range(at_most)]

    def _reading(self, place: int) -> YardstickReading:
        return YardstickReading(self._when[place], {name: values[place] for name, values in self._seconds.items()})
