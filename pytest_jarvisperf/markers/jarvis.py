"""The plugin's markers: their keys, and how to read them from a test."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_jarvisperf.markers.keys import Key, check_marker
from pytest_jarvisperf.markers.pytest_benchmark import asked_of, budget_of, group_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from jarvisperf.measure.metrics import Metrics

TIERS = ("memory", "redis", "disk")


def _is_number(value: object, least: float, *, open_end: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return value > least if open_end else value >= least


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _are_tiers(value: object) -> bool:
    return isinstance(value, tuple | list) and bool(value) and all(tier in TIERS for tier in value)


def _is_plain_function(value: object) -> bool:
    return callable(value) and not inspect.iscoroutinefunction(value)


def _engines() -> tuple[str, ...]:
    from jarvisperf.profiles.engines import ENGINES

    return ENGINES


def _is_redis_url(value: object) -> bool:
    from jarvisperf.cache.redis_tier.connection.url import check_redis_url

    try:
        check_redis_url(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _share(value: Any) -> float:
    from jarvisperf.gate.verdict.thresholds import parse_share

    return parse_share(value)


def _parses(read: Callable[[Any], float]) -> Callable[[Any], bool]:
    """Return a check that a value can be read."""

    def allows(value: Any) -> bool:
        try:
            read(value)
        except ValueError:
            return False
        return True

    return allows


_SHARE = "a percentage like '5%' or 'off'"

_MARKERS: Mapping[str, Mapping[str, Key]] = {
    "jarvis_bench": {
        "group": Key(_is_text, "a name"),
        "budget": Key(lambda value: _is_number(value, 0, open_end=True), "seconds above 0"),
        "warmup": Key(lambda value: _is_number(value, 0, open_end=False), "seconds from 0"),
        "setup": Key(_is_plain_function, "a plain function that may return (args, kwargs)"),
        "before": Key(_is_text, "the name of the test that shows the state before"),
    },
    "jarvis_profile": {
        "engine": Key(lambda value: value in _engines(), "'pyinstrument', 'cprofile', 'memray' or 'profile_function'"),
        "top": Key(lambda value: _is_number(value, 1, open_end=False) and value == int(value), "a whole number from 1"),
    },
    "jarvis_cache": {
        "tiers": Key(_are_tiers, f"a tuple of {', '.join(map(repr, TIERS))}"),
        "redis": Key(_is_redis_url, "a Redis URL: redis://host:port/db, rediss://host:port/db, unix:///path"),
    },
}


def marker_keys(metrics: Metrics) -> dict[str, Mapping[str, Key]]:
    """Return the keywords that each marker accepts, by the marker's name."""
    shares = {kind.name: Key(_parses(_share), _SHARE) for kind in metrics}
    limits = {
        f"max_{kind.name}": Key(_parses(kind.unit.parse), kind.unit.forms)
        for kind in metrics
        if kind.better == "lower"  # a limit is how much there may be
    }
    return {**_MARKERS, "jarvis_threshold": shares | limits}


class BenchMarker(NamedTuple):
    """The keys of a test's `jarvis_bench` markers; the closest marker wins.

    Attributes:
        group: The group that reports show it in.
        budget_seconds: Measuring time.
        warmup_seconds: Time that the target runs before the first sample.
        setup: Called before each sample; may return ``(args, kwargs)``.
        before: The id of its uncached or naive counterpart.
    """

    group: str | None = None
    budget_seconds: float | None = None
    warmup_seconds: float | None = None
    setup: Callable[[], Any] | None = None
    before: str | None = None


def check_markers(item: pytest.Item, keys_of: Mapping[str, Mapping[str, Key]]) -> None:
    """Check the markers of a test.

    Args:
        item: The test.
        keys_of: See `marker_keys`.

    Raises:
        pytest.UsageError: A marker has an unknown key or a value that is not allowed; the message names the test,
            the key and the allowed forms.
    """
    for marker in item.iter_markers():
        keys = keys_of.get(marker.name)
        if keys is not None:
            check_marker(item.nodeid, marker, keys)


def merged(item: pytest.Item, marker: str) -> dict[str, Any]:
    """Merge all markers of a name; for each key, the value closest to the test wins."""
    values: dict[str, Any] = {}
    for mark in item.iter_markers(marker):
        for key, value in mark.kwargs.items():
            values.setdefault(key, value)
    return values


def read_bench_marker(item: pytest.Item) -> BenchMarker:
    """Read a test's `jarvis_bench` markers; group and budget may also come from `benchmark` and similar markers."""
    values = merged(item, "jarvis_bench")
    before = values.get("before")
    asked = asked_of(item)
    return BenchMarker(
        group=values.get("group", group_of(asked)),
        budget_seconds=values.get("budget", budget_of(asked)),
        warmup_seconds=values.get("warmup"),
        setup=values.get("setup"),
        before=None if before is None else _sibling(item, before),
    )


def _sibling(item: pytest.Item, name: str) -> str:
    """Return the id of a sibling test, with the same parameters unless its name includes some."""
    if "::" in name:
        return name
    folder = item.parent.nodeid if item.parent else ""
    callspec = getattr(item, "callspec", None)
    parameters = f"[{callspec.id}]" if callspec and "[" not in name else ""
    return f"{folder}::{name}{parameters}"


def read_thresholds(
    item: pytest.Item, metrics: Metrics, defaults: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Read the `jarvis_threshold` markers of a test.

    Returns:
        How much worse each metric may get, as a share; and absolute limits by metric, in its unit.
    """
    values = merged(item, "jarvis_threshold")
    if not values:
        return dict(defaults), {}
    from jarvisperf.gate.verdict.thresholds import parse_share

    shares = dict(defaults) | {name: parse_share(text) for name, text in values.items() if not name.startswith("max_")}
    limits = {}
    for name, text in values.items():
        if name.startswith("max_"):
            metric = name.removeprefix("max_")
            limits[metric] = metrics[metric].unit.parse(text)
    return shares, limits
