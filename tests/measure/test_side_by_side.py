"""Several targets in one process: samples in turns, and all of them as one target."""

from __future__ import annotations

from contextlib import nullcontext

from jarvisperf.measure.sampling import Plan
from jarvisperf.measure.side_by_side import Together, measure_in_turns
from jarvisperf.measure.targets import SetUpTarget, make_target


def test_targets_take_turns_and_none_always_follows_the_same_one():
    order: list[str] = []
    targets = [SetUpTarget(lambda name=name: order.append(name)) for name in "abc"]
    plan = Plan(budget_seconds=0.0, warmup_seconds=0.0, min_samples=6, max_samples=6)
    taken = measure_in_turns(targets, plan)
    assert [len(samples.seconds) for samples in taken] == [6, 6, 6]
    rounds = ["".join(order[start : start + 3]) for start in range(len(order) - 18, len(order), 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len(set(rounds)) == 6


def test_together_every_target_is_called_as_often():
    calls: list[str] = []
    together = Together({name: make_target(lambda name=name: calls.append(name) or name) for name in "ab"})
    assert together.call() == {"a": "a", "b": "b"}
    calls.clear()
    assert together.sample(3) >= 0
    assert sorted(calls) == ["a", "a", "a", "b", "b", "b"]
    calls.clear()
    assert len(together.samples(2, 2, nullcontext())) == 2
    assert sorted(calls) == ["a"] * 4 + ["b"] * 4
    together.close()


def test_together_a_clock_is_used_by_every_target():
    together = Together({name: make_target(len, ["ab"]) for name in "ab"})
    assert not together.has_own_clock
    together.use_clock(iter(range(100)).__next__)
    assert together.has_own_clock
    assert together.sample(1) == 2
