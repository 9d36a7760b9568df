"""Peak memory of one call: by memray, which sees native allocations too, else by tracemalloc."""

from __future__ import annotations

import gc
import importlib.util
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jarvisperf.measure.instrumentation import memray_is_tracking, uninstrumented

if TYPE_CHECKING:
    from jarvisperf.measure.targets import Target

Method = Literal["memray", "tracemalloc"]


def memory_method() -> Method:
    """Tell what measures memory here: memray where it is installed and does not follow the process already."""
    return "memray" if importlib.util.find_spec("memray") and not memray_is_tracking() else "tracemalloc"


def peak_bytes(target: Target, method: Method) -> int:
    """Measure how much memory a call takes at its peak, beyond what was there before it.

    The target is called once before, so that what it keeps for good (imports, caches) does not count.
    Source: memray (https://bloomberg.github.io/memray/), with Python's own allocators traced, so that small objects
    count one by one and not by the arenas that hold them; `tracemalloc` of the standard library, which sees numpy's
    arrays and no other native allocations.

    Args:
        target: What to call; only one call at a time may be measured in a process.
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
