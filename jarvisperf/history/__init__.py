"""Benchmarks over many stored runs, and the runs and commits at which they changed."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["History", "LevelChange", "Series", "bisect", "read_history"]

if TYPE_CHECKING:
    from jarvisperf.history.bisection import bisect
    from jarvisperf.history.model import History, LevelChange, Series
    from jarvisperf.history.reading import read_history
else:
    _HOMES = {"bisect": "bisection", "read_history": "reading"}
    __getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{_HOMES.get(name, 'model')}" for name in __all__})
