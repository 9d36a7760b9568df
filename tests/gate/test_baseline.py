"""Tests screening against stored runs: fine benchmarks pass, the rest are measured again, and none is called
regressed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import get_args

import msgspec
import pytest
from builders import MACHINE, metric, run_of
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.gate.screening.screen import ScreenedMetric, ScreenVerdict, screen
from jarvisperf.runs.bounds import bounded_run
from jarvisperf.runs.commit import Commit
from jarvisperf.runs.model import Benchmark, Metric, Run
from jarvisperf.runs.summary import summarize

ID = "bench.py::test_a"
OTHER_MACHINE = msgspec.structs.replace(MACHINE, cpu="Another CPU")


def run_with(
    seconds: float | None = 1e-3,
    *,
    age: int = 0,
    speed: float | None = None,
    machine=MACHINE,
    commit: str | None = None,
    more: Sequence[Benchmark] = (),
    metrics: dict[str, Metric] | None = None,
) -> Run:
    """A run of one benchmark; `speed` is how slow the machine was according to the yardstick."""
    own = metrics if metrics is not None else {"time": metric(seconds)}
    yardstick = {} if speed is None else {"interpreter": 3e-4 * speed, "memory": 2e-4 * speed}
    return msgspec.structs.replace(
        run_of(*([] if seconds is None else [Benchmark(id=ID, metrics=own, yardstick=yardstick)]), *more),
        created=f"2026-01-{28 - age:02}T00:00:00+00:00",
        machine=machine,
        commit=Commit(id=commit or f"{age:040x}", time="", branch=None, dirty=False),
    )


def earlier(*medians: float, speeds: Sequence[float] = (), **more) -> list[Run]:
    """Runs, newest first."""
    return [
        run_with(median, age=age, speed=speeds[age - 1] if speeds else None, **more)
        for age, median in enumerate(medians, start=1)
    ]


def one(head: Run, baselines: Sequence[Run], threshold=0.05, name: str = "time") -> ScreenedMetric:
    return screen(head, baselines, threshold)[ID].metrics[name]


QUIET = (1.000e-3, 1.004e-3, 0.997e-3, 1.002e-3, 0.999e-3, 1.003e-3)


def test_what_is_clearly_fine_is_unchanged():
    screened = one(run_with(1.001e-3), earlier(*QUIET))
    assert screened.verdict == "unchanged"
    assert not screened.to_confirm
    assert screened.ratio == pytest.approx(1.001)
    assert screened.interval[0] > 0.95
    assert screened.interval[1] < 1.05
    assert (screened.earlier, screened.same_machine, screened.yardstick) == (6, True, False)
    assert screened.base.median == 1.000e-3


@pytest.mark.parametrize(
    ("seconds", "verdict", "to_confirm"),
    [(1.2e-3, "suspicious", True), (1.05e-3, "inconclusive", True), (0.8e-3, "improved?", True)],
)
def test_what_is_beyond_or_at_the_threshold(seconds: float, verdict: str, to_confirm: bool):
    screened = one(run_with(seconds), earlier(*QUIET))
    assert (screened.verdict, screened.to_confirm) == (verdict, to_confirm)


def test_the_same_figure_in_a_noisy_history_cannot_be_told():
    noisy = earlier(1.0e-3, 1.2e-3, 0.9e-3, 1.1e-3, 0.95e-3)
    assert one(run_with(1.001e-3), noisy).verdict == "inconclusive"


def test_one_earlier_run_is_never_enough_for_a_small_threshold():
    screened = one(run_with(1e-3), earlier(1e-3))
    assert screened.verdict == "inconclusive"
    assert screened.interval[1] > 1.3


def test_more_earlier_runs_make_the_interval_narrower():
    widths = [one(run_with(), earlier(*QUIET[:count])).interval[1] for count in (1, 2, 3, 6)]
    assert widths == sorted(widths, reverse=True)


def test_a_slower_machine_is_seen_on_the_yardstick():
    speeds = (1.0, 1.3, 0.9, 1.2, 1.1)
    baselines = earlier(*(1e-3 * speed for speed in speeds), speeds=speeds)
    screened = one(run_with(1.4e-3, speed=1.4), baselines)
    assert (screened.verdict, screened.yardstick) == ("unchanged", True)
    assert screened.ratio == pytest.approx(1)
    assert one(run_with(1.4e-3 * 1.4, speed=1.4), baselines).verdict == "suspicious"


def test_a_slowdown_on_a_faster_machine_does_not_hide():
    speeds = (1.3, 1.29, 1.31, 1.3)
    baselines = earlier(*(1e-3 * speed for speed in speeds), speeds=speeds)
    assert one(run_with(1.3e-3, speed=1.0), baselines).verdict == "suspicious"


def test_a_yardstick_that_does_harm_is_left_out():
    speeds = (1.0, 1.5, 0.8, 1.3, 0.9)
    baselines = earlier(*QUIET[:5], speeds=speeds)
    screened = one(run_with(1.001e-3, speed=1.4), baselines)
    assert (screened.verdict, screened.yardstick) == ("unchanged", False)


def test_the_runs_yardstick_stands_in_for_a_benchmark_without_one():
    def with_run_yardstick(run: Run, speed: float) -> Run:
        return msgspec.structs.replace(run, yardstick={"interpreter": summarize([3e-4 * speed])})

    baselines = [with_run_yardstick(run, 1.0) for run in earlier(*QUIET)]
    screened = one(with_run_yardstick(run_with(2e-3), 2.0), baselines)
    assert screened.yardstick
    assert screened.ratio == pytest.approx(1)


def test_a_workload_that_only_one_side_has_is_not_used():
    head = run_with(1e-3, more=[])
    head = msgspec.structs.replace(
        head, benchmarks=(msgspec.structs.replace(head.benchmarks[0], yardstick={"a new one": 1.0}),)
    )
    assert not one(head, earlier(*QUIET, speeds=[1.0] * 6)).yardstick


def test_few_runs_with_a_yardstick_do_not_drive_out_many_without():
    with_it = earlier(1e-3, 1e-3, speeds=[1, 1])
    without = [msgspec.structs.replace(run, created=f"2025-01-0{day}") for day, run in enumerate(earlier(*QUIET), 1)]
    assert one(run_with(speed=1), [*with_it, *without]).earlier == 8
    assert one(run_with(speed=1), [*with_it, run_with(age=9, speed=1), *without]).earlier == 3


def test_runs_of_other_machines_count_only_where_there_are_no_own():
    others = earlier(*QUIET, machine=OTHER_MACHINE)
    mixed = one(run_with(), [*others, run_with(age=20), run_with(age=21)])
    assert (mixed.earlier, mixed.same_machine) == (2, True)
    alone = one(run_with(), others)
    assert (alone.earlier, alone.same_machine, alone.verdict) == (6, False, "inconclusive")
    assert alone.interval[1] > one(run_with(), earlier(*QUIET)).interval[1] * 1.2


def test_another_method_is_like_another_machine():
    imported = msgspec.structs.replace(metric(1e-3), method="pytest-benchmark")
    baselines = [run_with(age=age, metrics={"time": imported}) for age in range(1, 6)]
    screened = one(run_with(), baselines)
    assert (screened.verdict, screened.same_machine) == ("inconclusive", False)


def test_the_baseline_is_the_newest_run_in_whatever_order_they_come():
    baselines = earlier(2e-3, 1e-3, 1.001e-3, 0.999e-3)
    assert one(run_with(2e-3), baselines).ratio == pytest.approx(1)
    assert one(run_with(2e-3), baselines[::-1]).ratio == pytest.approx(1)


def test_runs_of_the_newest_commit_are_averaged():
    same = [run_with(seconds, age=age, commit="c" * 40) for age, seconds in ((1, 1.0e-3), (2, 1.02e-3))]
    screened = one(run_with(1.01e-3), [*same, run_with(5e-3, age=3)])
    assert screened.ratio == pytest.approx(1, rel=1e-3)


def test_a_step_in_the_history_is_not_taken_for_noise_for_ever():
    stepped = earlier(*QUIET, *(value / 1.3 for value in QUIET), *(value / 1.3 for value in QUIET))
    plain_deviation = 0.13
    screened = one(run_with(1.001e-3), stepped, 0.25)
    assert screened.verdict == "unchanged"
    assert screened.interval[1] < 1 + 2 * plain_deviation


def test_few_wild_samples_widen_the_interval():
    rng = random.Random(3)
    wild = {"time": metric(*(rng.uniform(0.5e-3, 1.5e-3) for _ in range(9)))}
    assert one(run_with(metrics=wild), earlier(*QUIET)).verdict == "inconclusive"


def test_a_benchmark_that_agrees_by_chance_is_held_to_what_its_suite_shows():
    rng = random.Random(5)
    noisy = [f"bench.py::test_{number}" for number in range(5)]

    def with_noisy(run: Run) -> Run:
        more = tuple(Benchmark(id=name, metrics={"time": metric(rng.lognormvariate(-7, 0.05))}) for name in noisy)
        return msgspec.structs.replace(run, benchmarks=(*run.benchmarks, *more))

    alone = one(run_with(), earlier(*[1e-3] * 4))
    in_suite = one(with_noisy(run_with()), [with_noisy(run) for run in earlier(*[1e-3] * 4)])
    assert in_suite.interval[1] > alone.interval[1]


def test_what_is_new_and_what_is_missing():
    gone = Benchmark(id="bench.py::test_gone", metrics={"time": metric(1e-3)})
    failed = Benchmark(id="bench.py::test_failed", error="ValueError")
    there = Benchmark(id="bench.py::test_failed", metrics={"time": metric(1e-3)})
    fresh = Benchmark(id="bench.py::test_fresh", metrics={"time": metric(1e-3)})
    screened = screen(
        run_with(more=[fresh, failed]), [run_with(age=1, more=[gone, there]), run_with(age=2, more=[gone])], 0.05
    )
    assert {name: one.verdict for name, one in screened.items()} == {
        ID: "inconclusive",
        fresh.id: "new",
        gone.id: "missing",
    }
    assert screened[gone.id].metrics["time"].base.median == 1e-3
    assert not screened[fresh.id].to_confirm


def test_a_benchmark_that_was_removed_long_ago_is_not_missing():
    gone = Benchmark(id="bench.py::test_gone", metrics={"time": metric(1e-3)})
    assert list(screen(run_with(), [run_with(age=1), run_with(age=2, more=[gone])], 0.05)) == [ID]


def test_a_metric_can_be_new_or_missing():
    both = {"time": metric(1e-3), "memory": metric(1e6, unit="B")}
    assert one(run_with(metrics=both), earlier(*QUIET), name="memory").verdict == "new"
    baselines = [run_with(age=age, metrics=both) for age in range(1, 6)]
    screened = screen(run_with(), baselines, 0.05)[ID]
    assert {name: metric.verdict for name, metric in screened.metrics.items()} == {
        "time": "unchanged",
        "memory": "missing",
    }
    assert screened.verdict == "missing"


def test_without_earlier_runs_all_is_new():
    assert screen(run_with(), [], 0.05)[ID].verdict == "new"


def test_memory_is_not_divided_by_the_yardstick():
    memory = {"memory": metric(1e6, unit="B")}
    baselines = [run_with(age=age, speed=1.0, metrics=memory) for age in range(1, 5)]
    screened = one(run_with(speed=2.0, metrics=memory), baselines, name="memory")
    assert (screened.verdict, screened.ratio, screened.yardstick) == ("unchanged", 1.0, False)


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(0, 0, "unchanged"), (0, 1e6, "inconclusive"), (1e6, 0, "inconclusive")]
)
def test_zero_bytes(before: float, after: float, verdict: str):
    baselines = [run_with(age=age, metrics={"memory": metric(before, unit="B")}) for age in range(1, 5)]
    assert one(run_with(metrics={"memory": metric(after, unit="B")}), baselines, name="memory").verdict == verdict


def test_a_metric_where_more_is_better_is_turned_round():
    more_is_better = [msgspec.structs.replace(metric(value), better="higher") for value in (*QUIET, 0.8e-3)]
    baselines = [run_with(age=age, metrics={"time": value}) for age, value in enumerate(more_is_better[:-1], 1)]
    assert one(run_with(metrics={"time": more_is_better[-1]}), baselines).verdict == "suspicious"


def test_thresholds_differ_by_benchmark_and_metric_and_none_is_no_judgement():
    asked = []

    def threshold(benchmark: str, name: str) -> float | None:
        asked.append((benchmark, name))
        return None

    screened = one(run_with(1.5e-3), earlier(*QUIET), threshold)
    assert asked == [(ID, "time")]
    assert (screened.verdict, screened.threshold) == ("unchanged", None)
    assert screened.ratio == pytest.approx(1.5)


@pytest.mark.parametrize("threshold", [0, -0.1, float("nan"), float("inf")])
def test_a_threshold_that_cannot_be_is_named(threshold: float):
    with pytest.raises(ValueError, match="the threshold of time is"):
        screen(run_with(), earlier(*QUIET), threshold)


def test_an_id_that_was_cut_in_the_store_still_matches():
    long = Benchmark(id=f"{ID}[{'x' * 5000}]", metrics={"time": metric(1e-3)})
    head = run_with(more=[long])
    screened = screen(head, [bounded_run(run_with(age=age, more=[long])) for age in range(1, 6)], 0.05)
    assert {name: one.verdict for name, one in screened.items()} == {ID: "unchanged", long.id: "unchanged"}


positive = st.floats(1e-9, 1e3)


@given(positive, st.lists(positive, max_size=6), st.floats(1e-3, 1.0), st.none() | st.floats(0.1, 10))
def test_a_stored_comparison_never_says_regressed(
    head: float, medians: list[float], threshold: float, speed: float | None
):
    screened = one(run_with(head, speed=speed), earlier(*medians, speeds=[1.0] * len(medians)), threshold)
    assert screened.verdict in get_args(ScreenVerdict)
    assert "regressed" not in get_args(ScreenVerdict)
    if screened.interval:
        low, high = screened.interval
        assert low <= screened.ratio <= high


@pytest.mark.parametrize("count", [2, 3, 5, 10])
@pytest.mark.parametrize("draw", [lambda rng: rng.gauss(0, 0.02), lambda rng: rng.uniform(-0.04, 0.04)])
def test_the_interval_covers_as_often_as_it_says(count: int, draw: Callable[[random.Random], float]):
    rng = random.Random(count)
    covered = 0
    for _ in range(400):
        head, *others = (1e-3 * 2.718281828 ** draw(rng) for _ in range(count + 1))
        low, high = one(run_with(head), earlier(*others)).interval
        covered += low <= 1 <= high
    assert covered / 400 > 0.92


SIZES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-3, 1.0, 1e300, 1.7e308]) | st.floats(0, allow_infinity=False)


@given(st.lists(SIZES, min_size=1, max_size=3), st.lists(SIZES, max_size=6), st.lists(SIZES, min_size=7, max_size=7))
def test_figures_of_any_size_are_screened(samples: list[float], medians: list[float], speeds: list[float]):
    """Use 0 and the largest float as medians, spread and yardstick, on either side."""
    head = run_with(metrics={"time": metric(*samples)}, speed=speeds[-1] / 4)
    stored = earlier(*medians, speeds=[speed / 4 for speed in speeds])
    screened = one(head, stored)
    assert screened.verdict in get_args(ScreenVerdict)
    if screened.interval is not None:
        assert 0 <= screened.interval[0] <= screened.ratio <= screened.interval[1] <= math.inf
    for better in ("lower", "higher"):
        turned = msgspec.structs.replace(metric(*samples), better=better)
        assert one(run_with(metrics={"time": turned}), stored).verdict in get_args(ScreenVerdict)


def test_a_stored_run_without_samples_is_no_division_by_zero():
    summary = msgspec.structs.replace(metric(1e-3, 2e-3).summary, samples=0)
    empty = run_with(metrics={"time": msgspec.structs.replace(metric(1e-3), summary=summary)})
    assert one(empty, earlier(1e-3)).verdict == "inconclusive"


def test_what_is_better_when_it_is_higher_is_judged_by_base_over_head():
    def throughput(value: float, age: int) -> Run:
        return run_with(age=age, metrics={"time": msgspec.structs.replace(metric(value), better="higher")})

    stored = [throughput(value, age) for age, value in enumerate(QUIET, start=1)]
    assert one(throughput(0.5e-3, 0), stored).verdict == "suspicious"
    assert one(throughput(2e-3, 0), stored).verdict == "improved?"


def test_a_count_needs_one_stored_run_and_does_not_follow_the_machine():
    def run(blocks: float, **more) -> Run:
        return run_with(metrics={"allocations": metric(blocks, unit="blocks")}, **more)

    before = [run(1_000, age=1, speed=2.0)]
    verdicts = {
        blocks: one(run(blocks, speed=1.0), before, name="allocations").verdict for blocks in (1_000, 1_200, 800)
    }
    assert verdicts == {1_000: "unchanged", 1_200: "suspicious", 800: "improved?"}
    assert not one(run(1_000, speed=1.0), before, name="allocations").yardstick
    assert one(run_with(1e-3), [run_with(1e-3, age=1)]).verdict == "inconclusive", "the time of one run tells little"
