"""Tests the search for the first slow commit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.history.bisection import Culprit, Step, bisect


def search(count: int, first_slow: int, unknown: frozenset[int] = frozenset()) -> Culprit:
    commits = [f"c{place}" for place in range(count)]

    def judge(commit: str) -> Step:
        place = commits.index(commit)
        return Step(commit, "unknown" if place in unknown else "slow" if place >= first_slow else "fast")

    return bisect("good", commits, judge)


@given(st.data(), st.integers(1, 200))
def test_the_first_slow_commit_is_found_in_few_steps(data: st.DataObject, count: int):
    first = data.draw(st.integers(0, count - 1))
    found = search(count, first)
    assert found.suspects == (f"c{first}",)
    assert found.before == ("good" if first == 0 else f"c{first - 1}")
    assert len(found.steps) <= count.bit_length() + 1


@given(st.data(), st.integers(1, 30))
def test_commits_that_cannot_be_measured_stay_under_suspicion(data: st.DataObject, count: int):
    first = data.draw(st.integers(0, count - 1))
    unknown = frozenset(data.draw(st.sets(st.integers(0, count - 2)))) if count > 1 else frozenset()
    found = search(count, first, unknown)
    assert f"c{first}" in found.suspects
    between = {int(name[1:]) for name in found.suspects[:-1]}
    assert between <= unknown, "only what is unknown may stay"


def test_a_single_commit_needs_no_step():
    assert search(1, 0) == Culprit(("c0",), "good", ())
