"""Tests sampling step by step: how many calls each step makes, and what happens between two samples."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from jarvisperf.measure import collector, sampling
from jarvisperf.measure.sampling import (
    LARGEST_ITERATIONS,
    Plan,
    Samples,
    calibrate,
    clock_resolution,
    measure,
    measure_rounds,
    warm_up,
)


class Clock:
    """A clock that only a target advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Target:
    """A target whose calls take a fixed time, or whose samples take the given times."""

    has_own_clock = False
    sets_up = False

    def __init__(
        self, clock: Clock, call_seconds: float = 0.0, fixed: int | None = None, samples: tuple[float, ...] = ()
    ) -> None:
        self.clock, self.call_seconds, self.fixed_iterations = clock, call_seconds, fixed
        self.samples = iter(samples)
        self.sampled: list[int] = []
        self.watch: Callable[[], Any] = lambda: None
        self.seen: list[Any] = []

    def sample(self, iterations: int) -> float:
        self.seen.append(self.watch())
        self.sampled.append(iterations)
        seconds = next(self.samples, iterations * self.call_seconds)
        self.clock.now += seconds
        return seconds

    def timed_call(self) -> tuple[float, Any]:
        return self.sample(1), f"call {len(self.sampled)}"

    def call(self) -> Any:
        return self.timed_call()[1]

    def use_clock(self, clock: Any) -> None: ...

    def close(self) -> None: ...


def test_a_plan_takes_two_seconds_of_samples_of_two_milliseconds():
    plan = Plan()
    assert (plan.budget_seconds, plan.warmup_seconds, plan.sample_seconds) == (2.0, 0.1, 0.002)
    assert (plan.min_samples, plan.max_samples, plan.pause_collector) == (5, None, True)


def test_calibration_makes_four_times_as_many_calls_until_a_tenth_of_a_sample_is_there_and_reckons_from_there():
    target = Target(Clock(), call_seconds=1e-6)
    assert calibrate(target, sample_seconds=2e-3, resolution_seconds=1e-9) == 2_000
    assert target.sampled == [1, 4, 16, 64, 256]  # 64 calls take 64 µs, 256 take 256: more than a tenth of 2 ms


@pytest.mark.parametrize(
    ("call_seconds", "iterations"),
    [(2e-3, 1), (3e-3, 1), (1.9e-3, 1), (1.2e-3, 2), (1e-3, 2), (2e-4, 10)],
)
def test_a_call_longer_than_a_tenth_of_a_sample_is_tried_once(call_seconds: float, iterations: int):
    target = Target(Clock(), call_seconds)
    assert calibrate(target, sample_seconds=2e-3, resolution_seconds=1e-9) == iterations
    assert target.sampled == [1]


def test_a_call_just_below_a_tenth_of_a_sample_is_too_short_to_reckon_with():
    target = Target(Clock(), 1.9e-4)
    assert calibrate(target, sample_seconds=2e-3, resolution_seconds=1e-9) == 11
    assert target.sampled == [1, 4]


def test_calls_that_are_suddenly_long_are_taken_as_they_are():
    target = Target(Clock(), samples=(1e-6, 5e-3))
    assert calibrate(target, sample_seconds=2e-3, resolution_seconds=1e-9) == 4
    exact = Target(Clock(), samples=(1e-6, 2e-3))
    assert calibrate(exact, sample_seconds=2e-3, resolution_seconds=1e-9) == 4
    assert exact.sampled == [1, 4]


def test_a_sample_lasts_a_thousand_ticks_of_a_coarse_clock():
    assert calibrate(Target(Clock(), 1e-3), sample_seconds=2e-3, resolution_seconds=1e-5) == 10
    assert calibrate(Target(Clock(), 1e-6), sample_seconds=1e-3, resolution_seconds=2e-6) == 2_000


def test_calibration_ends_where_no_number_of_calls_takes_time():
    target = Target(Clock(), 0.0)
    assert calibrate(target, 2e-3, 1e-9) == LARGEST_ITERATIONS == 1 << 24
    assert target.sampled == [4**power for power in range(12)]


@pytest.mark.parametrize(("real_seconds", "stands_still"), [(0.49, False), (0.5, True), (0.51, True)])
def test_an_authors_clock_stands_still_where_half_a_second_passes_without_it(
    real_seconds: float, stands_still: bool, monkeypatch: pytest.MonkeyPatch
):
    real = Clock()
    monkeypatch.setattr(sampling, "REAL", SimpleNamespace(wall=real))
    target = Target(Clock(), samples=(0.0, 5e-3))

    def watch() -> None:
        real.now += real_seconds

    target.watch = watch
    if stands_still:
        with pytest.raises(RuntimeError, match=r"^its clock shows 0 s for 1 calls: is time mocked or frozen\?$"):
            calibrate(target, 2e-3, 1e-9)
    else:
        assert calibrate(target, 2e-3, 1e-9) == 4


def test_an_authors_clock_that_moves_may_be_slower_than_the_real_one(monkeypatch: pytest.MonkeyPatch):
    real = Clock()
    monkeypatch.setattr(sampling, "REAL", SimpleNamespace(wall=real))
    target = Target(Clock(), samples=(1e-6, 5e-3))

    def watch() -> None:
        real.now += 9.0

    target.watch = watch
    assert calibrate(target, 2e-3, 1e-9) == 4


def test_the_resolution_is_the_least_of_twenty_steps():
    steps = [5.0] * 19 + [0.5, 0.1]
    times = iter([sum(steps[:count]) for count in range(len(steps) + 1)])

    def pairs() -> Iterator[float]:
        """Each step lasts from one reading to the next; between two steps the clock is read again."""
        now = next(times)
        for following in times:
            yield now
            yield now  # it has not advanced yet
            yield following
            now = following

    readings = pairs()
    assert clock_resolution(lambda: next(readings)) == 0.5


def test_a_clock_that_stands_still_has_no_resolution(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "LARGEST_ITERATIONS", 1_000)
    with pytest.raises(
        RuntimeError, match=r"^the clock stands still, so nothing can be timed: is time mocked or frozen\?$"
    ):
        clock_resolution(lambda: 7.0)


def test_warming_up_doubles_the_calls_while_a_sample_is_shorter_than_a_hundredth():
    target = Target(Clock(), call_seconds=2.0**-10)  # about 1 ms, and sums of it are exact
    warm_up(target, 1.0, target.clock)
    assert target.sampled[:6] == [1, 2, 4, 8, 16, 16]  # 8 calls take 7.8 ms, 16 take 15.6
    assert target.clock.now == pytest.approx(1.0, abs=0.02)
    assert target.clock.now - 16 * 2.0**-10 < 1.0 <= target.clock.now


def test_a_sample_of_just_a_hundredth_is_long_enough():
    target = Target(Clock(), call_seconds=1.0)
    warm_up(target, 100.0, target.clock)
    assert set(target.sampled) == {1}
    shorter = Target(Clock(), call_seconds=255 / 256)
    warm_up(shorter, 100.0, shorter.clock)
    assert set(shorter.sampled) == {1, 2}


def test_warming_up_ends_at_its_time_and_runs_once_where_it_has_none():
    clock = Clock()
    target = Target(clock, call_seconds=0.25, fixed=1)
    warm_up(target, 1.0, clock)
    assert target.sampled == [1] * 4
    none = Target(Clock(), call_seconds=0.0, fixed=7)
    warm_up(none, 0.0, none.clock)
    assert none.sampled == [7]


def test_warming_up_never_makes_more_than_the_largest_number_of_calls():
    samples = (1e-9,) * 30 + (1.0,)
    target = Target(Clock(), samples=samples)
    warm_up(target, 1.0, target.clock)
    assert target.sampled == [min(2**step, LARGEST_ITERATIONS) for step in range(31)]


def test_samples_are_taken_until_the_budget_is_spent_and_divided_by_their_calls():
    clock = Clock()
    target = Target(clock, call_seconds=0.25, fixed=2)
    samples = measure(target, Plan(budget_seconds=2.0, warmup_seconds=0, min_samples=1), clock)
    assert samples == Samples(2, (0.25,) * 4)
    assert target.sampled == [2] * 5  # one to warm up


@pytest.mark.parametrize(
    ("budget", "least", "most", "taken"), [(0.0, 5, None, 5), (10.0, 5, 7, 7), (10.0, 5, 2, 2), (3.0, 1, 9, 3)]
)
def test_the_fewest_samples_are_taken_beyond_the_budget_and_the_most_within(
    budget: float, least: int, most: int | None, taken: int
):
    clock = Clock()
    plan = Plan(budget_seconds=budget, warmup_seconds=0, min_samples=least, max_samples=most)
    assert len(measure(Target(clock, 1.0, fixed=1), plan, clock).seconds) == taken


def test_free_iterations_are_calibrated_for_the_plans_sample():
    clock = Clock()
    target = Target(clock, call_seconds=1e-6)
    ticking = iter(range(10**9))

    def ticks() -> float:
        return clock.now + next(ticking) * 1e-9

    plan = Plan(budget_seconds=0.0, warmup_seconds=0.0, sample_seconds=4e-3, min_samples=2)
    samples = measure(target, plan, ticks)
    assert samples.iterations == 4_000
    assert target.sampled[-2:] == [4_000, 4_000]


def test_rounds_are_the_authors_and_the_last_calls_result_is_kept():
    target = Target(Clock(), fixed=1, samples=(9.0, 1.0, 2.0, 3.0))
    result, samples = measure_rounds(target, rounds=3, warmup_rounds=1)
    assert samples == Samples(1, (1.0, 2.0, 3.0))
    assert result == "call 4"
    assert target.sampled == [1, 1, 1, 1]


@pytest.mark.parametrize(("warmup_rounds", "fixed"), [(2, 1), (0, 1), (2, 3)])
def test_the_first_round_is_told_once_whether_it_counts_or_not(
    warmup_rounds: int, fixed: int, monkeypatch: pytest.MonkeyPatch
):
    target = Target(Clock(), call_seconds=1.0, fixed=fixed)
    monkeypatch.setattr(sampling, "REAL", SimpleNamespace(wall=lambda: 100.0 + 2 * target.clock.now))
    told: list[tuple[float, int]] = []
    measure_rounds(target, 3, warmup_rounds, lambda seconds: told.append((seconds, len(target.sampled))))
    assert told == [(2.0 * fixed, 1)]  # by the wall clock, whatever the target's own clock says


def test_rounds_of_several_calls_are_divided_by_them_and_one_more_call_gives_the_result():
    target = Target(Clock(), fixed=4, samples=(9.0, 9.0, 1.0, 2.0))
    result, samples = measure_rounds(target, rounds=2, warmup_rounds=2)
    assert samples == Samples(4, (0.25, 0.5))
    assert target.sampled == [4, 4, 4, 4, 1]
    assert result == "call 5"


def test_two_calls_a_round_are_several():
    assert measure_rounds(Target(Clock(), call_seconds=1.0, fixed=2), rounds=1, warmup_rounds=0)[0] == "call 2"


def test_rounds_of_a_free_target_are_single_calls():
    target = Target(Clock(), call_seconds=1.0)
    assert measure_rounds(target, rounds=2, warmup_rounds=0) == ("call 2", Samples(1, (1.0, 1.0)))
    assert measure_rounds(target, rounds=0, warmup_rounds=0) == (None, Samples(1, ()))


def test_a_summary_knows_the_calls_of_a_sample():
    summary = Samples(7, (1.0, 3.0)).summarize()
    assert (summary.iterations, summary.samples, summary.median) == (7, 2, 2.0)


STEPS: dict[str, Callable[[Target], object]] = {
    "warm_up": lambda target: warm_up(target, 4.0, target.clock),
    "calibrate": lambda target: calibrate(target, 1e9, 1e-9),
    "measure": lambda target: measure(target, Plan(budget_seconds=0, warmup_seconds=0), target.clock),
    "rounds": lambda target: measure_rounds(target, rounds=3, warmup_rounds=3),
    "rounds of calls": lambda target: measure_rounds(target, rounds=3, warmup_rounds=3),
}


@pytest.mark.parametrize("step", STEPS)
def test_young_garbage_is_collected_between_any_two_samples(step: str, monkeypatch: pytest.MonkeyPatch):
    """Memory stays bounded while the collector is off: it collects at 50,000 young objects, here at 500."""
    assert collector.YOUNG_OBJECTS == 50_000
    monkeypatch.setattr(collector, "YOUNG_OBJECTS", 500)
    collections: list[str] = []

    def note(phase: str, _: dict[str, Any]) -> None:
        if phase == "stop":
            collections.append(phase)

    fixed = {"calibrate": None, "rounds of calls": 2}.get(step, 1)
    target = Target(Clock(), call_seconds=1.0, fixed=fixed)
    litter: list[list[object]] = []

    def watch() -> int:
        litter.extend([] for _ in range(2_000))  # more young objects than allowed
        return len(collections)

    target.watch = watch
    gc.disable()
    gc.callbacks.append(note)
    try:
        STEPS[step](target)
    finally:
        gc.callbacks.remove(note)
        gc.enable()
    assert len(target.seen) >= 3
    assert all(later > earlier for earlier, later in zip(target.seen, target.seen[1:], strict=False))


@pytest.mark.parametrize("step", ["measure", "rounds"])
def test_collector_and_tracers_are_off_during_samples_and_back_afterwards(step: str):
    def tracer(*_: Any) -> None: ...

    target = Target(Clock(), call_seconds=1.0, fixed=1)
    target.watch = lambda: (gc.isenabled(), sys.gettrace())
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        STEPS[step](target)
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert set(target.seen) == {(False, None)}
    assert after is tracer
    assert gc.isenabled()


def test_a_plan_may_leave_the_collector_on():
    target = Target(Clock(), call_seconds=1.0, fixed=1)
    target.watch = gc.isenabled
    measure(target, Plan(budget_seconds=0, pause_collector=False), target.clock)
    assert set(target.seen) == {True}
