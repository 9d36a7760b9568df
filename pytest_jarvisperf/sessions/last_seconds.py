"""How long each benchmark took the last time, kept in pytest's cache: the best guess of how long it takes now."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.markers import read_bench_marker
from pytest_jarvisperf.measuring.record import record_key

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE_KEY = "jarvisperf/seconds"
MOST_KEPT = 20_000  # ids come and go; the ones measured longest ago go first


class LastSeconds:
    """Remembers how long benchmarks took, from the beginning of a test's setup to the end of its call.

    What a test declares itself (``pedantic(rounds=…)``), how long its fixtures take and calls longer than the budget
    are all part of that. A figure counts only for the settings it was taken with.

    Args:
        config: pytest's; without its cache (``-p no:cacheprovider``) nothing is remembered.
        budget_seconds: Measuring time of benchmarks whose marker names none.
    """

    def __init__(self, config: pytest.Config, budget_seconds: float) -> None:
        self._cache: Any = getattr(config, "cache", None)
        self._budget_seconds = budget_seconds
        self._settings: dict[str, str] = {}
        self._known: dict[str, tuple[str, float]] | None = None

    def budget(self, item: pytest.Item) -> float:
        """Give a benchmark's measuring time in seconds."""
        return read_bench_marker(item).budget_seconds or self._budget_seconds

    def expected(self, item: pytest.Item) -> float:
        """Give how many seconds a benchmark probably takes: what it took the last time, else its budget."""
        budget = self.budget(item)
        settings = f"{budget:g} s{'' if item.stash[record_key].wish is None else ', profiled'}"
        self._settings[item.nodeid] = settings
        known, seconds = self._read().get(item.nodeid, ("", 0.0))
        return seconds if known == settings else budget

    def keep(self, seconds: Mapping[str, float]) -> None:
        """Remember how many seconds benchmarks took, by id."""
        if self._cache is None or not seconds:
            return
        known = self._read()
        for name, value in seconds.items():
            known.pop(name, None)
            known[name] = (self._settings[name], value)
        newest = list(known.items())[-MOST_KEPT:]
        with warnings.catch_warnings():
            # pytest itself warns of a folder that it cannot write to; by a project's filters that could be an error
            # here, and cost the report.
            warnings.simplefilter("ignore", pytest.PytestCacheWarning)
            self._cache.set(CACHE_KEY, {name: [settings, round(value, 4)] for name, (settings, value) in newest})

    def _read(self) -> dict[str, tuple[str, float]]:
        if self._known is None:
            self._known = _checked(None if self._cache is None else self._cache.get(CACHE_KEY, None))
        return self._known


def _checked(kept: object) -> dict[str, tuple[str, float]]:
    """Take over what was kept, as far as it has the form of this version."""
    if not isinstance(kept, dict):
        return {}
    return {
        name: (settings, seconds)
        for name, pair in kept.items()
        if isinstance(pair, list) and len(pair) == len(("settings", "seconds"))
        for settings, seconds in [pair]
        if isinstance(settings, str) and isinstance(seconds, int | float) and 0 <= seconds < math.inf
    }
