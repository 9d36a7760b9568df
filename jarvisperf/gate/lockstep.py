"""The campaign: launch after launch until every benchmark is decided or its budget is spent."""

from __future__ import annotations

import contextlib
import math
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.gate.control import Control
from jarvisperf.gate.launch import ArmPlace, Launch, Worker, WorkerError
from jarvisperf.gate.protocol import VERSION, Collected, Done, Ready, Run, Sample, Stop, Values
from jarvisperf.gate.slices import SLICE_SECONDS, PairedSamples, SlicePlan, measure_time, measure_values
from jarvisperf.gate.tally import Tally
from jarvisperf.gate.verdict import LOOKS, is_look, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

DEFAULT_BUDGET_SECONDS = 2.0
ANSWER_SECONDS = 120.0
COLLECT_SECONDS = 300.0
NEW_SAMPLES = 20


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
        seed: The first launch's seed; each launch gets one of its own.
        folder: Where logs go.
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
    seed: int
    folder: Any


@dataclass(slots=True)
class Outcome:
    """What a campaign brought.

    Attributes:
        tallies: By id.
        trusted: False when the control showed a difference.
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
        launch: The launch that runs.
        benchmark: Its benchmark that runs.
        undecided: How many benchmarks still need launches.
        total: How many there are.
        seconds_left: A guess, for all that remains at most.
    """

    launch: int
    benchmark: str
    undecided: int
    total: int
    seconds_left: float | None


class Lockstep:
    """Runs a campaign.

    Args:
        campaign: What to compare.
        progress: Called before each benchmark of each launch.
        clock: Seconds as a float.
    """

    def __init__(
        self,
        campaign: Campaign,
        progress: Callable[[Progress], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._campaign = campaign
        self._progress = progress
        self._clock = clock
        self._tallies = {name: Tally() for name in campaign.ids}
        self._control = Control()
        self._launches = 0
        self._spent = {"control": 0.0, "launches": 0.0}
        self._cores = _cores()
        self._ahead: Launch | None = None
        self._leaving: list[Launch] = []

    def run(self) -> Outcome:
        """Run launches until every benchmark is decided, and give what they brought.

        Raises:
            LockstepError: The comparison as a whole cannot be made.
        """
        start = self._clock()
        try:
            self._run_all(self._tallies)
            trusted = self._control.trusted
            if not trusted:
                self._confirm()
        finally:
            self._end_launches()
        return Outcome(
            tallies=self._tallies,
            trusted=trusted,
            control=self._control.describe(),
            launches=self._launches,
            seconds=self._clock() - start,
        )

    def _run_all(self, tallies: dict[str, Tally]) -> None:
        first = self._launches
        while wanted := [name for name, tally in tallies.items() if tally.state == "open"]:
            begin = self._clock()
            self._run_launch(tallies, wanted)
            self._spent["launches"] += self._clock() - begin
            self._control.note_launch()
            self._look(tallies, last=self._launches - first >= self._campaign.most_launches)
            self._run_control(tallies)

    def _run_launch(self, tallies: dict[str, Tally], wanted: Sequence[str]) -> None:
        """Launch pairs until each wanted benchmark was measured once; a pair that dies costs the one it died in."""
        self._launches += 1
        waiting = list(wanted)
        attempt = 0
        while waiting:
            seed = self._campaign.seed + 1_000 * self._launches + attempt
            attempt += 1
            with self._next_launch(seed) as launch:
                base, head = launch.workers
                in_base, in_head = self._collected(base), self._collected(head)
                self._start_ahead()
                self._refuse_foreign({base.name: in_base.foreign, head.name: in_head.foreign})
                while waiting:
                    name = waiting.pop(0)
                    tally = tallies[name]
                    self._tell(name, tallies)
                    try:
                        if name not in in_head.ids:
                            tally.end("error", in_head.problems.get(name.partition("::")[0], "head did not collect it"))
                        elif name not in in_base.ids:
                            self._measure_new(head, name, _next(waiting, in_head), tally)
                            reason = in_base.problems.get(name.partition("::")[0], "the base does not have it")
                            tally.message = tally.message or f"new: {reason}"
                        else:
                            self._measure(launch, name, _next(waiting, in_base, in_head), tally)
                    except WorkerError as error:
                        lines = str(error).splitlines()
                        tally.end("error", lines[0], str(error))
                        launch.kill()
                        break

    def _measure(self, launch: Launch, name: str, following: str | None, tally: Tally) -> None:
        base, head = launch.workers
        order = Run(name, following)
        base.tell(order)
        head.tell(order)
        answers = {worker.name: worker.hear(ANSWER_SECONDS) for worker in (base, head)}
        problem = ""
        while isinstance(ready := answers[base.name], Ready) and isinstance(answers[head.name], Ready):
            if answers[head.name].metric != ready.metric:
                problem = f"base measures {ready.metric} where head measures {answers[head.name].metric}"
            if not problem:
                try:
                    self._take(base, head, name, ready, tally, seed=launch.seed)
                except ValueError as error:
                    problem = str(error)
            base.tell(Stop())
            head.tell(Stop())
            answers = {worker.name: worker.hear(ANSWER_SECONDS) for worker in (base, head)}
        if isinstance(answers[base.name], Done) and isinstance(answers[head.name], Ready):
            answers[head.name] = self._take_alone(head, answers[head.name], tally)
        ends = {worker.name: _let_end(worker, answers[worker.name]) for worker in (base, head)}
        self._refuse_foreign({who: end.foreign for who, end in ends.items()})
        self._conclude(tally, ends[base.name], ends[head.name], problem)

    def _take(self, base: Worker, head: Worker, name: str, ready: Ready, tally: Tally, *, seed: int) -> None:
        plan = SlicePlan(seconds=self._budget(name) / LOOKS[-1], answer_seconds=ANSWER_SECONDS)
        base_leads = seed % 2 == 0
        if ready.metric == "time":
            tally.add("time", measure_time(base, head, ready, plan, base_leads=base_leads))
            return
        values, peaks = measure_values(base, head, plan, rounds=1, base_leads=base_leads)
        tally.add(ready.metric, values)
        if peaks is not None:
            tally.add("memory", peaks)

    def _conclude(self, tally: Tally, base: Done, head: Done, problem: str) -> None:
        tally.group, tally.extra_info = head.group, head.extra_info
        if head.outcome == "failed":
            tally.end("error", f"head: {head.message}", head.traceback)
        elif head.outcome == "skipped":
            tally.end("skipped", head.message)
        elif base.outcome == "failed" and base.lacks:
            tally.end("new", f"new: {base.message}")
        elif base.outcome == "failed":
            tally.end("error", f"base: {base.message}", base.traceback)
        elif base.outcome == "skipped":
            tally.end("new", f"new: the base skips it ({base.message})")
        elif problem:
            tally.end("error", problem)
        elif not tally.metrics:
            tally.end("error", "it handed over no target: a benchmark calls jarvis_bench or benchmark")

    def _measure_new(self, head: Worker, name: str, following: str | None, tally: Tally) -> None:
        """Take the head's figures of a benchmark that the base does not have."""
        end = self._take_alone(head, head.ask(Run(name, following), ANSWER_SECONDS), tally)
        self._refuse_foreign({head.name: end.foreign})
        state = "skipped" if end.outcome == "skipped" else "error" if end.outcome == "failed" else "new"
        tally.end(state, end.message, end.traceback)  # type: ignore[arg-type]

    @staticmethod
    def _take_alone(head: Worker, answer: Ready | Done, tally: Tally) -> Done:
        """Take a few samples of the head where the base has none, and let the test end."""
        while isinstance(answer, Ready):
            taken: list[float] = []
            iterations = answer.fixed_iterations or 1
            rounds = min(NEW_SAMPLES, answer.most_samples or NEW_SAMPLES) if answer.metric == "time" else 1
            while len(taken) < rounds:
                values: Values = head.ask(Sample(iterations), ANSWER_SECONDS)
                if answer.fixed_iterations is None and values.values[0] < SLICE_SECONDS / 2:
                    iterations *= 2
                    continue
                taken += [value / iterations for value in values.values]
            tally.add(answer.metric, PairedSamples(iterations, tuple(taken), tuple(taken)))
            answer = head.ask(Stop(), ANSWER_SECONDS)
        return answer

    def _look(self, tallies: dict[str, Tally], *, last: bool) -> None:
        """Judge what may be judged now, metric by metric, and close what is decided or has spent its budget."""
        metrics = sorted({metric for tally in tallies.values() for metric in tally.metrics})
        for metric in metrics:
            ready = {
                name: tally.metrics[metric]
                for name, tally in tallies.items()
                if tally.state in {"open", "decided"}
                and metric in tally.metrics
                and len(tally.metrics[metric].log_ratios) >= 2
            }
            if not ready:
                continue
            judged = judge(
                {name: found.log_ratios for name, found in ready.items()},
                {name: self._campaign.thresholds[name].get(metric, math.inf) for name in ready},
                tests=len(self._campaign.ids) * len(metrics),
            )
            for name, found in ready.items():
                due = is_look(len(found.log_ratios)) or last or tallies[name].seconds >= self._budget(name)
                if tallies[name].state == "open" and due:
                    found.judgement = judged[name]
        for name, tally in tallies.items():
            if tally.state == "open" and self._is_closed(name, tally, last=last):
                tally.state = "decided"

    def _is_closed(self, name: str, tally: Tally, *, last: bool) -> bool:
        if last or tally.launches >= LOOKS[-1]:
            return True
        if not is_look(tally.launches):
            return False
        judgements = [metric.judgement for metric in tally.metrics.values()]
        if all(judgement is not None and judgement.verdict != "inconclusive" for judgement in judgements):
            return True
        return tally.seconds >= self._budget(name)

    def _run_control(self, tallies: Mapping[str, Tally]) -> None:
        """Launch the same code on both arms with a rotating share of the benchmarks, where the time allows it."""
        comparable = [name for name, tally in tallies.items() if tally.state in {"open", "decided"}]
        finished = not any(tally.state == "open" for tally in tallies.values())
        share = self._control.affordable_share(self._spent["launches"], self._spent["control"], len(comparable))
        if finished and not self._control.has_run:
            share = max(share, 1)
        names = self._control.rotate(comparable, share)
        if not names:
            return
        begin = self._clock()
        seen = {name: Tally() for name in names}
        seed = self._campaign.seed + 1_000 * self._launches + 500
        try:
            with self._launch((self._campaign.base, self._campaign.same), seed) as launch:
                collected = [self._collected(worker) for worker in launch.workers]
                waiting = [name for name in names if all(name in found.ids for found in collected)]
                while waiting:
                    name = waiting.pop(0)
                    self._measure(launch, name, _next(waiting, *collected), seen[name])
        except WorkerError:
            pass  # the control needs no benchmark in particular: those that were measured before count
        for name, tally in seen.items():
            metric = tally.metrics.get("time")
            if metric is not None and tally.state == "open":
                self._control.add(name, metric.log_ratios[0], self._tallies[name].metrics["time"].log_ratios)
        self._control.ran()
        self._spent["control"] += self._clock() - begin

    def _confirm(self) -> None:
        """Measure again, afresh, what regressed in a run that is not trusted; what is not confirmed is inconclusive."""
        doubted = [
            name
            for name, tally in self._tallies.items()
            if any(metric.judgement and metric.judgement.verdict == "regressed" for metric in tally.metrics.values())
        ]
        again = {name: Tally() for name in doubted}
        self._run_all(again)
        for name in doubted:
            for metric_name, metric in self._tallies[name].metrics.items():
                second = again[name].metrics.get(metric_name)
                confirmed = second is not None and second.judgement and second.judgement.verdict == "regressed"
                if metric.judgement and metric.judgement.verdict == "regressed" and not confirmed:
                    metric.judgement = msgspec.structs.replace(metric.judgement, verdict="inconclusive")

    def _launch(self, places: tuple[ArmPlace, ArmPlace], seed: int, *, ahead: bool = False) -> Launch:
        core = self._cores[(self._launches + ahead) % len(self._cores)] if self._cores else None
        campaign = self._campaign
        start_core = core if ahead else None
        return Launch(places, campaign.entry, campaign.args, seed, campaign.folder, core, start_core, campaign.preload)

    @contextlib.contextmanager
    def _next_launch(self, seed: int) -> Iterator[Launch]:
        """Give the pair that was started ahead, or a new one; it ends while the next one begins."""
        launch, self._ahead = self._ahead, None
        if launch is None:
            launch = self._launch((self._campaign.base, self._campaign.head), seed)
        try:
            yield launch
        finally:
            launch.dismiss()
            self._leaving.append(launch)
            while len(self._leaving) > 1:
                self._leaving.pop(0).reap()

    def _start_ahead(self) -> None:
        """Start the next pair on the processor that this one does not measure on, where one will surely be needed."""
        more = self._launches < self._campaign.most_launches and not is_look(self._launches)
        if more and self._ahead is None and len(self._cores) > 1:
            seed = self._campaign.seed + 1_000 * (self._launches + 1) + 900
            self._ahead = self._launch((self._campaign.base, self._campaign.head), seed, ahead=True)

    def _end_launches(self) -> None:
        if self._ahead is not None:
            self._ahead.kill()
        for launch in self._leaving:
            launch.reap()

    def _collected(self, worker: Worker) -> Collected:
        try:
            answer = worker.hear(COLLECT_SECONDS)
        except WorkerError as error:
            raise LockstepError(f"the {worker.name} arm could not start: {error}") from error
        if not isinstance(answer, Collected) or answer.version != VERSION:
            raise LockstepError(f"the {worker.name} arm runs a version of jarvisperf that cannot be compared with this")
        return answer

    @staticmethod
    def _refuse_foreign(foreign: Mapping[str, Mapping[str, str]]) -> None:
        for arm, modules in foreign.items():
            for name, file in modules.items():
                raise LockstepError(
                    f"the {arm} arm imported {name} from {file}, not from its own checkout, so both arms might measure "
                    "the same code; uninstall that copy, install the project in editable mode, or give "
                    "--jarvis-arm-install a command that installs it into each arm"
                )

    def _budget(self, name: str) -> float:
        return self._campaign.budgets.get(name, self._campaign.budget_seconds)

    def _tell(self, name: str, tallies: Mapping[str, Tally]) -> None:
        if self._progress is None:
            return
        undecided = sum(tally.state == "open" for tally in tallies.values())
        done = self._launches - 1
        left = None
        if done:
            per_launch = (self._spent["launches"] + self._spent["control"]) / done
            left = per_launch * max(0, LOOKS[-1] - done) * undecided / max(1, len(tallies))
        self._progress(Progress(self._launches, name, undecided, len(tallies), left))


def collect(place: ArmPlace, entry: str, args: Mapping[str, Any], folder: Path) -> list[str]:
    """Collect the benchmarks of one arm, and give their ids; none where that fails.

    Args:
        place: Where the arm runs.
        entry: ``module:function`` of the worker.
        args: What the worker gets.
        folder: Where its log goes.
    """
    with Launch((place,), entry, args, seed=0, folder=folder, core=None) as launch:
        try:
            answer = launch.workers[0].hear(COLLECT_SECONDS)
        except WorkerError:
            return []
    return answer.ids if isinstance(answer, Collected) else []


def _next(waiting: Sequence[str], *collected: Collected) -> str | None:
    return next((name for name in waiting if all(name in found.ids for found in collected)), None)


def _let_end(worker: Worker, answer: Ready | Done) -> Done:
    while isinstance(answer, Ready):
        answer = worker.ask(Stop(), ANSWER_SECONDS)
    return answer


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
