"""Runs a campaign: launch after launch until every benchmark is decided or its budget is spent."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.clocks import REAL
from jarvisperf.gate.arms.advice import Advisor
from jarvisperf.gate.lockstep import witness
from jarvisperf.gate.lockstep.control import MOST_EXTRA_TIME, Control
from jarvisperf.gate.lockstep.distrust import confirmed_by, take_back, to_confirm
from jarvisperf.gate.lockstep.launch import FORKS, SEEDS_PER_LAUNCH, Launch, listed_by
from jarvisperf.gate.lockstep.model import Decided, LockstepError, Outcome, Progress
from jarvisperf.gate.lockstep.remaining_time import Pace
from jarvisperf.gate.lockstep.tally import Tally
from jarvisperf.gate.processes.answer_timeouts import Patience
from jarvisperf.gate.processes.workers import WorkerPair
from jarvisperf.gate.verdict.decide import LOOKS, is_look, judge
from jarvisperf.measure.metrics import TIME
from jarvisperf.measure.metrics.instructions import INSTRUCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from typing import Any

    from jarvisperf.gate.lockstep.control import ControlState
    from jarvisperf.gate.lockstep.model import Campaign
    from jarvisperf.gate.processes.protocol import Collected
    from jarvisperf.gate.processes.workers import ArmPlace
    from jarvisperf.gate.verdict.decide import Judgement

MOST_LANES = 2
NO_COMMAND: tuple[str, ...] = ()
WALL_PER_SLICES = 2.0  # on one lane, a run takes about this many times its measuring time
WIDEST_QUOTED = 1.1  # the upper end of the interval of a pair's ratio divided by the lower one
NOT_COMPARED = "not compared:"  # prefix of the message of a benchmark without a verdict when the run ended


class Lockstep:
    """Runs a campaign.

    Launches run in lanes, one pair of workers on each of up to two CPUs. Within a pair, one arm runs while the other
    waits, and the influence of the other lane on both arms cancels out.

    Args:
        campaign: The benchmarks to compare, and when to stop.
        progress: Called before each benchmark of each launch, from one thread at a time.
        clock: Returns the time in seconds.
        earlier: What an interrupted campaign under the same conditions had decided; it is not measured again.
        keep: Called with all decisions whenever there are new ones.
    """

    def __init__(
        self,
        campaign: Campaign,
        progress: Callable[[Progress], None] | None = None,
        clock: Callable[[], float] = REAL.wall,
        *,
        earlier: Decided | None = None,
        keep: Callable[[Decided], None] | None = None,
    ) -> None:
        self._campaign = campaign
        self._progress = progress
        self._clock = clock
        self._tallies = {name: Tally(forks=FORKS) for name in campaign.ids}
        for name, reason in campaign.refused.items():
            self._tallies[name].end("error", reason)
        self._control = Control()
        self._keep = keep
        self._kept: tuple[int, ControlState] | None = None
        self._launches = 0
        self._batches = 0
        self._pace = Pace(clock)
        self._control_until = 0.0
        self._long_calls: dict[str, float] = {}
        self._silent: dict[str, float] = {}
        self._patience = Patience()
        self._spent = {"control": 0.0, "launches": 0.0, "counting": 0.0}
        self._counts_now = campaign.counts == "only"
        self._counted = 0
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self._lanes = max(1, min(MOST_LANES, len(self._cores)))
        self._unforked: set[str] = set()
        self._running: set[WorkerPair] = set()
        self._stopped = False
        self._lock = threading.Lock()
        if earlier is not None:
            self._continue(earlier)

    def _continue(self, earlier: Decided) -> None:
        """Take over what an interrupted campaign had decided, with its control, which vouches for it."""
        self._tallies |= {name: tally for name, tally in earlier.tallies.items() if name in self._tallies}
        self._control = Control.continued(earlier.control)
        self._spent |= {name: earlier.spent.get(name, 0.0) for name in ("control", "launches")}

    def run(self) -> Outcome:
        """Run launches until every benchmark is decided, and return the results.

        Raises:
            LockstepError: The comparison as a whole cannot be made.
        """
        start = self._clock()
        self._run_all(self._tallies)
        if not self._batches and self._has_control and not self._control.has_run:
            # Everything was taken over, from a run that was interrupted before its first control.
            self._run_control(self._tallies)
        trusted, description = self._control.trusted, self._control.describe()
        if not trusted:
            self._confirm()
        if self._campaign.counting is not None and self._campaign.counts == "all":
            self._count_as_metric()
        elif self._campaign.counting is not None and self._campaign.counts == "witness":
            self._call_witness(trusted=trusted)
        return self._outcome(self._clock() - start, description, trusted=trusted)

    def so_far(self, reason: str) -> Outcome:
        """Return the results of a run that ended early.

        Decided benchmarks stay decided. Those that were undecided at a look are inconclusive; all others are errors.

        Args:
            reason: The reason why the run ended, in one line; details may follow it.
        """
        for tally in self._tallies.values():
            if tally.state == "open" and tally.metrics and all(one.judgement for one in tally.metrics.values()):
                tally.state = "decided"
            elif tally.state == "open":
                summary, _, details = reason.partition("\n")
                tally.end("error", f"{NOT_COMPARED} {summary}", f"{NOT_COMPARED} {reason}" if details else "")
        trusted = self._control.trusted
        if not trusted:
            take_back(self._tallies)
        return self._outcome(0.0, self._control.describe(), trusted=trusted)

    def _outcome(self, seconds: float, control: str, *, trusted: bool) -> Outcome:
        return Outcome(
            tallies=self._tallies,
            trusted=trusted,
            control=control,
            launches=self._launches,
            seconds=seconds,
            counted=self._counted,
            counting_seconds=self._spent["counting"],
        )

    def _run_all(self, tallies: dict[str, Tally]) -> None:
        done = 0
        while wanted := [name for name, tally in tallies.items() if tally.state == "open"]:
            begin = self._clock()
            batch = min(self._lanes, self._campaign.most_launches - done)
            self._run_batch(tallies, wanted, batch)
            done += batch
            self._spent["launches"] += self._clock() - begin
            self._control.note_launch()
            self._look(tallies, last=done >= self._campaign.most_launches)
            self._keep_decisions()
            if self._has_control:
                self._run_control(tallies)
                self._keep_decisions()

    @property
    def _has_control(self) -> bool:
        return self._campaign.has_control and not self._counts_now

    def _keep_decisions(self) -> None:
        """Hand over what is decided if that has changed, so that it survives whatever ends this run."""
        if self._keep is None:
            return
        decided = {name: tally for name, tally in self._tallies.items() if tally.state == "decided"}
        now = (len(decided), self._control.state())
        if decided and now != self._kept:
            self._kept = now
            self._keep(Decided(decided, now[1], dict(self._spent)))

    def _run_batch(self, tallies: dict[str, Tally], wanted: Sequence[str], size: int) -> None:
        """Run a launch on each lane, and add the results.

        Benchmarks that fail while two launches run are tried again in a single launch: the launches may have competed
        for a file or a port. If that was the reason, only one lane is used from then on.
        """
        found = self._launched(tallies, wanted, size)
        if self._campaign.separate_written():
            found = self._launched(tallies, wanted, size)
        failed = [name for name in wanted if any(_may_be_the_others_fault(one[name]) for one in found)]
        if failed and size > 1:
            (alone,) = self._launched(tallies, failed, 1)
            mended = {name: tally for name, tally in alone.items() if tally.state != "error"}
            if mended:
                self._lanes = 1
                found = [{name: tally for name, tally in one.items() if name not in mended} for one in found]
                found.append(mended)
        self._check_code()
        for one in found:
            for name, tally in one.items():
                tallies[name].absorb(tally)

    def _check_code(self) -> None:
        """Check that both arms still have the code that is to be compared.

        Raises:
            LockstepError: A file has changed.
        """
        changed = self._campaign.rewritten_code()
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise LockstepError(
                f"{changed[0]}{more} changed while it was measured; a benchmark must not write to the project's code, "
                "so what it measured last does not count"
            )

    def _launched(self, tallies: Mapping[str, Tally], wanted: Sequence[str], size: int) -> list[dict[str, Tally]]:
        self._batches += 1
        runs = []
        for lane in range(size):
            self._launches += 1
            runs.append(
                self._paired_run(
                    self._campaign.head,
                    lane,
                    {name: tallies[name].forks for name in wanted},
                    self._campaign.seed + SEEDS_PER_LAUNCH * self._launches,
                    lambda name, launch=self._launches: self._tell(launch, name, tallies),  # type: ignore[misc]
                )
            )
        numbers = range(self._launches - size + 1, self._launches + 1)
        return list(
            self._in_lanes([partial(self._timed, run, number) for run, number in zip(runs, numbers, strict=True)])
        )

    def _timed(self, run: Launch, number: int) -> dict[str, Tally]:
        self._pace.begin(number)
        try:
            return run.run()
        finally:
            self._pace.end(number)

    def _paired_run(
        self, other: ArmPlace, lane: int, forks: Mapping[str, int], seed: int, tell: Callable[[str], None]
    ) -> Launch:
        campaign = self._campaign
        names = campaign.args.get("names", ())
        places = {place.name: place for place in (campaign.base, other)}
        advise = Advisor(Path(campaign.args.get("repository", campaign.folder)), places).advise
        return Launch(
            self._starter(other, lane),
            forks,
            campaign.budget,
            self._unforked,
            names,
            seed,
            tell,
            advise,
            self._note_long_call,
            metrics=campaign.metrics,
            twins=campaign.twins,
            patience=None if self._counts_now else self._patience,  # counting takes many times as long
            tell_silent=self._note_silence,
        )

    def _in_lanes(self, works: Sequence[Callable[[], dict[str, Tally]]]) -> Iterator[dict[str, Tally]]:
        """Run tasks concurrently; if one fails, or on Ctrl-C, end the pairs of the others."""
        with ThreadPoolExecutor(max_workers=len(works)) as pool:
            futures: list[Future[dict[str, Tally]]] = [pool.submit(work) for work in works]
            try:
                for future in futures:
                    yield future.result()
            except BaseException:
                with self._lock:
                    self._stopped = True
                    running = list(self._running)
                    self._running.clear()
                for pair in running:
                    pair.kill()
                raise

    def _look(self, tallies: dict[str, Tally], *, last: bool) -> None:
        """Judge what is due, metric by metric, and close benchmarks that are decided or have spent their budget."""
        metrics = sorted({metric for tally in tallies.values() for metric in tally.metrics})
        for metric in metrics:
            ready = {
                name: tally.metrics[metric]
                for name, tally in tallies.items()
                if tally.state in {"open", "decided"} and metric in tally.metrics and tally.metrics[metric].log_ratios
            }
            if not ready:
                continue
            judged = judge(
                {name: found.log_ratios for name, found in ready.items()},
                {name: self._campaign.thresholds[name].get(metric, math.inf) for name in ready},
                tests=len(self._campaign.ids) * len(metrics),
                better=next(iter(ready.values())).kind.better,
            )
            for name, found in ready.items():
                due = is_look(len(found.log_ratios)) or last or tallies[name].seconds >= self._campaign.budget(name)
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
        decided = all(judgement is not None and judgement.verdict != "inconclusive" for judgement in judgements)
        if decided and (name not in self._campaign.twins or all(map(_is_precise, judgements))):
            return True
        return tally.seconds >= self._campaign.budget(name)

    def _run_control(self, tallies: Mapping[str, Tally]) -> None:
        """Launch the same code on both arms with a rotating share of the benchmarks, if there is time for it."""
        comparable = [name for name, tally in tallies.items() if tally.state in {"open", "decided"}]
        finished = not any(tally.state == "open" for tally in tallies.values())
        spent = self._spent
        share = self._control.affordable_share(spent["launches"], spent["control"], len(comparable), self._lanes)
        fewest = 1 if finished and not self._control.has_run else 0
        names = self._control.rotate(comparable, max(share, fewest))
        # The share is computed for typical benchmarks; ones with long calls would exceed the allowed time.
        allowed = MOST_EXTRA_TIME * spent["launches"] - spent["control"]
        while len(names) > fewest and self._pace.launch_seconds(names[:: self._lanes], self._guess) > allowed:
            names.remove(max(names, key=lambda name: self._pace.launch_seconds([name], self._guess)))
        if not names:
            return
        begin = self._clock()
        lanes = min(self._lanes, len(names))
        self._control_until = begin + self._pace.launch_seconds(names[::lanes], self._guess)
        seed = self._campaign.seed + SEEDS_PER_LAUNCH * self._launches + SEEDS_PER_LAUNCH // 2
        runs = [
            self._paired_run(
                self._campaign.same,
                lane,
                {name: tallies[name].forks for name in names[lane::lanes]},
                seed + 100 * lane,
                lambda name: self._tell(self._launches, name, tallies),
            )
            for lane in range(lanes)
        ]
        has_measured = False
        for lane, found in enumerate(self._in_lanes([run.run for run in runs])):
            for name, tally in found.items():
                if tally.state == "open":
                    has_measured = True
                else:
                    self._control.failed(name, tally.message or tally.state)
                metric = tally.metrics.get(TIME.name)
                if metric is not None and tally.state == "open":
                    own = self._tallies[name].metrics[TIME.name].log_ratios
                    self._control.add(metric.log_ratios[0], own, launch=(seed, lane))
        if has_measured:
            self._control.ran()
        self._control_until = 0.0
        self._spent["control"] += self._clock() - begin

    def _call_witness(self, *, trusted: bool) -> None:
        """Count the instructions of what time left inconclusive, or regressed in a run that is not trusted."""
        names = witness.to_witness(self._tallies, trusted=trusted)
        for name, counted in self._count_instructions(names).items():
            witness.add_testimony(self._tallies[name], counted)
        self._counted = len(names)

    def _count_as_metric(self) -> None:
        """Count the instructions of every benchmark, and judge them like any metric."""
        names = [name for name, tally in self._tallies.items() if tally.state == "decided"]
        counted = self._count_instructions(names)
        self._look(counted, last=True)
        for name, tally in counted.items():
            if tally.state == "error":
                self._tallies[name].end("error", tally.message, tally.traceback)
            self._tallies[name].metrics.update(tally.metrics)

    def _count_instructions(self, names: Sequence[str]) -> dict[str, Tally]:
        """Launch both arms so that they count instructions, each launch with its own seeds.

        As a witness, the counts are worth a bounded time, and only until they differ.
        """
        begin = self._clock()
        is_metric = self._campaign.counts != "witness"
        wanted = list(names)
        tallies = {name: Tally(forks=1) for name in names}
        self._counts_now = True
        done = 0
        while wanted and done < witness.LAUNCHES and (is_metric or self._clock() - begin < witness.MOST_SECONDS):
            batch = min(self._lanes, witness.LAUNCHES - done)
            self._run_batch(tallies, wanted, batch)
            done += batch
            if is_metric:
                wanted = [name for name in wanted if tallies[name].state == "open"]
            else:
                wanted = witness.to_count_again(wanted, tallies)
        self._counts_now = False
        self._spent["counting"] += self._clock() - begin
        return tallies

    def _confirm(self) -> None:
        """Measure regressions of an untrusted run again; verdicts that do not count become inconclusive."""
        again = {name: Tally(forks=self._tallies[name].forks) for name in to_confirm(self._tallies)}
        self._run_all(again)
        take_back(self._tallies, confirmed_by(again))

    def _starter(self, other: ArmPlace, lane: int) -> Callable[[int], AbstractContextManager[WorkerPair]]:
        """Return a function that starts a pair of base and another arm, given its seed."""
        campaign = self._campaign
        # The lanes switch CPUs from batch to batch, so that no benchmark depends on one of them.
        core = self._cores[(self._batches + lane) % len(self._cores)] if self._cores else None

        @contextlib.contextmanager
        def start(seed: int) -> Iterator[WorkerPair]:
            places: Sequence[ArmPlace] = (campaign.base, other)
            args, under = campaign.args, NO_COMMAND
            if self._counts_now and campaign.counting is not None:
                places = [witness.counting_place(place, campaign.counting) for place in places]
                args, under = {**args, "metrics": INSTRUCTIONS.name}, campaign.counting.words
            pair = WorkerPair(places, campaign.entry, args, seed, campaign.folder, core, campaign.preload, under=under)
            with self._lock:
                self._running.add(pair)
                stopped = self._stopped
            try:
                with pair:
                    if stopped:
                        pair.kill()
                        raise LockstepError("it was stopped")
                    yield pair
            finally:
                with self._lock:
                    self._running.discard(pair)

        return start

    def _tell(self, launch: int, name: str, tallies: Mapping[str, Tally]) -> None:
        self._pace.measures(launch, name)
        self._report(launch, name, tallies)

    def _report(self, launch: int, name: str, tallies: Mapping[str, Tally]) -> None:
        if self._progress is None:
            return
        with self._lock:
            undecided = [name for name, tally in tallies.items() if tally.state == "open"]
            left = self._seconds_left(undecided, tallies)
            self._progress(
                Progress(launch, name, len(undecided), len(tallies), left, dict(self._long_calls), dict(self._silent))
            )

    def _note_long_call(self, name: str, seconds: float) -> None:
        if name not in self._long_calls:
            self._long_calls[name] = seconds
            self._report(self._launches, name, self._tallies)

    def _note_silence(self, name: str, seconds: float) -> None:
        self._silent[name] = seconds
        self._report(self._launches, name, self._tallies)

    def _seconds_left(self, undecided: Sequence[str], tallies: Mapping[str, Tally]) -> float:
        """Estimate the maximum remaining seconds, including the control; from the budgets until a launch has ended."""
        launches = {name: self._launches_left(name, tallies[name]) for name in undecided}
        left = self._pace.seconds_left(launches, self._lanes, self._guess)
        batches = math.ceil(max(launches.values(), default=0) / self._lanes)
        return left + self._control_left(left, batches, tallies) + max(0.0, self._control_until - self._clock())

    def _control_left(self, left: float, batches: int, tallies: Mapping[str, Tally]) -> float:
        """Estimate the seconds of the remaining control launches, batch by batch like `_run_control`."""
        comparable = sum(tally.state in {"open", "decided"} for tally in tallies.values())
        launches, control = self._spent["launches"], self._spent["control"]
        has_run = self._control.has_run
        for batch in range(1, batches + 1):
            launches += left / batches
            share = self._control.affordable_share(launches, control, comparable, self._lanes, to_come=batch)
            allowed = MOST_EXTRA_TIME * launches - control
            seconds = self._pace.usual_launch_seconds(share / self._lanes, allowed)
            if share and seconds <= allowed:
                control += seconds
                has_run = True
        if batches and not has_run:  # there is always one, however short the run
            control += self._pace.usual_launch_seconds(1, math.inf)
        return control - self._spent["control"]

    def _guess(self, name: str) -> float:
        """Guess the seconds of a benchmark in one launch."""
        return WALL_PER_SLICES * self._campaign.budget(name) / LOOKS[-1]

    def _launches_left(self, name: str, tally: Tally) -> int:
        """Return how many more launches a benchmark may need, up to the look at which its budget is spent."""
        done = tally.launches
        last = min(LOOKS[-1], self._campaign.most_launches)
        budget = self._campaign.budget(name)
        spent_at = (look for look in LOOKS if done and done < look < last and tally.seconds / done * look >= budget)
        return max(0, next(spent_at, last) - done)


def _is_precise(judgement: Judgement | None) -> bool:
    """Return whether a ratio is known well enough to be quoted, as that of a pair is."""
    return judgement is not None and judgement.interval[1] <= judgement.interval[0] * WIDEST_QUOTED


def _may_be_the_others_fault(tally: Tally) -> bool:
    return tally.state == "error" and not tally.is_final


def collect(place: ArmPlace, entry: str, args: Mapping[str, Any], folder: Path) -> Collected:
    """Collect the benchmarks of one arm.

    Args:
        place: The arm's environment.
        entry: ``module:function`` of the worker.
        args: The worker's arguments.
        folder: The folder for its log.

    Returns:
        Its ids and the files that could not be collected; if it could not start, no ids, and the reason as the problem
        of the file ``""``.
    """
    with WorkerPair((place,), entry, args, seed=0, folder=folder, core=None) as pair:
        return listed_by(pair)
