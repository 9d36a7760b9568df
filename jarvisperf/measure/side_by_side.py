"""Takes samples of several targets in turns in this process, and treats several targets as one."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from jarvisperf.clocks import REAL
from jarvisperf.measure.collector import collect_between_samples, collector_paused
from jarvisperf.measure.instrumentation import uninstrumented
from jarvisperf.measure.sampling import Samples, calibrate, clock_resolution, warm_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from jarvisperf.measure.sampling import Plan
    from jarvisperf.measure.targets.call_targets import Clock, Target

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function


class Together:
    """Several targets, each called once, as one target.

    Args:
        targets: The targets by name, one or more.
    """

    fixed_iterations: int | None = None
    sets_up = False

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self.targets = dict(targets)

    @property
    def has_own_clock(self) -> bool:
        """Whether the author of the benchmark chose a clock."""
        return any(target.has_own_clock for target in self.targets.values())

    def sample(self, iterations: int) -> float:
        """Call every target `iterations` times and return the total seconds."""
        return math.fsum(target.sample(iterations) for target in self.targets.values())

    def samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        """Take several samples inside a context."""
        return [
            math.fsum(target.samples(iterations, 1, around)[0] for target in self.targets.values())
            for _ in range(count)
        ]

    def call(self) -> dict[str, Any]:
        """Call every target once and return the results by name."""
        return {name: target.call() for name, target in self.targets.items()}

    def timed_call(self) -> tuple[float, dict[str, Any]]:
        """Call every target once; return the total seconds and the results by name."""
        called = {name: target.timed_call() for name, target in self.targets.items()}
        return math.fsum(seconds for seconds, _ in called.values()), {name: got for name, (_, got) in called.items()}

    def use_clock(self, clock: Clock) -> None:
        """Use another clock for further samples."""
        for target in self.targets.values():
            target.use_clock(clock)

    def close(self) -> None:
        """Release what the targets hold."""
        for target in self.targets.values():
            target.close()


def measure_in_turns(targets: Sequence[Target], plan: Plan, clock: Clock = REAL.wall) -> list[Samples]:
    """Warm up and calibrate targets, then take one sample of each, round by round.

    Every round begins with another target and has the other direction, so that none always follows the same one.

    Args:
        targets: The targets, one or more.
        plan: How long and how finely to measure all of them together; `min_samples` and `max_samples` count rounds.
        clock: Returns seconds; the budget is counted with it.

    Returns:
        The samples of each target, as many as there were rounds.
    """
    with uninstrumented(), collector_paused() if plan.pause_collector else nullcontext():
        resolution = clock_resolution(clock)
        for target in targets:
            warm_up(target, plan.warmup_seconds / len(targets), clock)
        iterations = [
            target.fixed_iterations or calibrate(target, plan.sample_seconds, resolution) for target in targets
        ]
        seconds: list[list[float]] = [[] for _ in targets]
        most = plan.max_samples or math.inf
        rounds = 0
        end = clock() + plan.budget_seconds
        while rounds < most and (rounds < plan.min_samples or clock() < end):
            for place in _order(len(targets), rounds):
                seconds[place].append(targets[place].sample(iterations[place]) / iterations[place])
                collect_between_samples()
            rounds += 1
    return [Samples(count, tuple(taken)) for count, taken in zip(iterations, seconds, strict=True)]


def _order(count: int, turn: int) -> list[int]:
    """Return the order of a round: A B C, A C B, B C A, B A C, …."""
    direction = 1 if turn % 2 == 0 else -1
    return [(turn // 2 + direction * step) % count for step in range(count)]
