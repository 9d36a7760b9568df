"""Tests how a benchmark's slices are planned, by the messages that the workers receive."""

from __future__ import annotations

import math
import os

import pytest
from gate.scripted_worker import ScriptedWorker

from jarvisperf.gate.lockstep.slices import (
    FEWEST_BLOCKS,
    LARGEST_ITERATIONS,
    MOST_BLOCKS,
    MOST_SAMPLES,
    PairedSamples,
    SlicePlan,
    measure_time,
)
from jarvisperf.gate.processes.protocol import Ready, TakeTurns

TIME = Ready("time")


def measured(
    call_seconds: float,
    *,
    waiting: float = 0.0,
    ready: Ready = TIME,
    one_core: bool = True,
    head_waiting: float | None = None,
) -> tuple[PairedSamples, TakeTurns]:
    base = ScriptedWorker("base", call_seconds, waiting)
    head = ScriptedWorker("head", call_seconds, waiting if head_waiting is None else head_waiting)
    plan = SlicePlan(seconds=0.016, most_seconds=0.128, one_core=one_core)
    found = measure_time(base, head, ready, plan, base_leads=True)  # type: ignore[arg-type]
    assert [turns.leads for turns in head.turns] == [not turns.leads for turns in base.turns]
    return found, base.turns[-1]


def test_short_calls_are_taken_in_turns_by_the_cpu_clock():
    found, turns = measured(1e-6)
    assert not turns.together
    assert found.method == "process CPU clock"
    assert found.base == pytest.approx([1e-6] * turns.blocks)


def test_long_calls_are_taken_together_where_the_arms_share_a_processor():
    _, turns = measured(0.008)
    assert turns.together
    assert turns.blocks == FEWEST_BLOCKS
    assert not measured(0.008, one_core=False)[1].together


def test_a_call_as_long_as_the_launch_is_taken_once():
    assert measured(1.0)[1].blocks == 1


def test_what_waits_is_taken_in_turns_by_the_wall_clock():
    found, turns = measured(0.05, waiting=0.5)
    assert (turns.clock, turns.together) == ("wall", False)
    assert found.method == "perf_counter"
    assert found.base == pytest.approx([0.05] * turns.blocks)


def test_a_short_wait_is_added_to_long_calls_of_either_arm():
    found, turns = measured(0.008, waiting=0.02, head_waiting=0.1)
    assert turns.together
    assert found.base == pytest.approx([0.008] * turns.blocks)
    assert found.head == pytest.approx([0.008] * turns.blocks)


def test_the_authors_clock_stays():
    _, turns = measured(0.008, ready=Ready("time", own_clock=True))
    assert (turns.clock, turns.together) == ("wall", False)


def test_a_target_that_may_run_once_is_run_once():
    _, turns = measured(0.008, ready=Ready("time", fixed_iterations=1, most_samples=1))
    assert (turns.blocks, turns.iterations, turns.together) == (1, 1, False)


CLOCK_ADVICE = {
    0.0: "its clock shows 0 s for 1,048,576 calls: is time mocked or frozen",
    -1.0: "its clock shows -1 s for 1 calls: is it a clock that only goes forwards",
    math.inf: "its clock shows inf s for 1 calls",
    math.nan: "its clock shows nan s for 1 calls",
}


@pytest.mark.parametrize("call_seconds", CLOCK_ADVICE)
def test_a_clock_that_shows_no_time_is_named_with_what_it_shows(call_seconds: float):
    with pytest.raises(ValueError, match=CLOCK_ADVICE[call_seconds]):
        measured(call_seconds, ready=Ready("time", own_clock=True))


@pytest.mark.parametrize("call_seconds", [0.0, 5e-324, 1e-12, 1e9, 1e99])
@pytest.mark.parametrize("most", [None, 1, 7])
def test_an_authors_iterations_are_measured_in_bounded_steps_whatever_their_clock_shows(
    call_seconds: float, most: int | None
):
    found, turns = measured(call_seconds, ready=Ready("time", fixed_iterations=1, most_samples=most, own_clock=True))
    assert 1 <= turns.blocks <= MOST_BLOCKS
    assert 1 <= turns.samples <= MOST_SAMPLES
    assert set(found.base) == {call_seconds}


@pytest.mark.parametrize("call_seconds", [1e-320, 1e-300, 1e99])
def test_calls_of_any_length_are_calibrated(call_seconds: float):
    found, turns = measured(call_seconds, ready=Ready("time", own_clock=True))
    assert 1 <= turns.iterations <= LARGEST_ITERATIONS
    assert found.base == pytest.approx([call_seconds] * turns.blocks)


def test_a_target_that_only_waits_has_no_time_of_the_processor_to_compare():
    base, head = (ScriptedWorker(name, 1e-4, waits_later=1.0) for name in ("base", "head"))
    plan = SlicePlan(seconds=0.016, most_seconds=0.128, one_core=True)
    ready = Ready("time", fixed_iterations=1, most_samples=8)
    with pytest.raises(ValueError, match="the process CPU clock shows no time"):
        measure_time(base, head, ready, plan, base_leads=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [2, 3, 8, 50])
def test_an_authors_rounds_are_never_exceeded(most: int):
    found, turns = measured(1e-4, ready=Ready("time", fixed_iterations=1, most_samples=most))
    asked = turns.blocks + most // 2
    assert turns.blocks >= 1
    assert len(found.base) == turns.blocks
    assert asked <= most


@pytest.mark.parametrize(("waiting", "told"), [(0.0, "of CPU time, but the system counted"), (0.5, "s passed")])
def test_an_arm_cannot_report_more_time_than_the_system_counted_for_it(waiting: float, told: str):
    """The scripted calls take no time, and are said to be those of this process."""
    base, head = (ScriptedWorker(name, 0.05, waiting, processes=(os.getpid(),)) for name in ("base", "head"))
    plan = SlicePlan(seconds=20.0, most_seconds=20.0, one_core=False)
    with pytest.raises(ValueError, match=told):
        measure_time(base, head, TIME, plan, base_leads=True)  # type: ignore[arg-type]
    chosen = Ready("time", own_clock=True)
    assert measure_time(base, head, chosen, plan, base_leads=True).head  # type: ignore[arg-type]
