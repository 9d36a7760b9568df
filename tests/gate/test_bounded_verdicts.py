"""Tests that no figures can end a run: each benchmark gets one of the four verdicts, whatever the launches measured."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.gate.verdict.bounded import interval_of, inverted, ratio_of
from jarvisperf.gate.verdict.decide import LOOKS, judge
from jarvisperf.gate.verdict.estimate import log_ratio

log_ratios = st.lists(st.floats(-1_500, 1_500), min_size=1, max_size=LOOKS[-1])  # for any two floats above 0
suites = st.dictionaries(st.text(max_size=3), log_ratios, min_size=1, max_size=8)
thresholds = st.floats(0, 1e4, exclude_min=True) | st.just(math.inf)
positive = st.floats(0, exclude_min=True, allow_infinity=False)


@given(suites, thresholds, st.integers(1, 10**9))
def test_any_launches_get_a_verdict_and_an_interval_that_holds_the_ratio(
    suite: dict[str, list[float]], threshold: float, tests: int
):
    for judgement in judge(suite, dict.fromkeys(suite, threshold), tests).values():
        assert 0 <= judgement.sure_interval[0] <= judgement.interval[0] <= judgement.ratio
        assert judgement.ratio <= judgement.interval[1] <= judgement.sure_interval[1] <= math.inf
        assert judgement.verdict in {"regressed", "improved", "unchanged", "inconclusive"}


@pytest.mark.parametrize("benchmarks", [40, 120, 500, 2_000, 5_000, 10**9])
def test_a_wild_metric_that_few_benchmarks_have_is_inconclusive_in_a_suite_of_any_size(benchmarks: int):
    judged = judge({"start": [0.0, 0.18]}, {"start": 0.1}, tests=2 * benchmarks)["start"]
    assert judged.verdict == "inconclusive"
    assert judged.sure_interval[1] >= judged.interval[1] > judged.ratio


def test_an_interval_beyond_all_floats_reaches_from_0_to_infinity():
    judged = judge({"start": [0.0, 0.18]}, {"start": 0.1}, tests=5_000)["start"]
    assert judged.sure_interval == (0.0, math.inf)
    assert interval_of(0.0, 1e6) == (0.0, math.inf)


def test_a_single_launch_says_nothing_of_how_launches_differ():
    judged = judge({"once": [0.5], "often": [0.001, 0.0, -0.001, 0.0]}, {"once": 0.1, "often": 0.1}, tests=2)
    assert judged["once"].verdict == "inconclusive"
    assert judged["once"].interval == (0.0, math.inf)
    assert judged["once"].ratio == pytest.approx(math.exp(0.5))
    assert judged["often"].verdict == "unchanged"


def test_a_benchmark_with_one_launch_lends_nothing_to_the_others():
    several = {"a": [0.01, 0.02, 0.0], "b": [0.03, 0.01, 0.02], "c": [0.0, 0.01, 0.04]}
    alone = judge(several, dict.fromkeys(several, 0.05), tests=4)
    together = judge({**several, "d": [0.7]}, dict.fromkeys([*several, "d"], 0.05), tests=4)
    assert {name: together[name] for name in several} == alone


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=20))
def test_the_ratio_of_any_positive_values_is_finite(pairs: list[tuple[float, float]]):
    base, head = zip(*pairs, strict=True)
    assert math.isfinite(log_ratio(base, head))


def test_the_largest_value_over_the_smallest_has_a_ratio():
    smallest = math.ulp(0.0)
    assert log_ratio([smallest], [sys.float_info.max]) == pytest.approx(math.log(2) * (1024 + 1074), rel=1e-9)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-9])
def test_a_value_that_no_clock_shows_is_refused_by_name(value: float):
    for base, head in (([1.0, value], [1.0, 1.0]), ([1.0, 1.0], [value, 1.0])):
        with pytest.raises(ValueError, match=f"a value of {value:g} has no ratio: the clock ran backwards"):
            log_ratio(base, head)


def test_an_interval_of_0_to_infinity_can_be_turned_round():
    assert inverted((0.0, math.inf)) == (0.0, math.inf)
    assert inverted((0.5, 2.0)) == (0.5, 2.0)
    assert inverted((2.0, 4.0)) == (0.25, 0.5)
    assert ratio_of(-1e4) == 0
    assert ratio_of(1e4) == math.inf
