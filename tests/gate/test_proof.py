"""What a proof concludes from comparisons with known answers, and the slowdowns it injects."""

from __future__ import annotations

import math
from contextlib import nullcontext

import pytest

from jarvisperf.gate.proof.conclusions import (
    at_least,
    at_most,
    detections,
    is_alarm,
    noisier_than_the_rest,
    proven,
    recommended_budget,
    recommended_threshold,
)
from jarvisperf.gate.proof.model import KnownComparison
from jarvisperf.gate.proof.slowed import SlowedTarget
from jarvisperf.measure.targets import FunctionTarget


def identical(name: str = "a", *, spread: float = 0.01, ratio: float = 1.0, reach: float = 0.01) -> KnownComparison:
    verdict = "unchanged" if reach + abs(ratio - 1) < 0.05 else "inconclusive"
    interval = (ratio - reach, ratio + reach)
    return KnownComparison(name, 0, 0.0, verdict, ratio, interval, interval, launches=12, spread=spread)


def test_no_case_in_n_is_bounded_as_the_rule_of_three_says():
    assert at_most(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert at_most(0, 3_000) == pytest.approx(3 / 3_000, rel=0.01)
    assert (at_most(0, 0), at_most(5, 5)) == (1.0, 1.0)
    assert at_most(3, 20) == pytest.approx(0.344, abs=0.001)  # Clopper and Pearson's tables
    assert at_least(95, 100) == pytest.approx(1 - at_most(5, 100))


def test_only_identical_code_can_raise_a_false_alarm():
    assert not is_alarm(identical())
    assert is_alarm(KnownComparison("a", 0, 0.0, "regressed"))
    assert is_alarm(KnownComparison("a", 0, 0.0, "improved"))
    assert not is_alarm(KnownComparison("a", 0, 0.1, "regressed"))


def test_detections_are_counted_by_size_as_a_multiple_of_the_threshold():
    rows = [
        KnownComparison("a", 1, 0.10, "regressed"),
        KnownComparison("b", 1, 0.04, "regressed"),
        KnownComparison("b", 2, 0.04, "unchanged"),
        KnownComparison("a", 2, 0.15, "inconclusive"),
        KnownComparison("a", 3, 0.10, None, error="it broke"),
    ]
    found = detections(rows, {"a": 0.05, "b": 0.02})
    assert [(one.times_threshold, one.comparisons, one.found) for one in found] == [(2.0, 3, 2), (3.0, 1, 0)]
    assert 0 < found[0].at_least < 2 / 3


def test_a_noisier_benchmark_notices_less_and_needs_a_larger_threshold():
    calm, wild = (proven("a", [identical(spread=spread)], 0.05, 2.0, ()) for spread in (0.001, 0.05))
    assert calm.noticeable is not None
    assert wild.noticeable is not None
    assert 0.05 < calm.noticeable < 0.06 < wild.noticeable
    unknown = proven("a", [KnownComparison("a", 0, 0.0, error="it broke")], 0.05, 2.0, ["fix it"])
    assert (unknown.noticeable, unknown.needed, unknown.to_fix) == (None, None, ("fix it",))


def test_the_threshold_is_the_smallest_that_the_suite_supports():
    suite = [proven(str(number), [identical(spread=0.005)], 0.05, 2.0, ()) for number in range(40)]
    assert recommended_threshold(suite, [identical()]) == 0.01
    assert recommended_threshold([], []) is None
    alarm = identical(ratio=1.04, reach=0.01)  # at a threshold of 2% this would have been one
    assert recommended_threshold(suite, [alarm]) == 0.03


def test_the_budget_shrinks_for_calm_suites_and_grows_for_noisy_ones():
    def budget(spread: float) -> float | None:
        return recommended_budget([proven("a", [identical(spread=spread)], 0.05, 2.0, ())])

    assert budget(0.002) == 0.25
    assert budget(0.08) == 8.0
    assert budget(5.0) is None


def test_a_benchmark_far_noisier_than_the_rest_is_named():
    suite = [proven(str(number), [identical(spread=0.005)], 0.05, 2.0, ()) for number in range(9)]
    assert noisier_than_the_rest([*suite, proven("wild", [identical(spread=0.1)], 0.05, 2.0, ())]) == {"wild"}
    assert noisier_than_the_rest([]) == set()


class Machine:
    """A clock that a target and the readings of the clock itself move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.call_seconds = 1e-5

    def clock(self) -> float:
        self.now += 1e-7  # a reading of the clock takes time, too
        return self.now

    def work(self) -> None:
        self.now += self.call_seconds


@pytest.mark.parametrize("share", [0.01, 0.1, 2.0])
def test_the_injected_slowdown_has_its_size_although_the_clock_takes_time(share: float):
    machine = Machine()
    slowed = SlowedTarget(FunctionTarget(machine.work), share)
    slowed.use_clock(machine.clock)
    plain = FunctionTarget(machine.work, clock=machine.clock)
    own, found = (math.fsum(target.samples(10, 200, nullcontext())) for target in (plain, slowed))
    assert found / own - 1 == pytest.approx(share, rel=0.02)


def test_the_injected_slowdown_follows_the_speed_of_the_machine():
    machine = Machine()
    slowed = SlowedTarget(FunctionTarget(machine.work), 0.5)
    slowed.use_clock(machine.clock)
    for _ in range(50):
        slowed.sample(10)
    machine.call_seconds = 2e-5
    for _ in range(50):
        slowed.sample(10)
    assert math.fsum(slowed.sample(10) for _ in range(20)) == pytest.approx(20 * 10 * 3e-5, rel=0.02)


def test_a_single_call_is_slowed_by_its_own_duration_and_returns_its_result():
    machine = Machine()
    slowed = SlowedTarget(FunctionTarget(lambda: machine.work() or "result"), 1.0)
    slowed.use_clock(machine.clock)
    seconds, result = slowed.timed_call()
    assert result == "result"
    assert seconds == pytest.approx(2e-5, rel=0.05)
