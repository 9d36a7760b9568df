"""Creates the record of a benchmark when it is collected, rerun, or requests its fixture at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_jarvisperf.extensions import benchmark_group
from pytest_jarvisperf.markers.jarvis import check_markers, merged, read_bench_marker
from pytest_jarvisperf.markers.pytest_benchmark import asked_of, check_keywords, wants_cprofile
from pytest_jarvisperf.measuring.record import BenchmarkRecord, ProfileRequest, as_text
from pytest_jarvisperf.measuring.stash_keys import record_key
from pytest_jarvisperf.state import state_of

if TYPE_CHECKING:
    import pytest

    from jarvisperf.profiles.model import Engine
    from pytest_jarvisperf.markers.jarvis import BenchMarker

PROFILE_MARKER = "jarvis_profile"
SHOWN_PARAMETER_CHARACTERS = 200


def record_of(item: pytest.Item) -> BenchmarkRecord:
    """Return the record of a fixture's test; start one if the test requested the fixture at run time."""
    found = item.stash.get(record_key, None)
    if found is None:
        found = start_record(item)
        found.found_at_run_time = True
    else:  # a fixture or a plugin may have added a marker since collection
        check_markers(item, state_of(item.config).marker_keys)
        marker = read_bench_marker(item)
        found.group, found.marker = _group(item, marker), marker
        found.profile_request = profile_request(item)
    found.claimed = True
    return found


def check_every_marker(item: pytest.Item) -> None:
    """Check a test's markers; those of pytest-benchmark and pytest-codspeed only if this session measures.

    Raises:
        pytest.UsageError: See `check_markers` and `check_keywords`.
    """
    state = state_of(item.config)
    check_markers(item, state.marker_keys)
    if state.options.bench:
        check_keywords(item)


def start_record(item: pytest.Item, *, whole_test: bool = False) -> BenchmarkRecord:
    """Start an empty record for a test.

    Args:
        item: The test.
        whole_test: Whether all of the test is the target.
    """
    marker = read_bench_marker(item)
    record = BenchmarkRecord(
        item.nodeid,
        _group(item, marker),
        parameters_of(item),
        marker,
        profile_request=profile_request(item),
        whole_test=whole_test,
    )
    item.stash[record_key] = record
    return record


def _group(item: pytest.Item, marker: BenchMarker) -> str | None:
    """Find the group: from the markers, otherwise from other plugins, but only in the process that reports."""
    if marker.group is not None or not state_of(item.config).options.bench:
        return marker.group
    return benchmark_group(item)


def restart_record(item: pytest.Item) -> None:
    """Start a test's record again for another attempt."""
    earlier = item.stash[record_key]
    record = start_record(item, whole_test=earlier.whole_test)
    record.found_at_run_time = earlier.found_at_run_time


def profile_request(item: pytest.Item, *, always: bool = False) -> ProfileRequest | None:
    """Read from markers and options how to profile a test; None: do not profile it.

    Args:
        item: The test.
        always: Whether to profile it even if neither marker nor option requests it.
    """
    options = state_of(item.config).options
    by_cprofile = wants_cprofile(asked_of(item))
    if not (always or options.profile or by_cprofile or item.get_closest_marker(PROFILE_MARKER)):
        return None
    from jarvisperf.profiles.engines import DEFAULT_TOP

    values = merged(item, PROFILE_MARKER)
    usual: Engine = "cprofile" if by_cprofile else options.profile_engine
    return ProfileRequest(values.get("engine", usual), values.get("top", DEFAULT_TOP))


def parameters_of(item: pytest.Item) -> dict[str, str]:
    """Return the parameters of a test as text of limited length."""
    callspec = getattr(item, "callspec", None)
    return (
        {as_text(name): _shortened(as_text(repr(value))) for name, value in callspec.params.items()} if callspec else {}
    )


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_PARAMETER_CHARACTERS:
        return text
    return f"{text[: SHOWN_PARAMETER_CHARACTERS - 1]}…"
