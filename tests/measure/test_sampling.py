"""Tests how samples are taken: warm-up, calibration, budget and collector. The clock is simulated."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from jarvisperf.measure.collector import collector_paused
from jarvisperf.measure.sampling import Plan, calibrate, clock_resolution, measure, measure_rounds, warm_up


class Time:
    """A clock that advances when a target is called."""

    def __init__(self, tick: float = 1e-9) -> None:
        self.now = 0.0
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


class FakeTarget:
    """A target whose calls all take the same time on the test's clock."""

    def __init__(self, clock: Time, seconds_per_call: float, fixed_iterations: int | None = None) -> None:
        self.clock = clock
        self.seconds_per_call = seconds_per_call
        self.fixed_iterations = fixed_iterations
        self.sampled: list[int] = []

    def sample(self, iterations: int) -> float:
        self.sampled.append(iterations)
        self.clock.now += iterations * self.seconds_per_call
        return iterations * self.seconds_per_call

    def timed_call(self) -> tuple[float, Any]:
        return self.sample(1), len(self.sampled)

    def call(self) -> Any:
        return self.timed_call()[1]

    has_own_clock = False

    def use_clock(self, clock: Any) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("seconds_per_call", [1e-8, 3e-7, 1e-5, 4e-4])
def test_a_calibrated_sample_has_the_wanted_length(seconds_per_call: float):
    clock = Time()
    iterations = calibrate(FakeTarget(clock, seconds_per_call), 2e-3, 1e-9)
    assert iterations * seconds_per_call == pytest.approx(2e-3, rel=0.25)


def test_a_call_longer_than_a_sample_is_a_sample_of_its_own():
    assert calibrate(FakeTarget(Time(), 1.0), 2e-3, 1e-9) == 1


def test_a_coarse_clock_makes_samples_longer():
    iterations = calibrate(FakeTarget(Time(), 1e-6), sample_seconds=1e-3, resolution_seconds=1e-4)
    assert iterations * 1e-6 == pytest.approx(0.1, rel=0.25)


def test_a_target_that_takes_no_time_at_all_ends_the_calibration():
    assert calibrate(FakeTarget(Time(), 0.0), 1e-3, 1e-9) >= 1 << 24


def test_the_budget_ends_the_sampling():
    clock = Time()
    samples = measure(FakeTarget(clock, 0.001), Plan(budget_seconds=1.0, warmup_seconds=0, sample_seconds=0.01), clock)
    assert samples.iterations == pytest.approx(10, abs=3)
    assert len(samples.seconds) * samples.iterations * 0.001 == pytest.approx(1.0, rel=0.1)
    assert samples.seconds == pytest.approx([0.001] * len(samples.seconds))


def test_a_slow_target_still_gets_its_fewest_samples():
    clock = Time()
    samples = measure(FakeTarget(clock, 10.0), Plan(budget_seconds=1.0, min_samples=5), clock)
    assert len(samples.seconds) == 5


class JumpsBack(FakeTarget):
    """A target during whose third sample the machine's clock jumps back by an hour."""

    def sample(self, iterations: int) -> float:
        seconds = super().sample(iterations)
        if len(self.sampled) != 3:
            return seconds
        self.clock.now -= 3600
        return seconds - 3600

    def timed_call(self) -> tuple[float, None]:
        return self.sample(1), None


def test_a_clock_that_jumps_back_ends_the_measuring_with_a_reason():
    clock = Time()
    with pytest.raises(RuntimeError, match=r"its clock jumped back by 3,600 s, so nothing can be timed"):
        measure(JumpsBack(clock, 0.01, fixed_iterations=1), Plan(budget_seconds=1.0), clock)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"its clock jumped back by 3,600 s"):
        measure_rounds(JumpsBack(clock, 0.01, fixed_iterations=1), 5, 0)  # type: ignore[arg-type]


def test_no_more_samples_than_the_most_are_taken():
    clock = Time()
    samples = measure(FakeTarget(clock, 1e-3), Plan(budget_seconds=100, max_samples=7), clock)
    assert len(samples.seconds) == 7


def test_the_warm_up_lasts_as_long_as_asked_and_runs_at_least_once():
    clock = Time()
    target = FakeTarget(clock, 0.01)
    warm_up(target, 0.5, clock)
    assert clock.now == pytest.approx(0.5, rel=0.1)
    once = FakeTarget(clock, 1.0)
    warm_up(once, 0, clock)
    assert once.sampled == [1]


def test_fixed_iterations_are_kept():
    clock = Time()
    target = FakeTarget(clock, 1e-6, fixed_iterations=3)
    assert measure(target, Plan(budget_seconds=0.001), clock).iterations == 3
    assert set(target.sampled) == {3}


def test_rounds_are_what_the_author_asked_for():
    target = FakeTarget(Time(), 1e-3, fixed_iterations=1)
    result, samples = measure_rounds(target, rounds=4, warmup_rounds=2)
    assert target.sampled == [1] * 6
    assert len(samples.seconds) == 4
    assert result == 6  # what the last call returned


def test_rounds_of_many_calls_take_one_call_more_for_the_result():
    target = FakeTarget(Time(), 1e-3, fixed_iterations=5)
    _, samples = measure_rounds(target, rounds=2, warmup_rounds=0)
    assert target.sampled == [5, 5, 1]
    assert samples.seconds == pytest.approx((1e-3, 1e-3))


def test_the_collector_is_off_while_measuring_and_on_again_after():
    states = []

    class Watching(FakeTarget):
        def sample(self, iterations: int) -> float:
            states.append(gc.isenabled())
            return super().sample(iterations)

    measure(Watching(Time(), 1.0), Plan(budget_seconds=1, min_samples=2))
    assert set(states) == {False}
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_garbage_does_not_pile_up_while_the_collector_is_off():
    class Littering(FakeTarget):
        def sample(self, iterations: int) -> float:
            for _ in range(10_000):
                cycle: list[Any] = []
                cycle.append(cycle)
            return super().sample(iterations)

    clock = Time()
    measure(Littering(clock, 1.0, fixed_iterations=1), Plan(budget_seconds=0, min_samples=30), clock)
    assert gc.get_count()[0] < 100_000


def test_a_tracer_is_off_while_measuring_and_back_after():
    tracers = []

    class Watching(FakeTarget):
        def sample(self, iterations: int) -> float:
            tracers.append(sys.gettrace())
            return super().sample(iterations)

    def tracer(*_: Any) -> None: ...

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        measure(Watching(Time(), 1.0), Plan(budget_seconds=1, min_samples=2))
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert set(tracers) == {None}
    assert after is tracer


def test_the_clocks_resolution_is_its_smallest_step():
    assert clock_resolution(Time(tick=0.25)) == 0.25
