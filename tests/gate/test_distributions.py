"""The gate's own distribution functions against scipy's, over more than the range that verdicts use."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from jarvisperf.gate.verdict.distributions import (
    digamma,
    normal_quantile,
    t_probability,
    t_quantile,
    tetragamma,
    trigamma,
)

EXACT = 1e-10
# Verdicts use 1 and more; a half is below.
DFS = [0.5, 1.0, 1.5, 2.0, 2.9, 3.0, 4.0, 7.5, 11.0, 41.0, 99.9, 199.0, 200.0, 201.0, 1e3, 12_345.6, 1e6, 1e9, 1e12]
# The smallest that a verdict asks for is 0.01 / 3 / 2 by the number of benchmarks: 1e-9 is a suite of a million.
TAILS = [1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 0.00835, 0.0109, 0.0139, 0.025, 0.05, 0.1, 0.2, 0.2499999]
MIDDLES = [0.25, 0.3, 0.4, 0.45, 0.49, 0.499]
VALUES = [1e-300, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 1.0, 1.5, 1.7, 1.73, 1.74, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 35.0]

dfs = st.floats(0.5, 1e9)
probabilities = st.floats(1e-12, 0.499)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("probability", [*TAILS, *MIDDLES])
def test_t_quantiles_are_those_of_scipy(df: float, probability: float):
    assert t_quantile(df, probability) == pytest.approx(float(special.stdtrit(df, probability)), rel=EXACT)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("value", VALUES)
def test_t_probabilities_are_those_of_scipy(df: float, value: float):
    assert t_probability(df, -value) == pytest.approx(float(special.stdtr(df, -value)), rel=EXACT)
    assert t_probability(df, value) == pytest.approx(float(special.stdtr(df, value)), rel=EXACT)


@given(dfs, probabilities)
def test_any_t_quantile_is_that_of_scipy(df: float, probability: float):
    assert t_quantile(df, probability) == pytest.approx(float(special.stdtrit(df, probability)), rel=EXACT)


@given(dfs, st.floats(-1e6, 1e6))
def test_any_t_probability_is_that_of_scipy(df: float, value: float):
    assert t_probability(df, value) == pytest.approx(float(special.stdtr(df, value)), rel=EXACT, abs=1e-290)


@given(st.floats(0.05, 1e15), st.floats(1e-300, 0.499))
def test_the_probability_of_a_quantile_is_the_one_asked_for(df: float, probability: float):
    quantile = t_quantile(df, probability)
    if not math.isinf(quantile):  # a quantile beyond the largest float
        assert t_probability(df, quantile) == pytest.approx(probability, rel=EXACT)


@pytest.mark.parametrize("probability", [1e-300, 1e-100, 1e-20, 1e-9, 0.1, 0.3, 0.4999, 0.5 - 1e-12])
def test_with_one_and_two_degrees_of_freedom_there_are_closed_forms(probability: float):
    assert t_quantile(1.0, probability) == pytest.approx(-1 / math.tan(math.pi * probability), rel=EXACT, abs=1e-14)
    away = 1 - 2 * probability
    closed = away / math.sqrt(2 * probability * (1 - probability))
    assert t_quantile(2.0, probability) == pytest.approx(-closed, rel=EXACT)


@given(st.floats(1, 1e6), st.floats(1e-9, 0.5))
def test_the_t_distribution_is_symmetric(df: float, probability: float):
    assert t_quantile(df, 1 - probability) == -t_quantile(df, 1 - (1 - probability))
    value = t_quantile(df, probability)
    assert t_probability(df, value) + t_probability(df, -value) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("probability", [1e-300, 1e-20, 1e-9, 0.01, 0.3, 0.5, 0.9, 1 - 1e-12])
def test_normal_quantiles_are_those_of_scipy(probability: float):
    exact = float(special.ndtri(probability))
    assert normal_quantile(probability) == pytest.approx(exact, rel=EXACT)
    assert t_quantile(math.inf, probability) == pytest.approx(exact, rel=EXACT)
    assert t_quantile(1e18, probability) == pytest.approx(exact, rel=EXACT)


@given(st.floats(1e-300, 1, exclude_max=True))
def test_any_normal_quantile_is_that_of_scipy(probability: float):
    assert normal_quantile(probability) == pytest.approx(float(special.ndtri(probability)), rel=EXACT, abs=1e-15)


@given(st.floats(-35, 35))
def test_infinite_degrees_of_freedom_are_the_normal_distribution(value: float):
    assert t_probability(math.inf, value) == pytest.approx(float(special.ndtr(value)), rel=EXACT)


@given(st.floats(1e-6, 1e15) | st.integers(1, 2000).map(lambda df: df / 2))
def test_polygamma_functions_are_those_of_scipy(x: float):
    assert digamma(x) == pytest.approx(float(special.digamma(x)), rel=EXACT, abs=1e-13)
    assert trigamma(x) == pytest.approx(float(special.polygamma(1, x)), rel=EXACT)
    assert tetragamma(x) == pytest.approx(float(special.polygamma(2, x)), rel=EXACT)


@pytest.mark.parametrize("df", [0.5, 1.0, 3.0, 1e6, 1e300, math.inf])
def test_the_ends_are_infinite_and_the_middle_is_zero(df: float):
    assert [t_quantile(df, end) for end in (0.0, 0.5, 1.0)] == [-math.inf, 0.0, math.inf]
    assert [t_probability(df, end) for end in (-math.inf, 0.0, math.inf)] == [0.0, 0.5, 1.0]
    assert [normal_quantile(end) for end in (0.0, 0.5, 1.0)] == [-math.inf, 0.0, math.inf]


def test_a_quantile_beyond_the_largest_float_is_infinite():
    assert t_quantile(0.05, 1e-100) == -math.inf
    assert t_probability(0.05, -1e300) == pytest.approx(float(special.stdtr(0.05, -1e300)), rel=EXACT)


def test_not_a_number_stays_not_a_number():
    assert math.isnan(t_quantile(3.0, math.nan))
    assert math.isnan(t_probability(3.0, math.nan))
    assert math.isnan(normal_quantile(math.nan))


def test_polygamma_functions_at_the_ends_of_their_range():
    assert [function(math.inf) for function in (digamma, trigamma, tetragamma)] == [math.inf, 0.0, 0.0]
    assert [function(5e-324) for function in (digamma, trigamma, tetragamma)] == [-math.inf, math.inf, -math.inf]


@pytest.mark.parametrize("df", [0.0, -1.0, math.nan])
def test_degrees_of_freedom_are_above_0(df: float):
    with pytest.raises(ValueError, match="degrees of freedom: give a number above 0"):
        t_quantile(df, 0.1)
    with pytest.raises(ValueError, match="degrees of freedom: give a number above 0"):
        t_probability(df, 0.1)
    for function in (digamma, trigamma, tetragamma):
        with pytest.raises(ValueError, match="give a number above 0"):
            function(df)


@pytest.mark.parametrize("probability", [-0.1, 1.1, math.inf, -math.inf])
def test_probabilities_are_from_0_to_1(probability: float):
    with pytest.raises(ValueError, match="not a probability: give a number from 0 to 1"):
        t_quantile(3.0, probability)
    with pytest.raises(ValueError, match="not a probability: give a number from 0 to 1"):
        normal_quantile(probability)
