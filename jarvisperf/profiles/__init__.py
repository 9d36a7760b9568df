"""Profiles: where the time or memory of a benchmark goes, and how two profiles differ."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["ENGINES", "Profile", "ProfileError", "boxes", "costs", "take_sliced"]

if TYPE_CHECKING:
    from jarvisperf.profiles.difference import costs
    from jarvisperf.profiles.engines import ENGINES, ProfileError, take_sliced
    from jarvisperf.profiles.flame import boxes
    from jarvisperf.profiles.model import Profile
else:
    _FILES = ("engines", "model", "engines", "flame", "difference", "engines")
    __getattr__, __dir__ = attach(
        __name__, {name: f"{__name__}.{file}" for name, file in zip(__all__, _FILES, strict=True)}
    )
