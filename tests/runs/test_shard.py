"""Tests the parts of a suite: together they are the whole, and pairs stay together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.runs.shard import Shard, most_parts

NAMES = st.text("abcdef", min_size=1, max_size=2)


@given(st.dictionaries(NAMES, st.none() | NAMES), st.integers(1, 5))
def test_each_benchmark_is_in_one_part_and_its_twin_with_it(twins: dict[str, str | None], parts: int):
    picked = [Shard(number, parts).picks(twins) for number in range(1, parts + 1)]
    assert sorted(name for part in picked for name in part) == sorted(twins)
    for part in picked:
        assert all(twins[name] in part for name in part if twins[name] in twins)


def test_benchmarks_without_twins_are_dealt_out_in_turns():
    twins = dict.fromkeys("abcde")
    assert [sorted(Shard(number, 2).picks(twins)) for number in (1, 2)] == [["a", "c", "e"], ["b", "d"]]


@given(st.dictionaries(NAMES, st.none() | NAMES, min_size=1))
def test_as_many_parts_as_can_be_have_a_benchmark_each(twins: dict[str, str | None]):
    most = most_parts(twins)
    assert all(Shard(number, most).picks(twins) for number in range(1, most + 1))
    assert not Shard(most + 1, most + 1).picks(twins)
