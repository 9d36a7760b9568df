"""Tests the measures of a ranking against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.bench.ranking_measures import mean_of, normalised_gain, recall, reciprocal_rank

GRADES = st.lists(st.integers(0, 3), max_size=8)


def test_recall_is_the_share_of_what_is_relevant():
    assert recall([0, 1, 0, 1], [1, 1, 1]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("gains", "expected"), [([1, 0], 1), ([0, 0, 1, 1], 1 / 3), ([0, 0], 0), ([], 0)])
def test_the_reciprocal_rank_is_that_of_the_first_relevant_result(gains, expected):
    assert reciprocal_rank(gains) == pytest.approx(expected)


def test_the_gain_of_a_lower_rank_is_discounted_by_its_logarithm():
    assert normalised_gain([0, 1], [1], 10) == pytest.approx(1 / math.log2(3))
    assert normalised_gain([1, 3], [3, 1], 10) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))


def test_more_relevant_items_than_results_do_not_lower_the_best_gain():
    assert normalised_gain([1, 1], [1, 1, 1, 1], 2) == pytest.approx(1)


@given(GRADES)
def test_the_best_order_has_a_gain_of_one_and_no_other_has_more(gains):
    wanted = [gain for gain in gains if gain]
    if wanted:
        assert normalised_gain(sorted(gains, reverse=True), wanted, 10) == pytest.approx(1)
        assert normalised_gain(gains, wanted, 10) <= 1 + 1e-12


def test_the_interval_of_a_mean_is_wilsons():
    value, (low, high) = mean_of([1.0] * 8 + [0.0] * 2)
    assert (value, low, high) == (pytest.approx(0.8), pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_a_few_equal_values_do_not_make_a_mean_certain():
    _, (low, high) = mean_of([1.0] * 5)
    assert low < 0.6
    assert high == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_contains_its_mean_and_stays_between_0_and_1(values):
    value, (low, high) = mean_of(values)
    assert 0 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= 1
