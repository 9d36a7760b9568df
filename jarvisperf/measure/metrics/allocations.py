"""`allocations` and `allocated_bytes`: how many blocks of memory a call allocates, and their size.

For deterministic code, both are the same in every run, however busy the machine is. memray sees every allocation, even
native ones (https://bloomberg.github.io/memray/). Without memray, tracemalloc sees the blocks of Python's allocators
that are still in use when the call returns, but not those that were freed before.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.kind import MetricKind, OfSingleCalls
from jarvisperf.measure.metrics.units import BYTES, count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.measure.targets import Target

WHAT_IS_LEFT = "tracemalloc, in use after the call"


def _methods() -> tuple[str, ...]:
    from jarvisperf.measure.memory import memory_method

    return ("memray" if memory_method() == "memray" else WHAT_IS_LEFT,) * 2


def _values(target: Target, methods: tuple[str, ...]) -> tuple[float, float]:
    """Call the target twice and count in the second call, so that what it keeps (imports, caches) does not count."""
    from jarvisperf.measure.instrumentation import uninstrumented
    from jarvisperf.measure.targets import FunctionTarget

    count = _by_memray if methods[0] == "memray" else _by_tracemalloc
    was_enabled = gc.isenabled()
    target.call()
    gc.collect()
    gc.disable()
    try:
        with uninstrumented():
            # Counting itself allocates: more the first time, and more while other threads allocate.
            own = [count(FunctionTarget(_nothing)) for _ in range(3)]
            own_blocks, own_bytes = (min(figures) for figures in zip(*own, strict=True))
            blocks, size = count(target)
    finally:
        if was_enabled:
            gc.enable()
    return float(max(0, blocks - own_blocks)), float(max(0, size - own_bytes))


def _nothing() -> None:
    """Allocate nothing."""


def _by_memray(target: Target) -> tuple[int, int]:
    import tempfile

    import memray

    freed = {memray.AllocatorType.FREE, memray.AllocatorType.MUNMAP, memray.AllocatorType.PYMALLOC_FREE}
    with tempfile.TemporaryDirectory(prefix="jarvisperf-") as folder:
        file = Path(folder) / "allocations"
        target.samples(1, 1, _tracked(file))
        with memray.FileReader(file) as reader:
            counted = [record for record in reader.get_allocation_records() if record.allocator not in freed]
    return sum(record.n_allocations for record in counted), sum(record.size for record in counted)


@contextmanager
def _tracked(file: Path) -> Iterator[None]:
    """Let memray track allocations inside the block, which excludes the target's setup."""
    import memray

    with memray.Tracker(destination=memray.FileDestination(file), trace_python_allocators=True):
        yield


def _by_tracemalloc(target: Target) -> tuple[int, int]:
    import tracemalloc

    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        before = _in_use()
        result = target.call()
        after = _in_use()
        del result
    finally:
        if ours:
            tracemalloc.stop()
    return after[0] - before[0], after[1] - before[1]


def _in_use() -> tuple[int, int]:
    import tracemalloc

    size, _ = tracemalloc.get_traced_memory()
    return len(tracemalloc.take_snapshot().traces), size


ALLOCATED_BYTES = MetricKind(
    name="allocated_bytes",
    unit=BYTES,
    axis_label="bytes allocated per call",
    threshold=0.05,
    prior_deviation=0.01,
    floor_deviation=0.001,
    smallest=512.0,
)
ALLOCATIONS = MetricKind(
    name="allocations",
    unit=count_of("blocks"),
    axis_label="blocks allocated per call",
    threshold=0.05,
    prior_deviation=0.01,
    floor_deviation=0.001,
    smallest=1.0,
    measurement=OfSingleCalls(methods=_methods, values=_values, profile="memory"),
    also=(ALLOCATED_BYTES,),
)
