"""Shares of suspects: intervals, never above 100 %, and no number where the profiles do not show one."""

from __future__ import annotations

import random

import msgspec
import pytest
from suspects.made_slices import timed

from jarvisperf.suspects.model import Explanation, Suspect
from jarvisperf.suspects.shares import with_shares

A = Suspect("a", "pkg.py", 1, "changed", base_calls=1, head_calls=1, group=0)
B = Suspect("b", "pkg.py", 9, "changed", base_calls=1, head_calls=1, group=1)
HELPER = Suspect("helper", "pkg.py", 20, "new", head_calls=1, group=0)
STORE = Suspect("Store.__init__", "pkg.py", 30, "changed", prepares=True, group=2)
SLICES = 40


def ranked(
    suspects: list[Suspect], base: dict[str, float], head: dict[str, float], *, noise: float = 0.0, waits: bool = False
) -> list[Suspect]:
    """Rank suspects by three launches whose slices cost this much, by function; an empty name is the rest."""
    draw = random.Random(1)

    def slices(costs: dict[str, float]) -> list[dict[str, float]]:
        labels = {name: f"pkg.py::{name}" if name else "" for name in costs}
        return [{labels[name]: cost * draw.gauss(1, noise) for name, cost in costs.items()} for _ in range(SLICES)]

    launches = [(timed(slices(base), waits=waits), timed(slices(head), waits=waits)) for _ in range(3)]
    return list(with_shares(Explanation(tuple(suspects)), launches).suspects)


@pytest.mark.parametrize("waits", [False, True], ids=["processor time", "wall time"])
def test_the_one_that_grew_most_is_first_with_its_share(waits: bool):
    first, second = ranked([A, B], {"a": 1, "b": 1, "": 8}, {"a": 1.1, "b": 1.3, "": 8}, waits=waits)
    assert (first.function, second.function) == ("b", "a")
    assert (first.share, second.share) == (pytest.approx(0.75, abs=0.001), pytest.approx(0.25, abs=0.001))


def test_intervals_contain_what_noise_hides():
    first, _ = ranked([A, B], {"a": 1, "b": 1, "": 8}, {"a": 1.2, "b": 1.6, "": 8}, noise=0.03)
    assert first.share is not None
    assert first.interval is not None
    low, high = first.interval
    assert 0 <= low < first.share < high <= 1


def test_no_share_exceeds_the_whole_change_although_another_function_became_faster():
    (first,) = ranked([A], {"a": 1, "": 9}, {"a": 2, "": 8.5})
    assert first.share == 1
    assert first.interval == (1, 1)


def test_without_a_visible_change_there_are_suspects_but_no_shares():
    found = ranked([A, B], {"a": 1, "b": 1, "": 50}, {"a": 1.05, "b": 1, "": 50}, noise=0.3)
    assert [suspect.share for suspect in found] == [None, None]


def test_without_profiles_code_that_is_called_often_comes_first():
    often = msgspec.structs.replace(B, head_calls=100)
    reader = msgspec.structs.replace(A, function="reader", difference="reads", head_calls=1_000)
    found = with_shares(Explanation((STORE, reader, A, often)), ()).suspects
    assert [one.function for one in found] == ["b", "a", "reader", "Store.__init__"]
    assert not any(one.share for one in found)


def test_code_that_moved_into_a_new_function_counts_together_with_its_caller():
    first, second = ranked([A, B, HELPER], {"a": 5, "b": 1, "": 4}, {"a": 0.1, "helper": 5, "b": 1.4, "": 4})[:2]
    assert first.function == "b"
    assert first.share == pytest.approx(0.8)
    assert second.share == pytest.approx(0.2)


def test_a_new_helper_is_named_before_its_caller():
    found = ranked([A, HELPER], {"a": 5, "": 5}, {"a": 5.01, "helper": 1, "": 5})
    assert [one.function for one in found] == ["helper", "a"]
    assert found[0].share == pytest.approx(1)


def test_what_prepares_the_data_is_first_if_changed_code_that_is_called_explains_little():
    assert ranked([A, STORE], {"a": 1, "": 9}, {"a": 1, "": 10})[0].function == "Store.__init__"
    assert ranked([A, STORE], {"a": 1, "": 9}, {"a": 2, "": 9})[0].function == "a"
