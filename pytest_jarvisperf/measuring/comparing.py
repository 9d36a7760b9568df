"""Compares several functions of one test with each other: measures them in turns, in forked copies of the process."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from jarvisperf.gate.verdict.ranking import FEWEST_PARTS, MOST_PARTS, sections, side_by_side
from jarvisperf.measure.placement import move_elsewhere
from jarvisperf.measure.side_by_side import Together, measure_in_turns
from jarvisperf.measure.targets.call_targets import CoroutineTarget, FunctionTarget, look_at
from pytest_jarvisperf.measuring.forked import ForkedWorkError, in_forks, is_forkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.measure.sampling import Plan
    from jarvisperf.measure.targets.call_targets import Handed, Target
    from jarvisperf.measure.targets.waiters import Waiter
    from jarvisperf.runs.model import SideBySide

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function
FEWEST_FUNCTIONS = 2
MOST_ROUND_SECONDS = 2.0  # one call of each; longer ones are not repeated
CALLS_PER_FORK = 3  # at least: to warm up, to calibrate, and a sample
SAMPLE_SECONDS = 0.0005
WARMUP_SECONDS = 0.005  # in a copy of a process in which every function has run; copied code must be specialized again
EXTRA_SECONDS = 30.0  # that a copy may take beyond its budget; a copy that hangs would take forever


class Compared(NamedTuple):
    """The outcome of a comparison.

    Attributes:
        found: The ranking and all pairs.
        rounds: Seconds of one call of each function together, round by round.
        note: Why the functions were not measured in forked copies; None if they were.
    """

    found: SideBySide
    rounds: list[float]
    note: str | None


class HandedFunctions(NamedTuple):
    """Functions to compare, and what is known about their calls."""

    functions: dict[str, Handed]

    @property
    def is_awaited(self) -> bool:
        """Whether any of them has calls that are awaited."""
        return any(one.is_awaited for one in self.functions.values())

    def together(self, waiter: Waiter | None = None) -> Together:
        """Create the target.

        Args:
            waiter: Where calls are awaited; None: in a new event loop.
        """
        return Together({name: one.target(waiter) for name, one in self.functions.items()})

    def discard(self) -> None:
        """Close the coroutines of first calls that nobody will await."""
        for one in self.functions.values():
            one.discard()


def checked_functions(functions: object) -> dict[str, Callable[[], Any]]:
    """Return the functions if they can be compared.

    Raises:
        TypeError: They are not a mapping of names to functions.
        ValueError: There are fewer than two, or a name is empty.
    """
    if not isinstance(functions, Mapping):
        raise TypeError(f"compare needs a dictionary of functions by name, got {functions!r}")
    for name, function in functions.items():
        if not isinstance(name, str):
            raise TypeError(f"compare: the name {name!r} is not text")
        if not name.strip():
            raise ValueError("compare: a name is empty; the report needs it")
        if not callable(function):
            raise TypeError(f"compare: {name!r} is {function!r}, not a function")
    if len(functions) < FEWEST_FUNCTIONS:
        raise ValueError(f"compare needs two functions or more, got {len(functions)}")
    return dict(functions)


def look_at_all(functions: Mapping[str, Callable[[], Any]]) -> HandedFunctions:
    """Find out which functions' calls must be awaited; see `jarvisperf.measure.targets.look_at`."""
    return HandedFunctions({name: look_at(function) for name, function in functions.items()})


def compare_targets(targets: Mapping[str, Target], plan: Plan, round_seconds: float) -> Compared:
    """Measure targets in turns, and compare all pairs.

    Copies of the process differ in where their code and data lie in memory (see `jarvisperf.measure.placement`), so a
    comparison in several of them is worth more than one of the same duration in a single process.

    Args:
        targets: The targets by name, each called before.
        plan: How long to measure them together.
        round_seconds: Seconds of one call of each.
    """
    if round_seconds > MOST_ROUND_SECONDS:
        parts = [_samples(targets, msgspec.structs.replace(plan, warmup_seconds=0.0, max_samples=1))]
        return Compared(side_by_side(parts, "single measurement"), _sums(parts), None)
    affordable = int(plan.budget_seconds / max(CALLS_PER_FORK * round_seconds, 1e-9))
    note = _why_not_forked(targets)
    if note is None and affordable >= FEWEST_PARTS:
        try:
            parts = _forked(targets, plan, min(MOST_PARTS, affordable))
            return Compared(side_by_side(parts, "in forked processes, in turns"), _sums(parts), None)
        except ForkedWorkError as error:
            note = f"its functions were compared in one process, because a copy of it failed: {error}"
    in_sections = sections(_samples(targets, msgspec.structs.replace(plan, min_samples=FEWEST_PARTS)))
    return Compared(side_by_side(in_sections, "in one process, in turns"), _sums(in_sections), note)


def _why_not_forked(targets: Mapping[str, Target]) -> str | None:
    if any(isinstance(target, CoroutineTarget) for target in targets.values()):
        return "its functions were compared in one process, because an event loop does not survive a fork"
    if not is_forkable():
        return "its functions were compared in one process, because it cannot be forked (threads run, or no os.fork)"
    return None


def _forked(targets: Mapping[str, Target], plan: Plan, count: int) -> list[dict[str, list[float]]]:
    seconds = plan.budget_seconds / count
    share = msgspec.structs.replace(
        plan, budget_seconds=seconds, warmup_seconds=WARMUP_SECONDS, sample_seconds=SAMPLE_SECONDS, min_samples=1
    )
    functions = [target.function for target in targets.values() if isinstance(target, FunctionTarget)]

    def measured_elsewhere() -> dict[str, list[float]]:
        kept = move_elsewhere(functions, random.Random(os.getpid()))  # noqa: S311  # each copy has its own number
        taken = _samples(targets, share)
        del kept  # only now
        return taken

    return in_forks(measured_elsewhere, count, seconds + EXTRA_SECONDS)


def _samples(targets: Mapping[str, Target], plan: Plan) -> dict[str, list[float]]:
    taken = measure_in_turns(list(targets.values()), plan)
    return {name: list(samples.seconds) for name, samples in zip(targets, taken, strict=True)}


def _sums(parts: Sequence[Mapping[str, Sequence[float]]]) -> list[float]:
    return [sum(values) for part in parts for values in zip(*part.values(), strict=True)]
