"""Comparisons that were interrupted: what they had decided, and whether another run may take it over."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Conditions", "UnfinishedRuns", "tree_digest"]

if TYPE_CHECKING:
    from jarvisperf.gate.unfinished.conditions import Conditions
    from jarvisperf.gate.unfinished.folder import UnfinishedRuns
    from jarvisperf.gate.unfinished.tree_digest import tree_digest
else:
    _HOMES = {"Conditions": "conditions", "UnfinishedRuns": "folder", "tree_digest": "tree_digest"}
    __getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{home}" for name, home in _HOMES.items()})
