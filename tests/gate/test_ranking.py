"""Functions that were measured side by side: all pairs with intervals, and a ranking that allows ties."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.gate.verdict.ranking import sections, side_by_side

FORKED = "in forked processes, in turns"


def parts(seconds: dict[str, float], noise: float = 0.002, count: int = 12) -> list[dict[str, list[float]]]:
    """Draw samples of functions, whose speeds vary together from part to part."""
    draw = random.Random(7)
    found = []
    for _ in range(count):
        speed = draw.uniform(1, 2)
        found.append(
            {name: [value * speed * draw.gauss(1, noise) for _ in range(9)] for name, value in seconds.items()}
        )
    return found


def test_every_pair_has_a_ratio_with_an_interval_and_a_word():
    found = side_by_side(parts({"json": 4e-6, "orjson": 1e-6, "msgspec": 1.001e-6}), FORKED)
    assert {(pair.first, pair.second): pair.word for pair in found.pairs} == {
        ("orjson", "msgspec"): "no difference found",
        ("orjson", "json"): "slower",
        ("msgspec", "json"): "slower",
    }
    for pair in found.pairs:
        assert pair.interval is not None
        assert pair.interval[0] <= pair.ratio <= pair.interval[1]


def test_functions_that_cannot_be_told_apart_share_a_rank():
    found = side_by_side(parts({"json": 4e-6, "orjson": 1e-6, "msgspec": 1.001e-6}), FORKED)
    assert [(one.name, one.rank, one.tied_with) for one in found.ranking] == [
        ("orjson", 1, ("msgspec",)),
        ("msgspec", 1, ("orjson",)),
        ("json", 3, ()),
    ]


def test_equal_functions_are_never_told_apart():
    for number in range(50):
        names = {f"{number}{letter}": 1e-6 for letter in "abcd"}
        found = side_by_side(parts(names, noise=0.05), FORKED)
        assert {one.rank for one in found.ranking} == {1}


def test_too_few_parts_show_medians_and_no_interval():
    found = side_by_side(parts({"a": 1e-6, "b": 4e-6}, count=3), "single measurement")
    assert [(pair.interval, pair.word) for pair in found.pairs] == [(None, None)]
    assert [one.rank for one in found.ranking] == [1, 1]


def test_without_samples_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match="there are no samples to compare"):
        side_by_side([], FORKED)


@given(st.integers(1, 400))
def test_sections_contain_every_round_once(rounds: int):
    cut = sections({"a": list(range(rounds)), "b": list(range(rounds))})
    assert [value for part in cut for value in part["a"]] == list(range(rounds))
    assert len(cut) <= 12
    assert all(len(part["a"]) == len(part["b"]) > 0 for part in cut)
