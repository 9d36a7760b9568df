"""Tests the parts of a suite: together they are the whole, pairs stay together, and they take equally long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.runs.shard import cut, most_parts

NAMES = st.text("abcdef", min_size=1, max_size=2)
SECONDS = st.dictionaries(NAMES, st.floats(0, 1e9))


@given(st.dictionaries(NAMES, st.none() | NAMES), st.integers(1, 5), SECONDS)
def test_each_benchmark_is_in_one_part_and_its_twin_with_it(
    twins: dict[str, str | None], parts: int, seconds: dict[str, float]
):
    picked = cut(twins, parts, seconds).names
    assert sorted(name for part in picked for name in part) == sorted(twins)
    for part in picked:
        assert all(twins[name] in part for name in part if twins[name] in twins)
    assert cut(dict(reversed(twins.items())), parts, dict(reversed(seconds.items()))).names == picked


def test_without_durations_benchmarks_are_dealt_out_in_turns():
    found = cut(dict.fromkeys("abcde"), 2, {"z": 1.0})
    assert [sorted(part) for part in found.names] == [["a", "c", "e"], ["b", "d"]]
    assert found.split("main").source is None


def test_the_longest_goes_first_and_an_unknown_one_counts_as_usual():
    found = cut(dict.fromkeys("abcde"), 2, {"a": 1.0, "b": 7.0, "c": 3.0, "d": 3.0})
    assert [sorted(part) for part in found.names] == [["a", "b"], ["c", "d", "e"]]
    assert found.seconds == (8.0, 9.0)


def test_pairs_count_together():
    assert cut({"a": None, "b": "a", "c": None}, 2, {"a": 2.0, "b": 2.0, "c": 3.0}).seconds == (4.0, 3.0)


@given(st.dictionaries(NAMES, st.none() | NAMES, min_size=1), SECONDS)
def test_as_many_parts_as_can_be_have_a_benchmark_each(twins: dict[str, str | None], seconds: dict[str, float]):
    most = most_parts(twins)
    assert all(cut(twins, most, seconds).names)
    assert not all(cut(twins, most + 1, seconds).names)


@given(st.dictionaries(NAMES, st.none(), min_size=2), SECONDS)
def test_only_parts_of_one_cut_have_the_same_digest(twins: dict[str, str | None], seconds: dict[str, float]):
    one, other = cut(twins, 2, seconds), cut(twins, 2, {})
    assert (one.split("main").digest == other.split("main").digest) == (one.names == other.names)
