"""Tests that an entry's name contains everything about it, and can be parsed back."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.runs.names import (
    RunEntry,
    check_name,
    is_commit,
    is_token,
    new_token,
    parse_path,
    short_commit,
    utc_time,
)

hexadecimal = "0123456789abcdef"
names = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,12}){0,3}", fullmatch=True
).filter(lambda name: name != "latest" and not any(part.endswith(".run") for part in name.split("/")))
entries = st.builds(
    RunEntry,
    name=names,
    created=st.datetimes(timezones=st.just(datetime.UTC)),
    fingerprint=st.text(hexadecimal, min_size=12, max_size=12),
    commit=st.none() | st.text(hexadecimal, min_size=12, max_size=12),
    dirty=st.booleans(),
    token=st.text(hexadecimal, min_size=10, max_size=10).map("r{}".format),
)


@given(entries)
def test_an_entry_comes_back_from_its_path(entry: RunEntry):
    assert parse_path(entry.path) == entry


@given(entries, entries)
def test_the_order_of_paths_is_the_order_of_time(one: RunEntry, two: RunEntry):
    last = [entry.path.rpartition("/")[2][:23] for entry in (one, two)]
    assert (last[0] < last[1]) == (one.created < two.created)


@given(names)
def test_allowed_names_stay_below_their_folder(name: str):
    assert check_name(name) == name
    assert not {"", ".", ".."} & set(name.split("/"))


@given(st.text(max_size=60))
def test_any_path_is_an_entry_or_nothing(path: str):
    entry = parse_path(path)
    assert entry is None or entry.path == path


@pytest.mark.parametrize(
    "path",
    [
        "runs/main/20261302T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run",  # a month 13
        "runs/20260102T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run",
        "runs/../x/20260102T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run",
        "other/main/20260102T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run",
        "runs/main/20260102T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run.tmp",
    ],
)
def test_what_is_no_runs_path_is_nothing(path: str):
    assert parse_path(path) is None


def test_the_documented_example_is_read():
    entry = parse_path("runs/main/20260102T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run")
    assert entry is not None
    assert (entry.name, entry.commit, entry.dirty) == ("main", "0123456789ab", False)


def test_tokens_differ_and_are_no_commits():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(is_token(token) and not is_commit(token) for token in tokens)


@pytest.mark.parametrize(
    ("commit", "short"),
    [("A" * 40, "a" * 12), ("0123456", None), ("unversioned", None), ("zzzzzzzzzzzzzzzz", None), ("", None)],
)
def test_a_commit_is_shortened_or_left_out(commit: str, short: str | None):
    assert short_commit(commit) == short


@pytest.mark.parametrize(
    ("text", "hour"), [("2026-01-02T03:04:05", 3), ("2026-01-02T03:04:05+02:00", 1), ("2026-01-02T03:04:05Z", 3)]
)
def test_times_are_read_in_utc(text: str, hour: int):
    assert utc_time(text) == datetime.datetime(2026, 1, 2, hour, 4, 5, tzinfo=datetime.UTC)


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01T00:00:00+02:00"])
def test_what_is_no_time_is_named(text: str):
    with pytest.raises(ValueError, match="is not a time in ISO 8601"):
        utc_time(text)
