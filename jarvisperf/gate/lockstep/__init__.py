"""Lockstep: runs campaigns of launches, measures slices in turns, and controls the result."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Lockstep", "collect"]

if TYPE_CHECKING:
    from jarvisperf.gate.lockstep.campaign import Lockstep, collect
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.gate.lockstep.campaign"))
