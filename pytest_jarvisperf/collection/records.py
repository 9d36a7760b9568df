"""Gives each benchmark test its record: when it is collected, when it runs again, or when it asks for its fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_jarvisperf.benchmark_marker import asked_of, wants_cprofile
from pytest_jarvisperf.extensions import benchmark_group
from pytest_jarvisperf.markers import check_markers, marker_keys, merged, read_bench_marker
from pytest_jarvisperf.measuring.record import ProfileRequest, Record, as_text, record_key
from pytest_jarvisperf.state import state_key

if TYPE_CHECKING:
    import pytest

    from jarvisperf.profiles.model import Engine
    from pytest_jarvisperf.markers import BenchMarker

PROFILE_MARKER = "jarvis_profile"
SHOWN_PARAMETER_CHARACTERS = 200


def record_of(item: pytest.Item) -> Record:
    """Give a fixture its test's record; a test that asked for the fixture in the middle of its run gets one now."""
    found = item.stash.get(record_key, None)
    if found is None:
        found = start_record(item)
        found.found_at_run_time = True
    else:  # a fixture or a plugin may have added a marker since collection
        check_markers(item, marker_keys(item.config.stash[state_key].metrics))
        marker = read_bench_marker(item)
        found.group, found.before = _group(item, marker), marker.before
        found.profile_request = profile_request(item)
    found.claimed = True
    return found


def start_record(item: pytest.Item, *, whole_test: bool = False) -> Record:
    """Give a test an empty record.

    Args:
        item: The test.
        whole_test: Whether all of the test is the target.
    """
    marker = read_bench_marker(item)
    record = Record(
        item.nodeid,
        _group(item, marker),
        parameters_of(item),
        marker.before,
        profile_request=profile_request(item),
        whole_test=whole_test,
    )
    item.stash[record_key] = record
    return record


def _group(item: pytest.Item, marker: BenchMarker) -> str | None:
    """Find the group: the markers' first; other plugins are asked in the process that reports, not in an arm."""
    if marker.group is not None or not item.config.stash[state_key].options.bench:
        return marker.group
    return benchmark_group(item)


def restart_record(item: pytest.Item) -> None:
    """Empty a test's record for another attempt."""
    earlier = item.stash[record_key]
    record = start_record(item, whole_test=earlier.whole_test)
    record.found_at_run_time = earlier.found_at_run_time


def profile_request(item: pytest.Item, *, always: bool = False) -> ProfileRequest | None:
    """Read how a test is to be profiled; None: it is not.

    Args:
        item: The test.
        always: Whether it is profiled even where neither marker nor option says so.
    """
    options = item.config.stash[state_key].options
    by_cprofile = wants_cprofile(asked_of(item))
    if not (always or options.profile or by_cprofile or item.get_closest_marker(PROFILE_MARKER)):
        return None
    from jarvisperf.profiles.engines import DEFAULT_TOP

    values = merged(item, PROFILE_MARKER)
    usual: Engine = "cprofile" if by_cprofile else options.profile_engine
    return ProfileRequest(values.get("engine", usual), values.get("top", DEFAULT_TOP))


def parameters_of(item: pytest.Item) -> dict[str, str]:
    """Give the parameters of a test as text of bounded length."""
    callspec = getattr(item, "callspec", None)
    return (
        {as_text(name): _shortened(as_text(repr(value))) for name, value in callspec.params.items()} if callspec else {}
    )


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_PARAMETER_CHARACTERS:
        return text
    return f"{text[: SHOWN_PARAMETER_CHARACTERS - 1]}…"
