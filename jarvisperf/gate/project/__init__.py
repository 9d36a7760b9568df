"""Finds the packages that a project owns."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Layout", "find_layout"]

if TYPE_CHECKING:
    from jarvisperf.gate.project.packages import Layout, find_layout
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.gate.project.packages"))
