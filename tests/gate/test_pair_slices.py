"""Tests how the slices of a pair are planned: two benchmarks of one version, which may take very different times."""

from __future__ import annotations

import pytest
from gate.scripted_worker import ScriptedWorker

from jarvisperf.gate.lockstep.pair_slices import measure_pair
from jarvisperf.gate.lockstep.slices import PairedSamples, SlicePlan
from jarvisperf.gate.lockstep.tally import Tally
from jarvisperf.gate.processes.protocol import Ready
from jarvisperf.measure.metrics import TIME

ANY = Ready("time")


def measured(before: ScriptedWorker, after: ScriptedWorker, targets: tuple[Ready, Ready] = (ANY, ANY)) -> PairedSamples:
    plan = SlicePlan(seconds=0.016, most_seconds=0.128, one_core=True)
    return measure_pair(before, after, targets, plan, base_leads=True)  # type: ignore[arg-type]


def test_each_side_makes_as_many_calls_as_its_own_duration_allows():
    before, after = ScriptedWorker("base", 1e-3), ScriptedWorker("head", 1e-6)
    found = measured(before, after)
    slow, quick = before.turns[-1], after.turns[-1]
    assert slow.iterations == 1
    assert quick.iterations > 50
    assert (slow.blocks, slow.number, slow.clock) == (quick.blocks, quick.number, quick.clock)
    assert slow.leads != quick.leads
    assert found.base == pytest.approx([1e-3] * slow.blocks)
    assert found.head == pytest.approx([1e-6] * slow.blocks)


def test_the_time_spent_counts_both_sides_calls():
    before, after = ScriptedWorker("base", 1e-3), ScriptedWorker("head", 1e-6)
    tally = Tally()
    tally.add(TIME, measured(before, after))
    spent = [side.call_seconds * side.turns[-1].iterations * side.turns[-1].samples for side in (before, after)]
    assert tally.seconds == pytest.approx(sum(spent) * before.turns[-1].blocks)


def test_both_sides_have_the_same_clock_even_if_only_one_waits():
    before, after = ScriptedWorker("base", 0.01, waiting=0.9), ScriptedWorker("head", 1e-6)
    found = measured(before, after)
    assert {side.turns[-1].clock for side in (before, after)} == {"wall"}
    assert found.base[0] == pytest.approx(0.01)


def test_a_side_with_few_calls_limits_the_turns_of_both():
    before, after = ScriptedWorker("base", 1e-3), ScriptedWorker("head", 1e-6)
    few = Ready("time", 1, most_samples=6)
    measured(before, after, (few, ANY))
    assert before.turns[-1].blocks == after.turns[-1].blocks <= 6


def test_single_calls_are_taken_once():
    before, after = ScriptedWorker("base", 1e-3), ScriptedWorker("head", 1e-3)
    single = Ready("time", 1, most_samples=1)
    found = measured(before, after, (single, single))
    assert len(found.base) == len(found.head) == 1
