"""Runs one launch from start to end: measures each benchmark in several forks of one pair of workers."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.arms.checkout import BASE, HEAD
from jarvisperf.gate.lockstep.absence import why_not_there
from jarvisperf.gate.lockstep.model import LockstepError
from jarvisperf.gate.lockstep.pair_slices import measure_pair
from jarvisperf.gate.lockstep.slices import (
    MOST_CALLS_WITHOUT_TIME,
    MOST_SECONDS_WITHOUT_TIME,
    SAMPLE_SECONDS,
    PairedSamples,
    SlicePlan,
    checked_seconds,
    measure_time,
    measure_values,
)
from jarvisperf.gate.lockstep.tally import Tally
from jarvisperf.gate.processes.answer_timeouts import UNKNOWN_SECONDS, Patience
from jarvisperf.gate.processes.protocol import VERSION, Collected, Done, Ready, RunTest, Sample, Stop
from jarvisperf.gate.processes.workers import NoAnswerError, TestEndedError, WorkerError
from jarvisperf.gate.project.packages import is_or_is_in
from jarvisperf.gate.verdict.decide import LOOKS
from jarvisperf.measure.metrics import BUILT_IN, Metrics
from jarvisperf.measure.metrics.time import CLOCK, TIME
from jarvisperf.measure.unmeasured import nothing_measured

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from jarvisperf.gate.processes.workers import Worker, WorkerPair
    from jarvisperf.measure.metrics import MetricKind

    Advise = Callable[[str, str, str], str]

FORKS = 10
SEEDS_PER_LAUNCH = 1_000
WALL_TO_SLICES = 3.0  # setting up a benchmark in all its forks may take this many times as long as measuring it
COLLECT_SECONDS = 300.0
COMPILED_FILE = re.compile(r"\.(so|pyd)[.\d]*$")
NEW_SAMPLES = 20


class Launch:
    """Measures benchmarks in one launch; a pair that dies is replaced, and only the benchmark being measured is lost.

    A benchmark that fails or dies in a fork is measured again without forks, because what it uses may not survive a
    fork. One that does not answer in time is not retried.

    Args:
        start: Starts a pair, given its seed.
        forks: The benchmarks to measure, in order, with the number of forks of each.
        budget: Returns a benchmark's measuring time in seconds, for all launches together.
        unforked: The benchmarks that do not work in a fork; newly found ones are added.
        names: Dotted names of the code in the checkouts; a benchmark for which base lacks one of them is new.
        seed: The launch's seed, a multiple of `SEEDS_PER_LAUNCH`; pairs that replace dead ones get the following ones.
        tell: Called with each benchmark's name before it is measured.
        advise: Adds advice to an error message, given the arm's name, the message and the traceback.
        tell_long: Called with a benchmark's name and the seconds of a call that is longer than the whole budget.
        metrics: The metrics that tests may measure.
        twins: The benchmark that base runs in place of another one, by id.
        patience: Knows from earlier launches how long to wait for answers.
        tell_silent: Called with a benchmark's name if an arm has not answered for a while, and with the seconds after
            which it is given up.
    """

    def __init__(  # noqa: PLR0913
        self,
        start: Callable[[int], AbstractContextManager[WorkerPair]],
        forks: Mapping[str, int],
        budget: Callable[[str], float],
        unforked: set[str],
        names: Collection[str],
        seed: int,
        tell: Callable[[str], None],
        advise: Advise,
        tell_long: Callable[[str, float], None] = lambda name, seconds: None,  # noqa: ARG005
        *,
        metrics: Metrics = BUILT_IN,
        twins: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        tell_silent: Callable[[str, float], None] = lambda name, seconds: None,  # noqa: ARG005
    ) -> None:
        self._patience = patience or Patience()
        self._answer_seconds = UNKNOWN_SECONDS  # for the benchmark being measured
        self._tell_silent = tell_silent
        self._advise = advise
        self._twins = dict(twins or {})
        self._tell_long = tell_long
        self._metrics = metrics
        self._value_seconds = 0.0  # spent on values of metrics other than time
        self._start = start
        self._left = dict(forks)
        self._budget = budget
        self._unforked = unforked
        self._seed = seed
        self._tell = tell
        self._names = names
        self._turns = 0
        self._tallies = {name: Tally(forks=count) for name, count in forks.items()}
        self._base_ids: frozenset[str] = frozenset()

    def run(self) -> dict[str, Tally]:
        """Measure all benchmarks, and return the results by id.

        Raises:
            LockstepError: The comparison as a whole cannot be made.
        """
        attempt = 0
        while self._left:
            with self._start(self._seed + attempt) as pair:
                attempt += 1
                collected = [_collected(worker, self._advise) for worker in pair.workers]
                self._base_ids = frozenset(collected[0].ids)
                self._pass_over_missing(collected[1])
                forkable = all(found.forkable for found in collected)
                while forkable and not pair.killed and (names := self._forked()):
                    self._measure_in_a_fork(pair, collected, names)
                if self._left and not pair.killed:
                    self._measure_all(pair, collected, list(self._left), forked=False)
        for tally in self._tallies.values():
            tally.end_launch()
        return self._tallies

    def _measure_in_a_fork(self, pair: WorkerPair, collected: Sequence[Collected], names: Sequence[str]) -> None:
        begin, spent = REAL.wall(), self._spent(names)
        try:
            pair.fork()
            self._measure_all(pair, collected, names, forked=True)
            if not pair.killed:
                pair.unfork()
        except WorkerError:
            # Forking failed, or the copy ended badly: a fresh pair measures the rest without forks.
            pair.kill()
            self._unforked.update(names)
        else:
            self._limit_forks(names, REAL.wall() - begin - (self._spent(names) - spent))

    def _spent(self, names: Sequence[str]) -> float:
        return math.fsum(self._tallies[name].seconds for name in names)

    def _limit_forks(self, names: Sequence[str], beside_seconds: float) -> None:
        """Reduce the forks of all benchmarks in a fork if what they share (session fixtures) costs too much."""
        allowed = WALL_TO_SLICES * math.fsum(self._launch_seconds(name) for name in names)
        affordable = max(1, int(allowed / max(beside_seconds, 1e-9)))
        for name in names:
            tally = self._tallies[name]
            tally.forks = min(tally.forks, affordable)
            if name in self._left and _timed_forks(tally) >= tally.forks:
                del self._left[name]

    def _forked(self) -> list[str]:
        return [name for name in self._left if name not in self._unforked]

    def _pass_over_missing(self, in_head: Collected) -> None:
        counts = Counter(in_head.ids)
        for name in list(self._left):
            if counts[name] != 1:
                self._tallies[name].end("error", f"head: {self._advise(HEAD, why_not_there(name, in_head), '')}")
                del self._left[name]
            elif self._in_base(name) not in self._base_ids:
                self._unforked.add(name)  # it is measured once, in the original

    def _measure_all(
        self, pair: WorkerPair, collected: Sequence[Collected], names: Sequence[str], *, forked: bool
    ) -> None:
        """Measure each benchmark once, in the current fork of both workers or in the originals."""
        in_base, _ = collected
        for index, name in enumerate(names):
            following = next(iter(names[index + 1 :]), None)
            tally = self._tallies[name]
            self._tell(name)
            self._answer_seconds = self._patience.answer_seconds(name)
            for worker in pair.workers:
                worker.announce = partial(self._tell_silent, name)
            begin = REAL.wall()
            spent = tally.seconds
            self._value_seconds = 0.0
            try:
                if self._in_base(name) in self._base_ids:
                    self._measure(pair, name, following, tally)
                else:
                    self._measure_new(pair.workers[1], name, following, tally)
                    problem = in_base.problems.get(name.partition("::")[0])
                    if problem is not None and not _is_lacking(problem, self._names):
                        tally.end("error", f"base: {problem}")
                    tally.message = tally.message or f"new: {problem or 'base does not have it'}"
            except WorkerError as error:
                tally.end("error", str(error).splitlines()[0], str(error))
                tally.is_final = isinstance(error, NoAnswerError)
                pair.kill()
            else:
                self._patience.note(name, REAL.wall() - begin)
            if forked and tally.state == "error" and not tally.is_final:
                self._unforked.add(name)
                self._tallies[name] = Tally(forks=1)
                self._left[name] = 1
            else:
                self._count(
                    name, tally, REAL.wall() - begin - self._value_seconds, tally.seconds - spent, forked=forked
                )
            if pair.killed:
                return

    def _count(self, name: str, tally: Tally, wall_seconds: float, slice_seconds: float, *, forked: bool) -> None:
        """Count a fork of a benchmark, and cancel others if a fork costs too much or takes more than its share."""
        self._left[name] -= 1
        if not forked or TIME.name not in tally.metrics:
            tally.forks = 1
        else:
            allowed = self._launch_seconds(name)
            other_seconds = max(0.0, wall_seconds - slice_seconds)
            other_allows = int(WALL_TO_SLICES * allowed / max(other_seconds, 1e-9))
            slices_allow = math.ceil(allowed / max(slice_seconds, 1e-9))
            tally.forks = max(1, min(tally.forks, other_allows, slices_allow))
        done = _timed_forks(tally) or 1
        if tally.state != "open" or self._left[name] <= 0 or done >= tally.forks:
            del self._left[name]

    def _begin(self, pair: WorkerPair, name: str, following: str | None) -> dict[str, Any]:
        """Let both arms run a test, and return their first answers."""
        base, head = pair.workers
        in_base = RunTest(self._in_base(name), None if following is None else self._in_base(following))
        orders = ((base, in_base), (head, RunTest(name, following)))
        if name in self._unforked:  # it may have failed because both arms set it up at the same time
            return {worker.name: worker.ask(order, self._answer_seconds) for worker, order in orders}
        for worker, order in orders:
            worker.tell(order)
        return {worker.name: worker.hear(self._answer_seconds) for worker in (base, head)}

    def _in_base(self, name: str) -> str:
        """Return the benchmark that base runs when head runs this one."""
        return self._twins.get(name, name)

    def _launch_seconds(self, name: str) -> float:
        """Return the seconds for measuring a benchmark in this launch, all forks and both arms together."""
        return self._budget(name) / LOOKS[-1]

    def _measure(self, pair: WorkerPair, name: str, following: str | None, tally: Tally) -> None:
        base, head = pair.workers
        answers = self._begin(pair, name, following)
        problem = ""
        while isinstance(ready := answers[base.name], Ready) and isinstance(answers[head.name], Ready):
            theirs = answers[head.name]
            tally.unequal = tally.unequal or _unequal_inputs(ready, theirs)
            if (theirs.metric, theirs.methods) != (ready.metric, ready.methods):
                ways = [" by ".join((each.metric, *each.methods[:1])) for each in (ready, theirs)]
                problem = f"base measures {ways[0]}, but head measures {ways[1]}"
            if not problem:
                try:
                    self._take(pair, name, (ready, theirs), tally)
                except ValueError as error:
                    problem = str(error)
                except TestEndedError as early:
                    answers = {
                        worker.name: early.ends.get(worker.name) or worker.ask(Stop(), self._answer_seconds)
                        for worker in (base, head)
                    }
                    break
            base.tell(Stop())
            head.tell(Stop())
            answers = {worker.name: worker.hear(self._answer_seconds) for worker in (base, head)}
        was_compared = bool(tally.metrics)
        is_alone = isinstance(answers[base.name], Done) and isinstance(answers[head.name], Ready)
        if is_alone:
            answers[head.name] = self._take_alone(head, answers[head.name], tally)
        ends = {worker.name: _let_end(worker, answers[worker.name], self._answer_seconds) for worker in (base, head)}
        for who, end in ends.items():
            _refuse_foreign(who, end.foreign)
        lacking = ends[base.name].lacks and _is_lacking(ends[base.name].message, self._names)
        if is_alone and was_compared and ends[base.name].outcome == "passed" and name not in self._twins:
            problem = "head measures more than base in this test: move what head adds to a test of its own"
        _conclude(
            tally,
            ends[base.name],
            ends[head.name],
            problem,
            self._advise,
            base_is_lacking=lacking,
            was_compared=was_compared,
        )

    def _take(self, pair: WorkerPair, name: str, targets: tuple[Ready, Ready], tally: Tally) -> None:
        base, head = pair.workers
        ready, _ = targets
        seconds = self._launch_seconds(name)
        self._turns += 2
        plan = SlicePlan(
            seconds=seconds / tally.forks,
            most_seconds=seconds,
            one_core=pair.core is not None,
            number=self._turns,
            answer_seconds=self._answer_seconds,
        )
        # Alternates from fork to fork and from launch to launch, because the number of forks may be odd.
        base_leads = (pair.seed // SEEDS_PER_LAUNCH + self._left[name]) % 2 == 0
        kind = self._kind(ready)
        if kind is TIME:
            if name in self._twins:
                samples = measure_pair(base, head, targets, plan, base_leads=base_leads)
            else:
                samples = measure_time(base, head, ready, plan, base_leads=base_leads)
            tally.add(kind, samples)
            if samples.head and samples.head[0] > self._budget(name):
                self._tell_long(name, samples.head[0])
            return
        if kind.name in tally.metrics and tally.metrics[kind.name].parts:
            return  # once per launch: forks vary the memory layout, which only time depends on
        begin = REAL.wall()
        for each, values in zip(
            kind.together, measure_values(base, head, plan, ready, base_leads=base_leads), strict=True
        ):
            tally.add(each, values)
        self._value_seconds += REAL.wall() - begin

    def _kind(self, ready: Ready) -> MetricKind:
        if ready.metric not in self._metrics:
            raise ValueError(f"an arm measures {ready.metric!r}, a metric of a plugin that is not loaded here")
        return self._metrics[ready.metric]

    def _measure_new(self, head: Worker, name: str, following: str | None, tally: Tally) -> None:
        """Measure a benchmark that exists only in head."""
        end = self._take_alone(head, head.ask(RunTest(name, following), self._answer_seconds), tally)
        _refuse_foreign(head.name, end.foreign)
        state = "skipped" if end.outcome == "skipped" else "error" if end.outcome == "failed" else "new"
        tally.xfail = end.xfail
        tally.end(state, end.message, end.traceback)  # type: ignore[arg-type]

    def _take_alone(self, head: Worker, answer: Ready | Done, tally: Tally) -> Done:
        """Take a few samples of head only, and let the test end.

        A test that passed, but whose times are invalid, fails.
        """
        problem = ""
        while isinstance(answer, Ready):
            try:
                kind = self._kind(answer)
                if kind is TIME:
                    ended = _take_times_alone(head, answer, tally, self._answer_seconds)
                else:
                    ended = _take_values_alone(head, kind, answer, tally, self._answer_seconds)
            except ValueError as error:
                problem, ended = str(error), None
            if ended is not None:
                return ended
            answer = head.ask(Stop(), self._answer_seconds)
        if problem and answer.outcome == "passed":
            return msgspec.structs.replace(answer, outcome="failed", message=problem)
        return answer


def _unequal_inputs(base: Ready, head: Ready) -> str:
    """Explain why both arms may have different inputs; empty if they do not."""
    if base.drawn != head.drawn:
        return "base and head drew different random numbers before they were measured"
    if base.system_draws or head.system_draws:
        return "it drew random bytes from the system (os.urandom, secrets, uuid4) before it was measured"
    return ""


def _is_lacking(error: str, names: Collection[str]) -> bool:
    """Return whether an error says that base lacks a module or name of the project, so that the benchmark is new.

    Any other failure in base, such as a package that is not installed, is an error: otherwise a benchmark that cannot
    be compared would look new.
    """
    imported = re.search(r"cannot import name '([^']+)' from [a-z ]*'([^']+)'", error)
    lacking = [f"{imported[2]}.{imported[1]}"] if imported else re.findall(r"'([^']+)'", error)
    return not names or any(is_or_is_in(one, name) or is_or_is_in(name, one) for one in lacking for name in names)


def _conclude(
    tally: Tally,
    base: Done,
    head: Done,
    problem: str,
    advise: Advise,
    *,
    base_is_lacking: bool,
    was_compared: bool,
) -> None:
    """Close a benchmark that an arm could not measure; measurements count even if the test skips itself afterwards."""
    tally.xfail, tally.group, tally.extra_info = head.xfail, head.group, head.extra_info
    tally.notes.update(dict.fromkeys([*base.notes, *head.notes]))
    if head.outcome == "failed":
        tally.end("error", f"head: {advise(HEAD, head.message, head.traceback)}", head.traceback)
    elif head.outcome == "skipped" and not was_compared:
        tally.end("skipped", head.message)
    elif base.outcome == "failed" and base_is_lacking:
        tally.end("new", f"new: {base.message}")
    elif base.outcome == "failed":
        tally.end("error", f"base: {advise(BASE, base.message, base.traceback)}", base.traceback)
    elif base.outcome == "skipped" and not was_compared:
        tally.end("new", f"new: base skips it ({base.message})")
    elif problem:
        tally.end("error", problem)
    elif tally.metrics and not was_compared:
        tally.end("new", "new: it measures nothing in base")
    elif not tally.metrics:
        tally.end("error", _why_no_figures(base, head))


def _why_no_figures(base: Done, head: Done) -> str:
    """Explain why tests that passed in both arms measured nothing."""
    for name, end in ((HEAD, head), (BASE, base)):
        if end.raised is not None:
            return f"{name}: {nothing_measured(end.raised)}"
    return nothing_measured(None)


def _take_times_alone(head: Worker, ready: Ready, tally: Tally, answer_seconds: float) -> Done | None:
    """Take a few samples of head; return how the test ended if it did."""
    taken: list[float] = []
    really = 0.0
    iterations = ready.fixed_iterations or 1
    while len(taken) < min(NEW_SAMPLES, ready.most_samples or NEW_SAMPLES):
        begin = REAL.wall()
        values = head.ask(Sample(iterations), answer_seconds)
        really = max(really, REAL.wall() - begin)
        if isinstance(values, Done):
            return values
        is_short = values.values[0] < SAMPLE_SECONDS / 2 and really < MOST_SECONDS_WITHOUT_TIME
        if ready.fixed_iterations is None and is_short and iterations < MOST_CALLS_WITHOUT_TIME:
            iterations *= 2
            continue
        taken += [value / iterations for value in values.values]
    for value in taken:
        checked_seconds(value, iterations, really)
    tally.add(TIME, PairedSamples(iterations, tuple(taken), tuple(taken), CLOCK))
    return None


def _take_values_alone(
    head: Worker, kind: MetricKind, ready: Ready, tally: Tally, answer_seconds: float
) -> Done | None:
    """Take one value of head; return how the test ended if it did."""
    values = head.ask(Sample(1), answer_seconds)
    if isinstance(values, Done):
        return values
    for each, value, method in zip(kind.together, values.values, ready.methods, strict=True):
        tally.add(each, PairedSamples(1, (value,), (value,), method))
    return None


def _timed_forks(tally: Tally) -> int:
    return len(tally.metrics[TIME.name].parts) if TIME.name in tally.metrics else 0


def _let_end(worker: Worker, answer: Ready | Done, answer_seconds: float) -> Done:
    while isinstance(answer, Ready):
        answer = worker.ask(Stop(), answer_seconds)
    return answer


def _collected(worker: Worker, advise: Advise) -> Collected:
    try:
        answer = worker.hear(COLLECT_SECONDS)
    except WorkerError as error:
        summary, line_end, details = str(error).partition("\n")
        advised = advise(worker.name, summary, details)
        raise LockstepError(f"the {worker.name} arm could not start: {advised}{line_end}{details}") from error
    if not isinstance(answer, Collected) or answer.version != VERSION:
        raise LockstepError(f"the {worker.name} arm runs a version of jarvisperf that is incompatible with this one")
    _refuse_foreign(worker.name, answer.foreign)
    return answer


def _refuse_foreign(arm: str, foreign: Mapping[str, str]) -> None:
    for name, file in foreign.items():
        raise LockstepError(
            f"the {arm} arm imported {name} from {file}, not from its own checkout, so both arms might measure "
            f"the same code; {_remedy(file)}"
        )


def _remedy(file: str) -> str:
    if COMPILED_FILE.search(file) and "-packages/" not in file:  # nobody installed it: a build left it there
        return (
            "build it inside each arm with --jarvis-arm-install, and load it from there, by a path relative to the "
            "code that uses it"
        )
    return (
        "uninstall that copy, install the project in editable mode, or install it into each arm with "
        "--jarvis-arm-install"
    )


def listed_by(pair: WorkerPair) -> Collected:
    """Return what a pair's first worker collected, or the reason why it could not start."""
    try:
        answer = pair.workers[0].hear(COLLECT_SECONDS)
    except WorkerError as error:
        return Collected(VERSION, [], {"": str(error).splitlines()[0]})
    return answer if isinstance(answer, Collected) else Collected(VERSION, [], {})
