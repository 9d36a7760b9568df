"""Profiles by memray: what was allocated where, at the peak of one call of the target."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.profiles.model import profile_of
from jarvisperf.profiles.source_files import Places, without_launchpad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Frame, Profile, Slices


def take(target: Target, slices: Slices, roots: Sequence[Path]) -> Profile:  # noqa: ARG001  # one call is enough
    """Profile one call.

    Args:
        target: The target to call.
        slices: Not used: many calls have the same peak as one.
        roots: The project's folders.
    """
    import memray

    places = Places(roots)
    weights: dict[tuple[Frame, ...], float] = {}
    allocations = 0
    with tempfile.TemporaryDirectory(prefix="jarvisperf-memray-") as folder:
        file = Path(folder) / "allocations.bin"
        with memray.Tracker(file, trace_python_allocators=True):
            target.sample(1)
        with memray.FileReader(file) as reader:
            for record in reader.get_high_watermark_allocation_records(merge_threads=True):
                trace = [places.frame(*where) for where in reversed(record.stack_trace())]
                stack = without_launchpad(trace)
                if stack:
                    allocations += record.n_allocations
                    weights[stack] = weights.get(stack, 0.0) + record.size
    return profile_of("memray", "B", weights, iterations=1, samples=allocations)
