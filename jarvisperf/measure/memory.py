"""Peak memory of one call: measured by memray, which also sees native allocations, or by tracemalloc."""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jarvisperf.extras import is_installed
from jarvisperf.measure.instrumentation import memray_is_tracking, uninstrumented

if TYPE_CHECKING:
    from jarvisperf.measure.targets import Target

Method = Literal["memray", "tracemalloc"]


def memory_method() -> Method:
    """Return the method available here: memray if it is installed and not already tracking this process."""
    return "memray" if is_installed("memray") and not memray_is_tracking() else "tracemalloc"


def peak_bytes(target: Target, method: Method) -> int:
    """Measure how many bytes a call needs at its peak, in addition to what was in use before it.

    The target is called once beforehand, so that what it keeps (imports, caches) does not count. memray
    (https://bloomberg.github.io/memray/) traces Python's allocators as well, so that small objects count individually
    and not as the arenas that contain them. `tracemalloc` sees numpy's arrays, but no other native allocations.

    Args:
        target: The target to call. A process can measure one call at a time.
        method: See `memory_method`.
    """
    target.call()
    gc.collect()
    with uninstrumented():
        return _by_memray(target) if method == "memray" else _by_tracemalloc(target)


def _by_memray(target: Target) -> int:
    import memray

    with tempfile.TemporaryDirectory(prefix="jarvisperf-") as folder:
        file = Path(folder) / "allocations"
        with memray.Tracker(
            destination=memray.FileDestination(file),
            file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS,
            trace_python_allocators=True,
        ):
            target.call()
        reader = memray.FileReader(file)
        with reader:
            peak: int = reader.metadata.peak_memory
        return peak


def _by_tracemalloc(target: Target) -> int:
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        target.call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if ours:
            tracemalloc.stop()
    return max(0, peak - before)
