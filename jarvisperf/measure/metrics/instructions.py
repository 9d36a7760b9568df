"""`instructions`: how many machine instructions a call executes.

For deterministic code with equal seeds, the number is the same in every run, however busy the machine is. It depends a
little on where objects lie in memory, because Python's allocator takes a longer way whenever a pool is full or empty:
by up to 2 % in loops that create integers. So each launch shifts the memory by another amount, equally in both arms.
Then code that did not change counts the same on average, and the interval shows how much the place matters.

Instructions do not show what makes them slow: a cache miss, a slower system call, a lock, waiting.
"""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.kind import MetricKind, OfSingleCalls
from jarvisperf.measure.metrics.units import count_of

if TYPE_CHECKING:
    from jarvisperf.measure.metrics.instruction_counters import Counter
    from jarvisperf.measure.targets import Target

ENOUGH = 20_000_000  # instructions to count: valgrind takes about a second for them
FEWEST_CALLS, MOST_CALLS = 3, 100
WARMUP_CALLS = 20  # after which the interpreter has specialized the code
MOST_PADDING = 600  # objects of each size; a pool of Python's allocator holds some hundreds
LONG_CALL = 10_000_000  # instructions; a longer call specializes its code itself


def _methods() -> tuple[str, ...]:
    from jarvisperf.measure.metrics.instruction_counters import method_here

    return (method_here(),)


def _values(target: Target, methods: tuple[str, ...]) -> tuple[float]:
    """Count a few calls and many, and divide the difference, so that what comes with every count is left out.

    How many calls are made depends on counts alone, never on time, so that both arms make the same number.
    """
    from jarvisperf.measure.instrumentation import uninstrumented
    from jarvisperf.measure.metrics.instruction_counters import counter_of

    fixed = target.fixed_iterations
    padding = _padding()
    was_enabled = gc.isenabled()
    target.call()
    gc.collect()
    gc.disable()

    def count(calls: int) -> int:
        counter: Counter = counter_of(methods[0])
        if fixed is None:
            target.samples(calls, 1, counter)
        else:
            target.samples(fixed, calls, counter)
        return counter.instructions

    try:
        with uninstrumented():
            first = count(1)
            if first < LONG_CALL:
                target.samples(fixed or WARMUP_CALLS, 1, counter_of(methods[0]))
            calls = min(max(ENOUGH // max(first, 1), FEWEST_CALLS), MOST_CALLS)
            few, many = count(1), count(1 + calls)
    finally:
        del padding
        if was_enabled:
            gc.enable()
    return (max(0.0, (many - few) / (calls * (fixed or 1))),)


def _padding() -> list[object]:
    """Return objects of several sizes; their number depends on the hash seed, which is another in each launch."""
    draw = random.Random(hash("padding"))  # noqa: S311  # equal in both arms
    return [bytes(size) for size in (1, 17, 33, 49) for _ in range(draw.randrange(MOST_PADDING))]


INSTRUCTIONS = MetricKind(
    name="instructions",
    unit=count_of("instructions"),
    axis_label="instructions per call",
    threshold=0.01,
    prior_deviation=0.01,
    floor_deviation=0.0001,
    smallest=1.0,
    measurement=OfSingleCalls(methods=_methods, values=_values),
)
