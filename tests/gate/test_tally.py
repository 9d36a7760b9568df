"""Tests how a benchmark's forks and launches are combined."""

from __future__ import annotations

import math

import pytest

from jarvisperf.gate.lockstep.slices import PairedSamples
from jarvisperf.gate.lockstep.tally import KEPT_SAMPLES, MetricTally, Tally
from jarvisperf.measure.metrics import BUILT_IN, TIME

MEMORY, STARTUP = BUILT_IN["memory"], BUILT_IN["startup"]


def pairs(*ratios: float, base: float = 1.0, iterations: int = 1, slice_samples: int = 1) -> PairedSamples:
    """Create the result of a fork: one pair of slices for each ratio."""
    heads = tuple(base * ratio for ratio in ratios)
    return PairedSamples(iterations, (base,) * len(ratios), heads, "a clock", slice_samples)


def launch(*forks: float) -> Tally:
    """Create the result of a launch whose forks have these log ratios."""
    tally = Tally()
    for fork in forks:
        tally.add(TIME, pairs(math.exp(fork)))
    tally.end_launch()
    return tally


def test_a_benchmark_begins_open_and_empty():
    tally, metric = Tally(), MetricTally(TIME)
    assert (tally.state, tally.forks, tally.seconds, tally.launches) == ("open", 1, 0.0, 0)
    assert (tally.message, tally.traceback, tally.is_final) == ("", "", False)
    assert (tally.xfail, tally.group, tally.extra_info, tally.metrics) == (None, None, {}, {})
    assert (metric.iterations, metric.method, metric.judgement, metric.growth) == (1, "", None, 1.0)


def test_a_launch_is_the_mean_of_the_middle_half_of_its_forks():
    assert launch(0.0, 0.01, 0.03, 9.0).metrics["time"].log_ratios == [pytest.approx(0.02)]
    # A quarter of six is one and a half: the second and the fifth count half.
    assert launch(-9.0, 0.0, 0.01, 0.02, 0.04, 9.0).metrics["time"].log_ratios == [
        pytest.approx((0.5 * 0.0 + 0.01 + 0.02 + 0.5 * 0.04) / 3)
    ]


def test_the_forks_of_one_launch_do_not_count_in_the_next():
    tally = launch(0.01)
    tally.add(TIME, pairs(math.exp(0.03)))
    tally.end_launch()
    tally.end_launch()  # nothing was added since
    assert tally.metrics["time"].log_ratios == [pytest.approx(0.01), pytest.approx(0.03)]


def test_each_launch_keeps_its_own_figures():
    tally = Tally()
    for log_ratio in (0.01, 0.03):
        tally.absorb(launch(log_ratio))
    assert tally.metrics["time"].launches == [
        (1.0, pytest.approx(math.exp(log_ratio)), pytest.approx(log_ratio)) for log_ratio in (0.01, 0.03)
    ]


def test_memory_is_in_bytes_and_all_else_in_seconds():
    tally = Tally()
    for metric in ("time", "startup", "memory"):
        tally.add(BUILT_IN[metric], pairs(1.0))
    assert {name: metric.kind.unit.symbol for name, metric in tally.metrics.items()} == {
        "time": "s",
        "startup": "s",
        "memory": "B",
    }


def test_less_than_a_page_of_memory_counts_as_a_page():
    tally = Tally()
    tally.add(MEMORY, PairedSamples(1, (0.0, 0.0, 4000.0), (0.0, 100.0, 4096.0)))
    tally.end_launch()
    assert tally.metrics["memory"].log_ratios == [0.0]
    assert tally.metrics["memory"].base == [0.0, 0.0, 4000.0]  # the report shows what was measured
    tally.add(MEMORY, PairedSamples(1, (0.0,), (8192.0,)))
    tally.add(MEMORY, PairedSamples(1, (8192.0,), (0.0,)))
    assert tally.metrics["memory"].parts == [pytest.approx(math.log(2)), pytest.approx(-math.log(2))]


def test_a_time_of_0_has_no_ratio():
    with pytest.raises(ValueError, match="a value of 0 has no ratio"):
        Tally().add(TIME, pairs(0.0))


def test_the_seconds_are_those_of_all_calls_of_both_arms():
    tally = Tally()
    tally.add(TIME, pairs(1.0, 3.0, base=0.5, iterations=10, slice_samples=3))
    assert tally.seconds == pytest.approx(10 * 3 * (0.5 + 0.5 + 0.5 + 1.5))
    tally.add(MEMORY, pairs(1.0, base=1e9))
    tally.add(STARTUP, pairs(1.0, base=2.0))
    assert tally.seconds == pytest.approx(90 + 4)


def test_a_fork_brings_its_iterations_and_its_clock():
    tally = Tally()
    tally.add(TIME, pairs(1.0, iterations=7))
    assert (tally.metrics["time"].iterations, tally.metrics["time"].method) == (7, "a clock")
    whole = Tally()
    whole.absorb(tally)
    assert (whole.metrics["time"].iterations, whole.metrics["time"].method) == (7, "a clock")


def test_a_bounded_number_of_samples_is_kept_and_those_are_the_first():
    metric = MetricTally(TIME)
    for _ in range(3):
        metric.add(pairs(*[1.0] * (KEPT_SAMPLES // 2 - 1)))
    metric.add(pairs(2.0, 2.0, 2.0, 2.0))
    assert len(metric.base) == len(metric.head) == KEPT_SAMPLES == 4_000
    assert set(metric.head) == {1.0}
    other = MetricTally(TIME)
    other.add(pairs(3.0))
    metric.absorb(other)
    assert len(metric.head) == KEPT_SAMPLES
    other.absorb(metric)
    assert other.head == [3.0, *metric.head[:-1]]


def test_a_launch_is_added_with_all_that_it_brought():
    whole = Tally(forks=10)
    whole.absorb(launch(0.01))
    second = launch(0.02)
    second.forks, second.xfail, second.group, second.extra_info = 4, "later", "search", {"note": "it"}
    whole.absorb(second)
    assert whole.metrics["time"].log_ratios == [pytest.approx(0.01), pytest.approx(0.02)]
    assert len(whole.metrics["time"].base) == 2
    assert whole.metrics["time"].kind is TIME
    assert whole.seconds == pytest.approx(launch(0.01).seconds + second.seconds)
    assert (whole.xfail, whole.group, whole.extra_info) == ("later", "search", {"note": "it"})
    assert (whole.forks, whole.launches, whole.state) == (1, 2, "open")
    memory = Tally()
    memory.add(MEMORY, pairs(1.0))
    whole.absorb(memory)
    assert whole.metrics["memory"].kind is MEMORY


def test_the_forks_are_the_fewest_that_any_launch_had():
    whole = Tally(forks=10)
    for forks in (12, 4, 6):
        whole.absorb(Tally(forks=forks))
    assert whole.forks == 4


@pytest.mark.parametrize("state", ["error", "skipped", "new"])
def test_how_a_launch_ended_is_how_the_benchmark_ends(state):
    ended = Tally()
    ended.end(state, "why", "where")
    whole = Tally()
    whole.absorb(ended)
    assert (whole.state, whole.message, whole.traceback) == (state, "why", "where")


def test_an_error_outweighs_new_and_what_is_decided_stays():
    failed, new = Tally(), Tally()
    failed.end("error", "it broke")
    new.end("new", "the base does not have it")
    whole = Tally()
    for ended in (new, failed, new):
        whole.absorb(ended)
    assert (whole.state, whole.message, whole.traceback) == ("error", "it broke", "")
    decided = Tally(state="decided")
    decided.absorb(failed)
    assert decided.state == "decided"


def test_an_open_launch_leaves_a_new_benchmark_new():
    whole = Tally()
    whole.end("new", "the base does not have it")
    whole.absorb(Tally())
    assert (whole.state, whole.message) == ("new", "the base does not have it")


def test_the_launches_are_those_of_the_metric_that_has_most():
    tally = launch(0.0)
    assert (Tally().launches, tally.launches) == (0, 1)
    tally.add(MEMORY, pairs(1.0))
    assert tally.launches == 1
    tally.end_launch()
    tally.add(MEMORY, pairs(1.0))
    tally.end_launch()
    assert tally.launches == 2


def drifting(*last: float, forks: int = 4) -> float:
    """Return the growth of a benchmark whose forks begin at 1 s and end with these values on both arms."""
    metric = MetricTally(TIME)
    first = (1.0,) * (8 - len(last))
    for _ in range(forks):
        metric.add(PairedSamples(1, first + last, first + last))
    return metric.growth


def test_growth_is_the_last_third_of_a_forks_calls_over_the_first_third():
    assert drifting(2.0, 8.0) == pytest.approx(4.0)  # a third of eight is two; the mean of factors is geometric
    assert drifting(9.0, 2.0, 2.0) == pytest.approx(2.0)  # the one before the last third does not count
    assert drifting(0.5, 0.5) == pytest.approx(0.5)


def test_the_thirds_of_twelve_calls_are_four_each():
    metric = MetricTally(TIME)
    for _ in range(4):
        values = (1.0,) * 8 + (1.0, 1.0, 4.0, 4.0)
        metric.add(PairedSamples(1, values, values))
    assert metric.growth == pytest.approx(2.0)


def test_growth_is_seen_where_only_one_arm_grows():
    metric = MetricTally(TIME)
    for _ in range(4):
        metric.add(PairedSamples(1, (1.0,) * 8, (1.0,) * 6 + (4.0,) * 2))
    assert metric.growth == pytest.approx(2.0)  # the mean of no growth and fourfold growth


def test_growth_needs_eight_drifts_and_eight_calls_each():
    assert drifting(2.0, 2.0, forks=3) == 1.0
    short = MetricTally(TIME)
    for _ in range(8):
        short.add(PairedSamples(1, (1.0,) * 5 + (2.0,) * 2, (1.0,) * 5 + (2.0,) * 2))
    assert (short.drifts, short.growth) == ([], 1.0)
    whole = MetricTally(TIME)
    grown = MetricTally(TIME)
    for _ in range(4):
        grown.add(PairedSamples(1, (1.0,) * 6 + (2.0,) * 2, (1.0,) * 6 + (2.0,) * 2))
    whole.absorb(grown)
    assert whole.growth == pytest.approx(2.0)


def test_growth_beyond_all_floats_is_infinite():
    assert drifting(1e308, 1e308) == pytest.approx(1e308)
    assert drifting(*[1e308] * 8) == 1.0
    metric = MetricTally(TIME)
    for _ in range(4):
        values = (5e-324,) * 6 + (1e308,) * 2
        metric.add(PairedSamples(1, values, values))
    assert metric.growth == math.inf
