"""Peak memory of one call, as Python's allocators saw it."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

from jarvisperf.bench.targets import uninstrumented

if TYPE_CHECKING:
    from jarvisperf.bench.targets import Target

METHOD = "tracemalloc"


def peak_bytes(target: Target) -> int:
    """Measure how much memory a call takes at its peak, beyond what was there before it.

    The target is called once before, so that what it keeps for good (imports, caches) does not count.
    Source: `tracemalloc` of the standard library; numpy's arrays are seen, other native allocations are not.

    Args:
        target: What to call; only one call at a time may be measured in a process.
    """
    target.call()
    gc.collect()
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        with uninstrumented():
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            target.call()
            _, peak = tracemalloc.get_traced_memory()
    finally:
        if ours:
            tracemalloc.stop()
    return max(0, peak - before)
