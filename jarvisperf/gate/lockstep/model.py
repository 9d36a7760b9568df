"""The data model of a lockstep comparison: what to compare, its progress, and its outcome."""

from __future__ import annotations

from collections.abc import Callable  # msgspec reads the annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from jarvisperf.gate.processes.workers import ArmPlace  # msgspec reads the annotations
from jarvisperf.measure.metrics import BUILT_IN, Metrics
from jarvisperf.measure.metrics.instruction_counters import CountingWay  # likewise

if TYPE_CHECKING:
    from jarvisperf.gate.lockstep.control import ControlState
    from jarvisperf.gate.lockstep.tally import Tally


Counts = Literal["witness", "all", "only"]


class LockstepError(RuntimeError):
    """The comparison as a whole cannot be made; the message says why, and what to do."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The benchmarks to compare, and the rules for stopping.

    Attributes:
        ids: The benchmarks of head, in the order in which they run.
        base: The environment of base.
        head: The environment of head.
        same: The environment of the copy of base, for the control.
        entry: ``module:function`` of the worker.
        args: The worker's arguments.
        thresholds: For each id and metric, how much worse it may get; a missing metric is not compared.
        budget_seconds: Measuring time per benchmark, both arms together.
        budgets: Other budgets, by id.
        most_launches: Maximum number of launches.
        preload: Modules that may be imported before the fork, because they are the same in both arms.
        refused: The reasons why some benchmarks cannot be compared, by id; they are errors from the start.
        seed: The first launch's seed; each launch has a different one.
        folder: The folder for logs.
        separate_written: Gives each arm its own copy of shared files that were written to, and returns their names;
            what was measured in the meantime does not count.
        rewritten_code: Returns the files of code that have changed in an arm since the start.
        metrics: The metrics that tests may measure.
        twins: For pairs within one version of the code: the benchmark that base runs in place of each of these, by id.
            Both environments are then that version's.
        counting: How the arms count instructions; None: they cannot, or need not.
        counts: What instructions are counted for: ``witness``: for what time leaves inconclusive; ``all``: for every
            benchmark, as a metric, after the others; ``only``: likewise, and nothing else is measured.
        has_control: Whether to compare identical code as well; False if the comparisons are of identical code anyway.
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
    rewritten_code: Callable[[], list[str]] = list
    metrics: Metrics = BUILT_IN
    twins: dict[str, str] = {}
    counting: CountingWay | None = None
    counts: Counts = "witness"
    has_control: bool = True

    def budget(self, name: str) -> float:
        """Return a benchmark's measuring time in seconds."""
        return self.budgets.get(name, self.budget_seconds)


@dataclass(slots=True)
class Outcome:
    """The result of a campaign.

    Attributes:
        tallies: The results of each benchmark, by id.
        trusted: False if the control showed a difference, or could never be measured.
        control: The result of the control, in one line.
        launches: Number of launched pairs, not counting those of the control.
        seconds: Its duration.
        counted: The number of benchmarks whose instructions were counted because time could not tell.
        counting_seconds: How long that took.
    """

    tallies: dict[str, Tally]
    trusted: bool = True
    control: str = ""
    launches: int = 0
    seconds: float = 0.0
    counted: int = 0
    counting_seconds: float = 0.0


@dataclass(slots=True)
class Decided:
    """What a campaign has decided so far; another one under the same conditions can continue from there.

    Attributes:
        tallies: The results of the decided benchmarks, by id.
        control: What the control has found.
        spent: Seconds spent so far, by what on.
    """

    tallies: dict[str, Tally]
    control: ControlState
    spent: dict[str, float]


class Progress(msgspec.Struct, frozen=True):
    """The progress of a campaign.

    Attributes:
        launch: The latest running launch.
        benchmark: The benchmark that it is measuring.
        undecided: Number of benchmarks that still need launches.
        total: Number of benchmarks.
        seconds_left: An estimate of the maximum remaining time.
        long_calls: Seconds of one call, by benchmark, if one call takes longer than the whole budget.
        silent: Seconds after which an arm that does not answer is given up, by benchmark, if it has not answered for a
            while.
    """

    launch: int
    benchmark: str
    undecided: int
    total: int
    seconds_left: float
    long_calls: dict[str, float] = {}
    silent: dict[str, float] = {}
