"""Tests the steps from paired values to a verdict: the centre, the moderated variance and the four verdicts."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jarvisperf.gate.lockstep.control import LAUNCH_COST_IN_BENCHMARKS, Control
from jarvisperf.gate.verdict.decide import LOOK_ERRORS, LOOKS, SUITE_ERROR, is_look, judge, spent_at
from jarvisperf.gate.verdict.estimate import log_ratio, trimmed_mean
from jarvisperf.gate.verdict.moderation import NOTHING_KNOWN, Prior, fit_prior, moderate

positive = st.floats(min_value=1e-9, max_value=1e3)
values = st.lists(st.floats(-10, 10), min_size=1, max_size=60)


@given(st.lists(positive, min_size=1, max_size=60), st.floats(0.1, 10))
def test_the_ratio_of_a_constant_factor_is_that_factor(base: list[float], factor: float):
    assert log_ratio(base, [value * factor for value in base]) == pytest.approx(math.log(factor), abs=1e-9)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=60))
def test_swapping_the_arms_inverts_the_ratio(pairs: list[tuple[float, float]]):
    base, head = zip(*pairs, strict=True)
    assert log_ratio(base, head) == pytest.approx(-log_ratio(head, base), abs=1e-9)


@given(values, st.floats(0, 0.49))
def test_a_trimmed_mean_lies_between_the_extremes(numbers: list[float], share: float):
    ordered = sorted(numbers)
    assert ordered[0] - 1e-9 <= trimmed_mean(ordered, share) <= ordered[-1] + 1e-9


@given(values)
def test_nothing_trimmed_is_the_mean_and_all_but_the_middle_is_the_median(numbers: list[float]):
    ordered = sorted(numbers)
    assert trimmed_mean(ordered, 0.0) == pytest.approx(statistics.fmean(ordered), abs=1e-9)
    assert trimmed_mean(ordered, 0.4999999) == pytest.approx(statistics.median(ordered), abs=1e-3)


def test_a_third_of_interrupted_slices_does_not_move_the_ratio():
    base = [1.0] * 30
    head = [1.02] * 20 + [50.0] * 10
    assert math.exp(log_ratio(base, head)) == pytest.approx(1.02, rel=1e-6)


@pytest.mark.parametrize(
    ("base", "head", "complaint"),
    [
        ([], [], "values must come in pairs: 0 of base, 0 of head"),
        ([1.0], [], "values must come in pairs: 1 of base, 0 of head"),
        ([0.0], [1.0], "a value of 0 has no ratio: the target is below the clock's resolution$"),
        ([1.0], [0.0], "a value of 0 has no ratio: the target is below the clock's resolution$"),
        ([1.0], [-1.0], "a value of -1 has no ratio: the clock ran backwards or returns no time$"),
        ([math.inf], [1.0], "a value of inf has no ratio: the clock ran backwards or returns no time$"),
        ([1.0], [math.nan], "a value of nan has no ratio: the clock ran backwards or returns no time$"),
    ],
)
def test_what_has_no_ratio_is_refused(base: list[float], head: list[float], complaint: str):
    with pytest.raises(ValueError, match=complaint):
        log_ratio(base, head)


def test_the_prior_finds_the_common_variance():
    generator = np.random.default_rng(1)
    true = 4e-4 / stats.chi2.rvs(10, size=5000, random_state=2) * 10  # scaled inverse chi-square, 10 degrees of freedom
    variances = [float(np.var(generator.normal(0, math.sqrt(v), 5), ddof=1)) for v in true]
    prior = fit_prior(variances, [4] * 5000)
    assert prior.df == pytest.approx(10, rel=0.5)
    assert prior.variance == pytest.approx(4e-4, rel=0.25)


def test_equal_variances_lend_all_they_may():
    generator = np.random.default_rng(3)
    variances = [float(np.var(generator.normal(0, 0.01, 5), ddof=1)) for _ in range(200)]
    assert fit_prior(variances, [4] * 200).df > 20


def test_two_benchmarks_lend_nothing():
    assert fit_prior([1e-4, 2e-4], [4, 4]) == NOTHING_KNOWN
    assert moderate(1e-4, 4, NOTHING_KNOWN) == (1e-4, 4.0)


def test_a_small_variance_is_raised_and_a_large_one_is_kept():
    prior = Prior(8.0, 1e-4)
    raised, df = moderate(1e-8, 4, prior)
    assert raised == pytest.approx(8 / 12 * 1e-4, rel=1e-3)
    assert df == 12
    assert moderate(1e-2, 4, prior) == (1e-2, 12)


def suite(ratio: float, noise: float, launches: int, benchmarks: int = 10, seed: int = 0) -> dict[str, list[float]]:
    generator = random.Random(seed)
    return {
        f"b{number}": [math.log(ratio) + generator.gauss(0, noise) for _ in range(launches)]
        for number in range(benchmarks)
    }


def words(ratios: dict[str, list[float]], threshold: float = 0.02) -> set[str]:
    judged = judge(ratios, dict.fromkeys(ratios, threshold), tests=len(ratios))
    return {judgement.verdict for judgement in judged.values()}


def test_equal_code_is_unchanged_after_few_launches():
    assert words(suite(1.0, 0.005, LOOKS[0])) == {"unchanged"}


def test_slower_code_is_regressed_and_faster_code_improved():
    assert words(suite(1.05, 0.005, LOOKS[0])) == {"regressed"}
    assert words(suite(0.95, 0.005, LOOKS[0])) == {"improved"}


def test_where_more_is_better_less_is_regressed():
    verdicts = {
        name: judge({"a": [value] * 4}, {"a": 0.05}, tests=1, better="higher")["a"].verdict
        for name, value in {"less": math.log(0.8), "more": math.log(1.2), "equal": 0.0}.items()
    }
    assert verdicts == {"less": "regressed", "more": "improved", "equal": "unchanged"}


def test_what_lies_at_the_threshold_cannot_be_told():
    assert words(suite(1.02, 0.01, LOOKS[0])) == {"inconclusive"}


def test_noise_that_hides_the_answer_is_inconclusive():
    assert words(suite(1.05, 0.2, LOOKS[0])) == {"inconclusive"}


def test_two_launches_are_hardly_ever_enough():
    assert words(suite(1.05, 0.01, 2, benchmarks=1)) == {"inconclusive"}


def test_values_without_any_spread_are_decided():
    judged = judge({"memory": [0.0] * 5, "grown": [math.log(2)] * 5}, {"memory": 0.1, "grown": 0.1}, tests=2)
    assert judged["memory"].verdict == "unchanged"
    assert judged["grown"].verdict == "regressed"


def test_without_a_threshold_nothing_regresses():
    judged = judge({"a": [math.log(3)] * 5}, {"a": math.inf}, tests=1)
    assert judged["a"].verdict != "regressed"


def test_the_sure_interval_holds_the_usual_one_and_grows_with_the_suite():
    ratios = suite(1.0, 0.01, 5)
    small = judge(ratios, dict.fromkeys(ratios, 0.02), tests=10)["b0"]
    large = judge(ratios, dict.fromkeys(ratios, 0.02), tests=1000)["b0"]
    assert small.sure_interval[0] < small.interval[0] <= small.ratio <= small.interval[1] < small.sure_interval[1]
    assert large.sure_interval[0] < small.sure_interval[0]
    assert large.interval == small.interval


def test_looks_are_a_few_fixed_numbers_of_launches():
    assert [launches for launches in range(40) if is_look(launches)] == list(LOOKS)


def test_suites_of_identical_code_raise_an_alarm_in_no_more_than_one_of_a_hundred():
    """With almost no threshold, so that only the sure interval prevents an alarm, and at every look."""
    alarms = 0
    suites = 150
    for seed in range(suites):
        full = suite(1.0, 0.01, LOOKS[-1], seed=seed)
        seen = (words({name: ratios[:look] for name, ratios in full.items()}, threshold=1e-9) for look in LOOKS)
        alarms += any("regressed" in found for found in seen)
    # At a true rate of 1 %, the probability of this many alarms or more is below one in a million.
    assert alarms <= stats.binom.ppf(1 - 1e-6, suites, SUITE_ERROR)


def test_a_benchmark_at_its_threshold_is_called_regressed_in_no_more_than_one_of_forty():
    benchmarks = 1_500
    full = suite(1.02, 0.01, LOOKS[-1], benchmarks=benchmarks)
    alarmed = set()
    for look in LOOKS:
        judged = judge({name: ratios[:look] for name, ratios in full.items()}, dict.fromkeys(full, 0.02), tests=10)
        alarmed |= {name for name, judgement in judged.items() if judgement.verdict == "regressed"}
    assert len(alarmed) <= stats.binom.ppf(1 - 1e-6, benchmarks, 0.05 / 2)


def test_the_looks_together_spend_the_whole_error():
    assert sum(spent_at(look) for look in range(len(LOOKS))) == 1


def test_the_looks_own_errors_add_up_to_what_each_may_spend():
    """Simulate a normal walk observed at the looks; return how often it is outside for the first time."""
    walks = np.random.default_rng(5).normal(size=(400_000, LOOKS[-1])).cumsum(axis=1)
    inside = np.ones(len(walks), dtype=bool)
    for look, (launches, error) in enumerate(zip(LOOKS, LOOK_ERRORS, strict=True)):
        outside = np.abs(walks[:, launches - 1]) > stats.norm.isf(error / 2) * math.sqrt(launches)
        assert np.mean(inside & outside) == pytest.approx(0.05 * spent_at(look), abs=1e-3)
        inside &= ~outside


def test_a_change_beyond_the_threshold_that_the_suite_cannot_be_sure_of_is_inconclusive():
    ratios = suite(1.05, 0.01, LOOKS[1], benchmarks=1, seed=3)
    alone = judge(ratios, {"b0": 0.02}, tests=1)["b0"]
    among_many = judge(ratios, {"b0": 0.02}, tests=100_000)["b0"]
    assert alone.interval[0] > 1.02
    assert among_many.interval == alone.interval
    assert among_many.sure_interval[0] < 1
    assert (alone.verdict, among_many.verdict) == ("regressed", "inconclusive")


def test_a_control_that_agrees_is_trusted_and_one_that_leans_is_not():
    generator = random.Random(4)
    own = [generator.gauss(0, 0.01) for _ in range(12)]
    sound, leaning = Control(), Control()
    for _ in range(12):
        sound.add(generator.gauss(0, 0.01), own)
        leaning.add(0.03, own)
    assert sound.trusted
    assert not leaning.trusted
    assert "+3.0%" in leaning.describe()


def test_without_a_control_nothing_is_said_against_the_run():
    assert Control().trusted
    assert Control().describe() == "no control was run"


def test_the_control_goes_round_all_benchmarks():
    control = Control()
    names = [f"b{number}" for number in range(5)]
    seen = [control.rotate(names, 2) for _ in range(3)]
    assert seen == [["b0", "b1"], ["b2", "b3"], ["b4", "b0"]]
    assert control.rotate(names, 0) == []
    assert control.rotate([], 3) == []


@given(st.floats(0.1, 100), st.floats(0, 20), st.integers(1, 50), st.integers(1, 2))
def test_the_control_never_plans_more_than_its_share_of_time(
    spent: float, control_seconds: float, benchmarks: int, lanes: int
):
    control = Control()
    control.note_launch()
    share = control.affordable_share(spent, control_seconds, benchmarks, lanes)
    assert 0 <= share <= benchmarks
    if share:
        planned = spent / (benchmarks + LAUNCH_COST_IN_BENCHMARKS) * (share / lanes + LAUNCH_COST_IN_BENCHMARKS)
        assert control_seconds + planned <= 0.15 * spent + 1e-6
