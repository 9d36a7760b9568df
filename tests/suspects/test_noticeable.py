"""The slowdown of a function that a suite would notice."""

from __future__ import annotations

import pytest

from jarvisperf.profiles.model import Frame, Profile, profile_of
from jarvisperf.suspects.noticeable import functions_in, noticeable_slowdowns

SOURCE = "def work():\n    return inner()\n\n\ndef inner():\n    return 1\n\n\ndef never():\n    return 2\n"
FUNCTIONS = functions_in("src/pkg/core.py", SOURCE)
WORK, INNER = (Frame("work", "pkg/core.py", 2, True), Frame("inner", "pkg/core.py", 6, True))
LIBRARY = Frame("dumps", "json/__init__.py", 6, False)


def profile(weights: dict[tuple[Frame, ...], float]) -> Profile:
    return profile_of("pyinstrument", "s", weights, iterations=1, samples=100)


def slowdowns(profiles: dict[str, Profile], smallest: float = 0.05) -> dict[str, tuple[str, float]]:
    found = noticeable_slowdowns(FUNCTIONS, profiles, dict.fromkeys(profiles, smallest))
    return {one.place.function: (one.benchmark, round(one.slowdown, 4)) for one in found}


def test_it_is_the_smallest_noticeable_change_divided_by_the_share_of_the_time():
    found = slowdowns({"a": profile({(WORK,): 3.0, (WORK, INNER): 1.0, (LIBRARY,): 1.0})})
    assert found == {"inner": ("a", 0.25), "work": ("a", 0.0625)}


def test_library_code_counts_for_its_callers():
    assert slowdowns({"a": profile({(WORK, INNER, LIBRARY): 1.0})}) == {"work": ("a", 0.05), "inner": ("a", 0.05)}


def test_the_benchmark_that_notices_first_is_named():
    rare = profile({(WORK,): 9.0, (INNER,): 1.0})
    often = profile({(WORK,): 1.0, (INNER,): 9.0})
    assert slowdowns({"rare": rare, "often": often})["inner"][0] == "often"


def test_what_would_be_noticed_last_comes_first_and_what_is_not_seen_is_left_out():
    found = list(slowdowns({"a": profile({(WORK,): 3.0, (WORK, INNER): 1.0})}))
    assert found == ["inner", "work"]


def test_a_recursive_function_counts_once():
    assert slowdowns({"a": profile({(WORK, WORK, WORK): 1.0})}) == {"work": ("a", 0.05)}


@pytest.mark.parametrize("source", ["def broken(:", "\0"])
def test_a_file_that_is_not_python_has_no_functions(source: str):
    assert functions_in("a.py", source) == []
