"""Compares the time that a lockstep run announces with the time it takes, on a simulated clock and without
processes."""

from __future__ import annotations

import math
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from jarvisperf.gate.lockstep import campaign as lockstep
from jarvisperf.gate.lockstep.campaign import Lockstep
from jarvisperf.gate.lockstep.model import Campaign, Progress
from jarvisperf.gate.lockstep.remaining_time import Pace
from jarvisperf.gate.lockstep.slices import PairedSamples
from jarvisperf.gate.lockstep.tally import Tally
from jarvisperf.gate.processes.workers import ArmPlace
from jarvisperf.gate.verdict.decide import LOOKS
from jarvisperf.measure.metrics import TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NEAR = 0.25
ONE_LAUNCH = 2.6  # of the control, with one benchmark: whether another one fits is known only late


class Machine:
    """A machine on which starting a pair takes 2 s, and each call of a benchmark takes as long as the test says."""

    def __init__(self, calls: Mapping[str, float], noise: Mapping[str, float]) -> None:
        self.now = 1_000.0
        self.calls = calls
        self.noise = noise
        self.generator = random.Random(5)

    def clock(self) -> float:
        return self.now

    def paired_run(
        self, start: Any, forks: Mapping[str, int], budget: Callable[[str], float], *rest: Any, **_: Any
    ) -> FakeRun:
        tell = next(one for one in rest if callable(one))
        return FakeRun(self, forks, budget, tell)


class FakeRun:
    """A launch whose forks take their share of the budget, but at least 4 calls of each arm."""

    def __init__(
        self, machine: Machine, forks: Mapping[str, int], budget: Callable[[str], float], tell: Callable[[str], None]
    ) -> None:
        self.machine = machine
        self.forks = forks
        self.budget = budget
        self.tell = tell

    def run(self) -> dict[str, Tally]:
        machine = self.machine
        machine.now += 2.0
        tallies = {}
        for name in self.forks:
            self.tell(name)
            call = machine.calls[name]
            calls = max(4, round(self.budget(name) / LOOKS[-1] / 2 / call))
            factor = math.exp(machine.generator.gauss(0, machine.noise[name]))
            tally = Tally(forks=1)
            tally.add(TIME, PairedSamples(calls // 4, (call,) * 4, (call * factor,) * 4))
            machine.now += 0.3 + 4 * call + 2 * call * calls  # a set-up, warm calls, and the slices
            tally.end_launch()
            tallies[name] = tally
        return tallies


@pytest.mark.parametrize(
    ("calls", "undecided", "last"),
    [
        ({"tiny": 1e-6}, {"tiny"}, 12),
        ({"long": 2.0}, {"long"}, 4),
        ({"tiny": 1e-6, "long": 2.0}, {"tiny", "long"}, 12),
        ({f"tiny{number}": 1e-6 for number in range(30)} | {"longer": 0.02}, {"longer"}, 12),
        ({f"longer{number}": 0.02 for number in range(10)} | {"tiny": 1e-6}, {"tiny"}, 12),
    ],
    ids=["1 us", "2 s: one look spends the budget", "both", "a long one is left", "a short one is left"],
)
def test_what_is_announced_from_the_second_look_on_is_what_it_takes(
    calls: dict[str, float], undecided: set[str], last: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    machine = Machine(calls, {name: 0.3 if name in undecided else 0.002 for name in calls})
    monkeypatch.setattr(lockstep, "Launch", machine.paired_run)
    place = ArmPlace("base", (), tmp_path, (), {})
    campaign = Campaign(
        ids=tuple(calls), base=place, head=place, same=place, entry="", args={},
        thresholds={name: {"time": 0.05} for name in calls}, budget_seconds=2.0, budgets={},
        most_launches=LOOKS[-1], seed=0, folder=tmp_path,
    )  # fmt: skip
    announced: list[tuple[int, float, float]] = []

    def note(progress: Progress) -> None:
        announced.append((progress.launch, machine.now, progress.seconds_left))

    Lockstep(campaign, note, machine.clock).run()
    end = machine.now
    assert announced[-1][0] == last
    second_look = min(last, LOOKS[1])
    for launch, now, left in announced:
        if launch >= second_look:
            assert abs(left - (end - now)) <= NEAR * (end - now) + ONE_LAUNCH
        elif 1 < launch <= LOOKS[0]:  # some may be decided sooner: the announced time is the maximum
            assert left >= (1 - NEAR) * (end - now) - ONE_LAUNCH


def test_before_anything_was_seen_the_guess_counts_and_what_has_taken_longer_by_now():
    now = 0.0
    pace = Pace(lambda: now)
    assert pace.seconds_left({"a": 4, "b": 2}, 2, lambda _: 3.0) == pytest.approx(2 * 1.0 + 2 * 3.0 + 3.0)
    pace.begin(1)
    now = 2.0
    pace.measures(1, "a")
    now = 12.0
    assert pace.seconds_left({"a": 2, "b": 2}, 1, lambda _: 3.0) == pytest.approx(2 * (2.0 + 10.0 + 3.0) - 12.0)


def test_a_benchmark_in_several_forks_takes_what_all_of_them_take():
    now = 0.0
    pace = Pace(lambda: now)
    pace.begin(1)
    now = 1.0
    for name, seconds in (("a", 2.0), ("b", 1.0), ("a", 2.0), ("b", 1.0)):
        pace.measures(1, name)
        now += seconds
    pace.end(1)
    assert pace.seconds_left({"a": 3}, 1, lambda _: 0.0) == pytest.approx(3 * (1.0 + 4.0))
    assert pace.seconds_left({"b": 3}, 2, lambda _: 0.0) == pytest.approx(2 * (1.0 + 2.0))
    assert pace.seconds_left({}, 2, lambda _: 0.0) == 0.0
