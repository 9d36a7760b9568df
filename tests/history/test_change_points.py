"""Tests where a series changed."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvisperf.history.change_points import FEWEST_RUNS, FEWEST_RUNS_OF_A_LEVEL, change_points, levels


def noisy(*stretches: tuple[float, int], deviation: float = 0.02, seed: int = 1) -> list[float]:
    source = random.Random(seed)
    return [level * (1 + source.gauss(0, deviation)) for level, runs in stretches for _ in range(runs)]


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_found_at_its_run(seed: int):
    assert change_points(noisy((1.0, 30), (1.2, 30), seed=seed)) == [30]


def test_a_step_up_and_back_are_two():
    assert change_points(noisy((1.0, 20), (1.5, 20), (1.0, 20))) == [20, 40]


def test_one_bad_night_is_no_change():
    values = noisy((1.0, 60))
    values[30] *= 5
    values[31] *= 4
    assert change_points(values) == []


def test_sizes_that_agree_to_the_byte_and_change_once_are_found():
    assert change_points([1_000.0] * 20 + [1_100.0] * 20) == [20]


def test_a_step_below_one_per_cent_is_not_reported():
    assert change_points([1_000.0] * 20 + [1_005.0] * 20) == []


@pytest.mark.parametrize("values", [[], [1.0] * 50, [0.0] * 50, [1.0, 2.0] * 4, [0.0, *[1.0] * 30]])
def test_too_few_equal_or_empty_figures_have_no_change(values: list[float]):
    assert change_points(values) == []


@settings(deadline=None)  # the first call imports the library
@given(st.lists(st.floats(min_value=1e-9, max_value=1e9), max_size=60))
def test_levels_are_long_enough_whatever_the_figures(values: list[float]):
    places = change_points(values)
    edges = [0, *places, len(values)]
    assert places == sorted(set(places))
    if places:
        assert len(values) >= FEWEST_RUNS
        assert min(b - a for a, b in itertools.pairwise(edges)) >= FEWEST_RUNS_OF_A_LEVEL


@settings(deadline=None)  # the first call imports the library
@given(st.floats(min_value=1e-9, max_value=1e6))
def test_the_unit_does_not_matter(factor: float):
    values = noisy((1.0, 20), (1.3, 20))
    assert change_points([value * factor for value in values]) == change_points(values)


def test_few_of_many_quiet_histories_show_a_change():
    seen = sum(bool(change_points(noisy((1.0, 40), seed=seed))) for seed in range(200))
    assert seen <= 6, "1 % and less is measured by the history lab; 3 % of 200 would be chance no more"


def test_levels_are_medians():
    assert levels([1.0, 1.0, 9.0, 5.0, 5.0], [3]) == [1.0, 5.0]
