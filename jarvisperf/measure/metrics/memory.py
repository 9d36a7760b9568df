"""`memory`: the peak memory of a call, or of a process, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.kind import MetricKind, OfSingleCalls
from jarvisperf.measure.metrics.units import BYTES

if TYPE_CHECKING:
    from jarvisperf.measure.targets import Target

PAGE_BYTES = 4096.0  # anything less is the allocator's bookkeeping


def _methods() -> tuple[str, ...]:
    from jarvisperf.measure.memory import memory_method

    return (memory_method(),)


def _values(target: Target, methods: tuple[str, ...]) -> tuple[float]:
    from jarvisperf.measure.memory import peak_bytes

    return (float(peak_bytes(target, "memray" if methods == ("memray",) else "tracemalloc")),)


MEMORY = MetricKind(
    name="memory",
    unit=BYTES,
    axis_label="peak memory",
    threshold=0.10,
    prior_deviation=0.03,
    floor_deviation=0.001,
    smallest=PAGE_BYTES,
    measurement=OfSingleCalls(methods=_methods, values=_values, profile="memory"),
)
