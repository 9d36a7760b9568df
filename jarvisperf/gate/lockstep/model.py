"""What a lockstep comparison is asked to do, how far it is, and what it brought."""

from __future__ import annotations

from collections.abc import Callable  # msgspec reads the annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.gate.processes.workers import ArmPlace  # msgspec reads the annotations

if TYPE_CHECKING:
    from jarvisperf.gate.lockstep.tally import Tally


class LockstepError(RuntimeError):
    """The comparison as a whole cannot be made; the message says why, and what to do."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be compared, and how far.

    Attributes:
        ids: The benchmarks of head, in the order in which they run.
        base: Where the base runs.
        head: Where the head runs.
        same: Where the base's copy runs, for the control.
        entry: ``module:function`` of the worker.
        args: What the worker gets.
        thresholds: For each id and metric how much worse it may get; a missing metric is not compared.
        budget_seconds: Measuring time per benchmark, both arms together.
        budgets: Other budgets, by id.
        most_launches: Where to stop at the latest.
        preload: Modules that may be imported before the arms part, because neither has a version of its own of them.
        refused: Why some of them cannot be compared, by id; they are errors from the start.
        seed: The first launch's seed; each launch gets one of its own.
        folder: Where logs go.
        separate_written: Gives each arm its own of the files that they share and that were written to, and names them;
            what was measured meanwhile does not count.
    """

    ids: tuple[str, ...]
    base: ArmPlace
    head: ArmPlace
    same: ArmPlace
    entry: str
    args: dict[str, Any]
    thresholds: dict[str, dict[str, float]]
    budget_seconds: float
    budgets: dict[str, float]
    most_launches: int
    preload: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    seed: int
    folder: Any
    separate_written: Callable[[], list[str]] = list

    def budget(self, name: str) -> float:
        """Give the seconds that measuring a benchmark may take."""
        return self.budgets.get(name, self.budget_seconds)


@dataclass(slots=True)
class Outcome:
    """What a campaign brought.

    Attributes:
        tallies: By id.
        trusted: False when the control showed a difference, or could never be measured.
        control: What the control says, in one line.
        launches: How many pairs were launched, the control's not counted.
        seconds: How long it took.
    """

    tallies: dict[str, Tally]
    trusted: bool = True
    control: str = ""
    launches: int = 0
    seconds: float = 0.0


class Progress(msgspec.Struct, frozen=True):
    """How far a campaign is.

    Attributes:
        launch: The latest launch that runs.
        benchmark: Its benchmark that runs.
        undecided: How many benchmarks still need launches.
        total: How many there are.
        seconds_left: A guess, for all that remains at most.
        long_calls: Seconds of one call of each benchmark where one call is known to take longer than the whole budget.
    """

    launch: int
    benchmark: str
    undecided: int
    total: int
    seconds_left: float
    long_calls: dict[str, float] = {}
