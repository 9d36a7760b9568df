"""Slices of made-up profiles, with the cost of each function of interest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.profiles.model import Frame, Profile, profile_of
from jarvisperf.profiles.pairing import Sliced

if TYPE_CHECKING:
    from collections.abc import Sequence

PROFILE: Profile = profile_of("pyinstrument", "s", {(Frame("work", "work.py", 1, True),): 1.0}, iterations=1, samples=1)


def sliced(costs: Sequence[dict[str, float]], *, waits: bool = False) -> Sliced:
    """Make a profile with these costs of each slice, by label; of a target that waits, in wall seconds."""
    ranges = tuple(
        {label: (value, 0.0) if waits else (0.0, value) for label, value in slice_.items()} for slice_ in costs
    )
    return Sliced(PROFILE, waits, (), ranges)
