"""Compares each step from paired values to an interval with results worked out by hand from the sources' formulas.

Quantiles of Student's t with 1 and 2 degrees of freedom have a closed form; the others are scipy's.
"""

from __future__ import annotations

import math

import pytest
from scipy import stats

from jarvisperf.gate.verdict.decide import Judgement, judge, spent_at, word_of
from jarvisperf.gate.verdict.estimate import log_ratio, trimmed_mean
from jarvisperf.gate.verdict.moderation import NOTHING_KNOWN, Prior, fit_prior, moderate

EULER = 0.5772156649015329  # digamma(1) is its negative
SUITE_ERROR = 0.01


def alone(log_ratios: list[float], threshold: float = 0.05, tests: int = 1) -> Judgement:
    return judge({"it": log_ratios}, {"it": threshold}, tests)["it"]


def reach(interval: tuple[float, float]) -> float:
    """Return the half-width of an interval's logarithm."""
    return (math.log(interval[1]) - math.log(interval[0])) / 2


# The middle of paired values


@pytest.mark.parametrize(
    ("ordered", "share", "mean"),
    [
        ([1.0, 2.0, 4.0, 100.0], 0.25, 3.0),  # one is left out on each side
        ([0.0, 1.0, 2.0, 4.0, 50.0], 0.3, (0.5 * 1 + 2 + 0.5 * 4) / 2),  # 1.5 left out on each side
        ([3.0], 0.35, 3.0),
        ([1.0, 5.0], 0.35, 3.0),
    ],
)
def test_a_trimmed_mean_leaves_out_a_share_on_each_side(ordered: list[float], share: float, mean: float):
    assert trimmed_mean(ordered, share) == pytest.approx(mean)


def test_the_ratio_of_a_fork_is_the_mean_of_the_middle_30_per_cent_of_its_log_ratios():
    log_ratios = [9.0, 0.0, 4.0, 9.0, 0.0, 1.0, 8.0, 9.0, 2.0, 0.0]  # sorted: 0 0 0 1 2 4 8 9 9 9
    assert log_ratio([2.0] * 10, [2 * math.exp(value) for value in log_ratios]) == pytest.approx(
        (0.5 * 1 + 2 + 4 + 0.5 * 8) / 3
    )


# The interval of a single benchmark: Student's t


def test_two_launches_have_a_t_interval_with_one_degree_of_freedom():
    """Student's t with 1 degree of freedom is Cauchy's distribution: the quantile of p is tan(pi (p - 1/2))."""
    found = alone([0.02, 0.04])
    standard_error = math.sqrt(2e-4 / 2)  # the variance of 0.02 and 0.04 is 0.0002
    assert found.ratio == pytest.approx(math.exp(0.03))
    assert math.log(found.interval[0]) == pytest.approx(0.03 - standard_error / math.tan(math.pi * 0.0167 / 2))
    assert math.log(found.interval[1]) == pytest.approx(0.03 + standard_error / math.tan(math.pi * 0.0167 / 2))
    assert reach(found.sure_interval) == pytest.approx(standard_error / math.tan(math.pi * SUITE_ERROR / 3 / 2))
    assert found.launches == 2
    assert not found.doubted


def test_three_launches_have_two_degrees_of_freedom():
    """With 2 degrees of freedom the quantile of p is (2 p - 1) / sqrt(2 p (1 - p))."""
    found = alone([0.01, 0.02, 0.03])
    p = 1 - 0.0167 / 2
    quantile = (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    assert reach(found.interval) == pytest.approx(quantile * 0.01 / math.sqrt(3))


@pytest.mark.parametrize(
    ("launches", "error", "spent"),
    [
        *((launches, 0.0167, 4 / 12) for launches in (2, 3, 4)),
        *((launches, 0.0218, 4 / 12) for launches in (5, 6, 7, 8)),
        *((launches, 0.0278, 4 / 12) for launches in (9, 11, 12, 13, 20)),
    ],
)
@pytest.mark.parametrize("tests", [1, 40])
def test_each_look_errs_by_what_is_its_own(launches: int, error: float, spent: float, tests: int):
    values = [0.01 * number for number in range(launches)]
    found = alone(values, tests=tests)
    kept = launches - 2 if launches >= 8 else launches
    ratio = reach(found.sure_interval) / reach(found.interval)
    expected = stats.t.isf(SUITE_ERROR * spent / tests / 2, kept - 1) / stats.t.isf(error / 2, kept - 1)
    assert ratio == pytest.approx(expected)


def test_a_suite_of_no_tests_is_one_of_one():
    assert alone([0.0, 0.01], tests=0) == alone([0.0, 0.01], tests=1)


def test_every_look_spends_a_third():
    assert [spent_at(look) for look in range(3)] == pytest.approx([1 / 3] * 3)


# A launch that is far off


def test_from_eight_launches_on_the_smallest_and_the_largest_are_left_out():
    """Tukey and McLaughlin: the variance is winsorized; its degrees of freedom are those of the remaining values."""
    found = alone([-1.0, 0.0, 0.0, 0.0, 0.01, 0.01, 0.01, 5.0])
    # Winsorized: four times 0 and four times 0.01, whose squared deviations from 0.005 add up to 2e-4. Six stay.
    standard_error = math.sqrt(2e-4 / (6 * 5))
    assert found.ratio == pytest.approx(math.exp(0.005))
    assert reach(found.interval) == pytest.approx(stats.t.isf(0.0218 / 2, 5) * standard_error)
    assert found.launches == 8


def test_with_seven_launches_all_count():
    found = alone([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0])
    # Their mean is 1; the squared deviations are 4 + 5 + 49 = 58.
    assert math.log(found.ratio) == pytest.approx(1.0)
    assert reach(found.interval) == pytest.approx(stats.t.isf(0.0218 / 2, 6) * math.sqrt(58 / 6 / 7))


# Strength borrowed from the suite: Smyth (2004), section 6.2


def test_the_prior_is_that_of_smyths_moments():
    """For variances with 2 degrees of freedom, the logarithms are exact: digamma(1) = -0.5772, trigamma(1) = pi^2 / 6.

    Their variance is pi^2 / 3 here, so pi^2 / 6 is left for trigamma(d / 2): d is 2, and the common variance 1.
    """
    step = math.pi / math.sqrt(3)
    prior = fit_prior([math.exp(-step), 1.0, math.exp(step)], [2, 2, 2])
    assert prior.df == pytest.approx(2.0)
    assert prior.variance == pytest.approx(1.0)


def test_a_smaller_spread_of_variances_is_worth_more_degrees_of_freedom():
    """This leaves trigamma(2) = pi^2 / 6 - 1 for trigamma(d / 2): d is 4, and digamma(2) = 1 - 0.5772."""
    step = math.sqrt(math.pi**2 / 3 - 1)
    prior = fit_prior([math.exp(-step), 1.0, math.exp(step)], [2, 2, 2])
    assert prior.df == pytest.approx(4.0)
    assert prior.variance == pytest.approx(math.exp(EULER + (1 - EULER) - math.log(2)))


def test_degrees_of_freedom_that_differ_count_each_by_itself():
    """With 4 degrees of freedom: digamma(2) = 1 - 0.5772 and trigamma(2) = pi^2 / 6 - 1."""
    shift = (1 - EULER) - math.log(2) + EULER  # the offset from 4 degrees of freedom to 2
    trigammas = (2 * math.pi**2 / 6 + math.pi**2 / 6 - 1) / 3
    step = math.sqrt(trigammas + math.pi**2 / 6)
    prior = fit_prior([math.exp(-step), math.exp(shift), math.exp(step)], [2, 4, 2])
    assert prior.df == pytest.approx(2.0)
    assert prior.variance == pytest.approx(1.0)


def test_variances_that_agree_better_than_chance_lend_30_degrees_of_freedom_and_no_more():
    prior = fit_prior([1.0, 1.0, 1.0], [2, 2, 2])
    assert prior == Prior(30.0, pytest.approx(math.exp(EULER)))


def test_variances_that_agree_well_lend_no_more_than_30_either():
    """This leaves trigamma(50) for trigamma(d / 2): d would be 100."""
    trigamma = math.pi**2 / 6 - math.fsum(1 / number**2 for number in range(1, 50))
    digamma = math.fsum(1 / number for number in range(1, 50)) - EULER
    step = math.sqrt(math.pi**2 / 6 + trigamma)
    prior = fit_prior([math.exp(-step), 1.0, math.exp(step)], [2, 2, 2])
    assert prior.df == 30.0
    assert prior.variance == pytest.approx(math.exp(EULER + digamma - math.log(50)), rel=1e-4)


@pytest.mark.parametrize(("excess", "seen"), [(1.1e-6, True), (0.9e-6, False)])
def test_an_excess_that_only_millions_of_degrees_of_freedom_would_leave_is_none(excess: float, seen: bool):
    """With d degrees of freedom digamma(d / 2) - log(d / 2) is -1 / d, and trigamma(d / 2) is 2 / d, for large d."""
    step = math.sqrt(math.pi**2 / 6 + excess)
    prior = fit_prior([math.exp(-step), 1.0, math.exp(step)], [2, 2, 2])
    assert prior.df == 30.0
    assert math.log(prior.variance) == pytest.approx(EULER - (excess / 2 if seen else 0.0), abs=1e-8)


def test_variances_of_0_and_without_degrees_of_freedom_say_nothing():
    assert fit_prior([1.0, 1.0, 0.0], [2, 2, 2]) == NOTHING_KNOWN
    assert fit_prior([1.0, 1.0, 1.0], [2, 2, 0]) == NOTHING_KNOWN
    step = math.pi / math.sqrt(3)
    known = [math.exp(-step), 1.0, math.exp(step)]
    assert fit_prior([*known, 0.0, 7.0], [2, 2, 2, 2, 0]).df == pytest.approx(2.0)
    assert fit_prior([1.0, 1.0, 1.0], [1, 1, 1]).df == 30.0


def test_each_variance_needs_its_degrees_of_freedom():
    with pytest.raises(ValueError, match="zip"):
        fit_prior([1.0, 1.0, 1.0, 1.0], [2, 2, 2])


@pytest.mark.parametrize("df", [0.02, 0.5, 1.0, 3.0, 12.0, 29.0])
def test_any_prior_is_found_again_from_the_spread_that_it_makes(df: float):
    from scipy.special import polygamma

    step = math.sqrt(math.pi**2 / 6 + float(polygamma(1, df / 2)))
    assert fit_prior([math.exp(-step), 1.0, math.exp(step)], [2, 2, 2]).df == pytest.approx(df, rel=1e-6)


def test_a_variance_is_the_mean_of_its_own_and_the_suites_by_degrees_of_freedom():
    assert moderate(1.0, 3, Prior(5.0, 9.0)) == (pytest.approx((5 * 9 + 3 * 1) / 8), 8.0)


def test_a_benchmark_noisier_than_the_suite_keeps_its_own_variance():
    assert moderate(9.0, 3, Prior(5.0, 1.0)) == (9.0, 8.0)


def test_nothing_known_is_worth_no_degrees_of_freedom():
    assert Prior(0.0, 0.0) == NOTHING_KNOWN


def test_where_nothing_is_known_a_variance_stays_with_its_own_degrees_of_freedom():
    assert moderate(2.0, 3, NOTHING_KNOWN) == (2.0, 3.0)


def test_the_benchmarks_of_a_suite_lend_each_other_degrees_of_freedom():
    """Launches at m - h, m and m + h have the variance h^2: the prior is worth 2 degrees of freedom, as above."""
    step = math.pi / math.sqrt(3)
    suite = {
        name: [0.1 - h, 0.1, 0.1 + h]
        for name, h in (("quiet", 0.01 * math.exp(-step / 2)), ("usual", 0.01), ("noisy", 0.01 * math.exp(step / 2)))
    }
    judged = judge(suite, dict.fromkeys(suite, 0.05), tests=3)
    t = stats.t.isf(0.0167 / 2, 2 + 2)
    moderated = (2 * 1e-4 + 2 * 1e-4 * math.exp(-step)) / 4
    assert reach(judged["quiet"].interval) == pytest.approx(t * math.sqrt(moderated / 3))
    assert reach(judged["usual"].interval) == pytest.approx(t * math.sqrt(1e-4 / 3))
    assert reach(judged["noisy"].interval) == pytest.approx(t * math.sqrt(1e-4 * math.exp(step) / 3))


def test_launches_that_were_trimmed_lend_the_degrees_of_freedom_of_those_that_stay():
    trimmed = [-9.0, 0.0, 0.0, 0.0, 0.01, 0.01, 0.01, 9.0]  # six remain, with a variance of 4e-5
    suite = dict.fromkeys("abc", trimmed)
    found = judge(suite, dict.fromkeys(suite, 0.05), tests=3)["a"]
    digamma = 2 + 2 / 3 - EULER - 2 * math.log(2)  # of 5 / 2
    common = 4e-5 * math.exp(math.log(2.5) - digamma)  # the variances agree exactly: 30 degrees of freedom
    variance = (30 * common + 5 * 4e-5) / 35
    assert reach(found.interval) == pytest.approx(stats.t.isf(0.0218 / 2, 35) * math.sqrt(variance / 6))


# The words


@pytest.mark.parametrize(
    ("centre", "noise", "threshold", "word"),
    [
        (0.10, 0.001, 0.05, "regressed"),
        (0.055, 0.001, 0.05, "regressed"),  # log(1.05) is 0.0488
        (0.0488, 0.001, 0.05, "inconclusive"),
        (0.03, 0.001, 0.05, "unchanged"),
        (-0.03, 0.001, 0.05, "unchanged"),
        (-0.06, 0.001, 0.05, "improved"),  # log(0.95) is -0.0513
        (-0.0513, 0.001, 0.05, "inconclusive"),
        (0.0, 0.05, 0.05, "inconclusive"),
        (0.0, 0.0, 0.05, "unchanged"),
    ],
)
def test_the_interval_against_the_threshold_is_the_word(centre: float, noise: float, threshold: float, word: str):
    values = [centre - noise, centre, centre, centre + noise]
    assert alone(values, threshold).verdict == word
    assert alone(values, threshold).ratio == pytest.approx(math.exp(centre))


BORDER = 0.25  # with it 1 + threshold and 1 - threshold are exact


@pytest.mark.parametrize(
    ("usual", "sure", "word"),
    [
        ((1.26, 1.4), (1.01, 1.6), "regressed"),
        ((1.25, 1.4), (1.01, 1.6), "inconclusive"),  # it touches the threshold
        ((1.26, 1.4), (1.0, 1.6), "inconclusive"),  # the suite cannot be sure
        ((0.6, 0.74), (0.5, 0.99), "improved"),
        ((0.6, 0.75), (0.5, 0.99), "inconclusive"),
        ((0.6, 0.74), (0.5, 1.0), "inconclusive"),
        ((0.75, 1.25), (0.5, 1.5), "unchanged"),  # just within
        ((0.74, 1.25), (0.5, 1.5), "inconclusive"),
        ((0.75, 1.26), (0.5, 1.5), "inconclusive"),
        ((1.25, 1.25), (1.25, 1.25), "unchanged"),
        ((0.75, 0.75), (0.75, 0.75), "unchanged"),
        ((0.0, math.inf), (0.0, math.inf), "inconclusive"),
    ],
)
def test_two_intervals_and_a_threshold_are_a_word(usual: tuple[float, float], sure: tuple[float, float], word: str):
    assert word_of(usual, sure, BORDER) == word


def test_without_a_threshold_any_interval_is_unchanged():
    assert alone([0.5], math.inf).verdict == "unchanged"
    assert alone([3.0, 3.0, 3.0, 3.1], math.inf).verdict == "unchanged"


def test_a_suite_beyond_all_bounds_still_has_words_for_what_has_no_spread():
    found = alone([0.0] * 4, 0.05, tests=10**306)
    assert (found.verdict, found.sure_interval) == ("unchanged", (1.0, 1.0))


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_suite_cannot_be_sure_of_is_inconclusive(sign: int):
    """The interval lies beyond the threshold, but the sure interval of a suite of a million benchmarks contains 1."""
    values = [sign * value for value in (0.09, 0.1, 0.1, 0.11)]
    among_many = alone(values, 0.01, tests=1_000_000)
    assert among_many.sure_interval[0] < 1 < among_many.sure_interval[1]
    assert among_many.verdict == "inconclusive"
    assert alone(values, 0.01, tests=1).verdict == ("regressed" if sign > 0 else "improved")
