"""Tests how samples are summarized."""

from __future__ import annotations

import math
import statistics
import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.runs.summary import KEPT_QUANTILES, quantile, summarize

durations = st.floats(min_value=1e-9, max_value=1e3)


@given(st.lists(durations, min_size=1, max_size=300), st.floats(0, 1))
def test_quantiles_agree_with_numpy(values: list[float], probability: float):
    assert quantile(sorted(values), probability) == pytest.approx(np.quantile(values, probability), rel=1e-9)


@given(st.lists(durations, min_size=2, max_size=300))
def test_figures_are_those_of_the_samples(values: list[float]):
    summary = summarize(values, iterations=7)
    assert summary.samples == len(values)
    assert summary.iterations == 7
    assert summary.min == min(values)
    assert summary.max == max(values)
    assert summary.median == pytest.approx(statistics.median(values))
    assert summary.mean == pytest.approx(statistics.fmean(values))
    assert summary.stddev == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-12)
    assert summary.min <= summary.p5 <= summary.p25 <= summary.median <= summary.p75 <= summary.p95 <= summary.p99


@given(st.lists(durations, min_size=1, max_size=1000))
def test_what_is_kept_is_sorted_and_bounded(values: list[float]):
    kept = summarize(values).quantiles
    assert list(kept) == sorted(kept)
    assert len(kept) == min(len(values), KEPT_QUANTILES)
    assert (kept[0], kept[-1]) == (min(values), max(values))


def test_one_sample_has_no_deviation():
    assert summarize([0.5]).stddev == 0


def test_a_median_of_zero_is_infinitely_fast():
    assert summarize([0.0]).per_second == math.inf


@given(st.lists(st.floats(0, allow_infinity=False), min_size=1, max_size=300))
def test_any_measured_values_have_finite_figures(values: list[float]):
    summary = summarize(values)
    figures = [value for value in msgspec.structs.astuple(summary) if isinstance(value, float)]
    assert all(0 <= figure < math.inf for figure in (*figures, *summary.quantiles))
    assert summary.min <= summary.p5 <= summary.p25 <= summary.median <= summary.p75 <= summary.p95 <= summary.p99
    assert summary.per_second > 0


def test_the_mean_of_the_largest_floats_is_one_of_them():
    largest = sys.float_info.max
    assert summarize([largest, largest, largest]).mean == pytest.approx(largest)
    assert summarize([largest, largest]).stddev == 0


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf], [1.0, -1e-9]])
def test_no_samples_or_no_numbers_are_refused(values: list[float]):
    with pytest.raises(ValueError, match="samples"):
        summarize(values)
