"""Reads the markers `benchmark` and `codspeed_benchmark` of pytest-benchmark and pytest-codspeed.

Every keyword of either plugin is accepted on either marker. Most are honoured; a few only tune how those plugins
calibrate or when they stop early, which does not apply here. An unknown keyword is an error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.markers.keys import Key, check_marker
from pytest_jarvisperf.start.marker_names import BENCHMARK_MARKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.measure.sampling import Plan
    from pytest_jarvisperf.options import Options

WARMUP_SHARE = 0.1  # share of the budget
MIN_ROUNDS = 5  # pytest-benchmark's own default

asked_key = pytest.StashKey["Mapping[str, Any]"]()


def _is_seconds(value: object, least: float) -> bool:
    """Return whether a value is a number of seconds; like pytest-benchmark, accept text and decimals."""
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return least <= seconds < math.inf


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_share(value: object) -> bool:
    return value is None or (_is_seconds(value, 0) and 0 < float(value) < 1)  # type: ignore[arg-type]


_SHARE = Key(_is_share, "a number between 0 and 1")
_FLAG = Key(lambda value: isinstance(value, bool), "True or False")

HONOURED: Mapping[str, Key] = {
    "group": Key(lambda _: True, "a name"),
    "max_time": Key(lambda value: _is_seconds(value, 0) and float(value) > 0, "seconds above 0"),
    "min_time": Key(lambda value: _is_seconds(value, 0), "seconds from 0"),
    "min_rounds": Key(lambda value: _is_count(value, 1), "a whole number from 1"),
    "max_rounds": Key(lambda value: value is None or _is_count(value, 1), "a whole number from 1"),
    "timer": Key(callable, "a function that returns seconds"),
    "disable_gc": _FLAG,
    "warmup": _FLAG,
    "warmup_iterations": Key(lambda value: _is_count(value, 0), "a whole number from 0"),
    "cprofile": _FLAG,
}
# How precisely pytest-benchmark calibrates, and when it stops before max_time. Here a sample lasts at least 1,000
# ticks of the clock, and the whole budget is spent, which is more than these ask for.
WITHOUT_EFFECT: Mapping[str, Key] = {
    "calibration_precision": Key(lambda value: _is_count(value, 1), "a whole number from 1"),
    "precision": _SHARE,
    "confidence": _SHARE,
}
KEYS: Mapping[str, Key] = {**HONOURED, **WITHOUT_EFFECT}


def asked_of(item: pytest.Item) -> Mapping[str, Any]:
    """Return the keywords that apply to a test, those of the closest marker of each kind; empty without markers."""
    if asked_key in item.stash:
        return item.stash[asked_key]
    asked: dict[str, Any] = {}
    for name in reversed(BENCHMARK_MARKERS):
        marker = item.get_closest_marker(name)
        if marker is not None:
            asked |= marker.kwargs
    return asked


def hide_keywords(item: pytest.Item, *unknown: str) -> None:
    """Hide keywords of `benchmark` from pytest-benchmark, which rejects unknown ones; `asked_of` still sees them."""
    item.stash[asked_key] = asked_of(item)
    marker = item.get_closest_marker("benchmark")
    if marker is not None and not marker.kwargs.keys().isdisjoint(unknown):
        known = {name: value for name, value in marker.kwargs.items() if name not in unknown}
        item.add_marker(pytest.mark.benchmark(**known), append=False)


def check_keywords(item: pytest.Item) -> None:
    """Check the keywords of a test's markers.

    Raises:
        pytest.UsageError: A marker has an unknown keyword, a value that is not allowed or an argument without a name;
            the message names the test, the keyword and the allowed forms.
    """
    for name in BENCHMARK_MARKERS:
        marker = item.get_closest_marker(name)
        if marker is not None:
            check_marker(item.nodeid, marker, KEYS)


def group_of(asked: Mapping[str, Any]) -> str | None:
    """Return the group that the markers name, as text; None if they name none."""
    group = asked.get("group")
    return None if group is None else str(group)


def budget_of(asked: Mapping[str, Any]) -> float | None:
    """Return the measuring time in seconds that the markers ask for; None if absent or invalid."""
    seconds: Any = asked.get("max_time")
    return float(seconds) if HONOURED["max_time"].allows(seconds) else None


def wants_cprofile(asked: Mapping[str, Any]) -> bool:
    """Return whether the markers ask for a profile by cProfile."""
    return asked.get("cprofile") is True


def plan_of(asked: Mapping[str, Any], options: Options, *, min_rounds: int = MIN_ROUNDS) -> Plan:
    """Build a benchmark's plan from this plugin's options and what its markers ask for.

    Args:
        asked: The markers' keywords, see `asked_of`.
        options: This plugin's options.
        min_rounds: Samples to take even beyond the budget, unless the markers say otherwise.
    """
    from jarvisperf.measure.sampling import Plan

    budget_seconds = budget_of(asked) or options.budget_seconds
    warms_up = asked.get("warmup", True) and asked.get("warmup_iterations", 1) > 0
    return Plan(
        budget_seconds=budget_seconds,
        warmup_seconds=budget_seconds * WARMUP_SHARE if warms_up else 0.0,
        sample_seconds=max(Plan().sample_seconds, float(asked.get("min_time", 0.0))),
        min_samples=asked.get("min_rounds", min_rounds),
        max_samples=asked.get("max_rounds"),
        pause_collector=asked.get("disable_gc", True),
    )


def clock_of(asked: Mapping[str, Any]) -> Callable[[], float] | None:
    """Return the clock that the markers ask for; None if they ask for none."""
    timer: Callable[[], float] | None = asked.get("timer")
    return timer
