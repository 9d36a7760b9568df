"""Made-up times of suspects, slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.suspects.model import TimedSlices

if TYPE_CHECKING:
    from collections.abc import Sequence


def timed(costs: Sequence[dict[str, float]], *, waits: bool = False) -> TimedSlices:
    """Return slices with these seconds, by label; of a target that waits, on the wall clock."""
    slices = ({label: (value, 0.0) if waits else (0.0, value) for label, value in one.items()} for one in costs)
    return TimedSlices(tuple(slices), waits)
