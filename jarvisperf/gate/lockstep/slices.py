"""One benchmark on one pair: warm up both arms, agree on iterations, then take slices in turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes.protocol import Done, Ready, Sample, TakeTurns, Values
from jarvisperf.gate.processes.workers import TestEndedError
from jarvisperf.measure.metrics.time import CLOCK

if TYPE_CHECKING:
    from jarvisperf.gate.processes.workers import Worker

SLICE_SECONDS = 0.0005
SAMPLE_SECONDS = 0.0001
WARMUP_SECONDS = 0.003
LARGEST_ITERATIONS = 1 << 26
MOST_SAMPLES = 5  # in a slice
FEWEST_BLOCKS, MOST_BLOCKS = 4, 400
DIFFERENT_TURNS = 100  # that a byte tells apart
LONGEST_SECONDS = 1e100  # of a sample, whatever the author's clock counts; sums of such stay finite
MOST_WAITING = 0.15  # of the wall time, for the CPU clock to be the right one
TOGETHER_SECONDS = 0.005  # from here on a slice is longer than what the system gives to one process at a time
MOST_CALLS_WITHOUT_TIME = 1 << 20  # even an empty function takes 20 ms then, which any clock shows
MOST_SECONDS_WITHOUT_TIME = 2.0
MOST_WARMUP_SAMPLES = 1_000
FEWEST_TO_SEE_WAITING = 3  # calls, where they are taken together: there a wait cannot be seen


class SlicePlan(msgspec.Struct, frozen=True):
    """How long one benchmark is measured in one launch.

    Attributes:
        seconds: For both arms together, in one fork.
        most_seconds: Likewise, where a call is so long that `seconds` hold too few.
        one_core: Whether both arms are bound to one processor.
        number: Tells these turns from the ones just before; two numbers are used, this one and the next.
        slice_seconds: How long a slice is to last, unless one call lasts longer.
        sample_seconds: How long one of its samples is to last, likewise.
        answer_seconds: How long a worker may take for an answer.
    """

    seconds: float
    most_seconds: float
    one_core: bool
    number: int = 0
    slice_seconds: float = SLICE_SECONDS
    sample_seconds: float = SAMPLE_SECONDS
    answer_seconds: float = 120.0


class PairedSamples(msgspec.Struct, frozen=True):
    """Samples of both arms, block by block.

    Attributes:
        iterations: Calls in each sample.
        base: Seconds per call (or bytes), one value per block: the median of its slice's samples.
        head: The same of the head.
        method: The clock, where a choice was made.
        slice_samples: Samples in each slice.
    """

    iterations: int
    base: tuple[float, ...]
    head: tuple[float, ...]
    method: str = ""
    slice_samples: int = 1


def measure_time(base: Worker, head: Worker, ready: Ready, plan: SlicePlan, *, base_leads: bool) -> PairedSamples:
    """Take slices of both arms in turns.

    Both arms make the same number of calls at every step, warm-up included, so that a target whose calls grow does the
    same work on both.

    A target that never gives up the processor of its own accord is timed by the process's CPU clock: what the wall
    clock shows beyond it is time that the system gave to others. So is one that does, but to threads of its own, so
    that little time passes off the processor; its usual wait is added. One that waits is timed by the wall clock.

    Slices by the CPU clock that are long, because a call is, are taken together: both arms share one processor, and
    the system has them take turns of a few milliseconds within the calls. Source: Bulej et al., "Duet benchmarking:
    improving measurement accuracy in the cloud", ICPE 2020.

    Args:
        base: The base's worker, which has a target ready.
        head: The head's worker, likewise.
        ready: What the workers said of their targets.
        plan: How long to measure.
        base_leads: Whether the base takes the first slice.

    Raises:
        TestEndedError: A target raised.
        ValueError: A clock stands still, runs backwards, or shows no number.
        WorkerError: A worker is gone or does not answer.
    """
    workers = (base, head)
    found = _calibrate(workers if base_leads else (head, base), ready, plan)
    is_limited = ready.most_samples is not None
    samples = 1
    if found.seconds and not is_limited:
        samples = max(1, round(min(MOST_SAMPLES, plan.slice_seconds / found.seconds)))
    blocks = _blocks(2 * samples * found.seconds, plan)
    together = plan.one_core and samples * found.seconds >= TOGETHER_SECONDS
    if blocks % 2 and blocks > 1 and not together:
        blocks += 1  # whole A B B A rounds
    if ready.most_samples is not None:
        blocks = min(blocks, ready.most_samples - found.samples)
    turns = TakeTurns(found.iterations, blocks, base_leads, number=plan.number % DIFFERENT_TURNS, samples=samples)
    waits = [found.waiting[worker.name] for worker in workers]
    if not (ready.most_samples == 1 or ready.own_clock or max(waits) > MOST_WAITING):
        by_cpu = msgspec.structs.replace(turns, clock="cpu", together=together)
        values = _take_turns(workers, by_cpu, plan)
        if not together:
            waits = [arm.waiting for arm in values]
        if max(waits) <= MOST_WAITING or is_limited:
            # What is short of the wall clock is added where it is known: head might wait a little more than base.
            return _per_call(by_cpu, "process CPU clock", [1 - waited for waited in waits], values)
        # It waits now and then, which only the wall clock sees.
    turns = msgspec.structs.replace(turns, number=(plan.number + 1) % DIFFERENT_TURNS)
    return _per_call(turns, CLOCK, [1.0, 1.0], _take_turns(workers, turns, plan))


def _blocks(block_seconds: float, plan: SlicePlan) -> int:
    """Tell how many blocks to take: as many as the time holds, but a few at least, as far as the launch's time goes."""
    if not block_seconds:
        return MOST_BLOCKS
    fewest = max(1, int(min(FEWEST_BLOCKS, plan.most_seconds / block_seconds)))
    return max(fewest, round(min(MOST_BLOCKS, plan.seconds / block_seconds)))


def _take_turns(workers: tuple[Worker, Worker], turns: TakeTurns, plan: SlicePlan) -> list[Values]:
    """Have both take their slices."""
    base, head = workers
    base.tell(turns)
    head.tell(msgspec.structs.replace(turns, leads=not turns.leads))
    limit = plan.answer_seconds + 20 * plan.seconds
    answers = {worker.name: worker.hear(limit) for worker in workers}
    ends = {name: answer for name, answer in answers.items() if isinstance(answer, Done)}
    if ends:
        raise TestEndedError(ends)
    return list(answers.values())


def _per_call(turns: TakeTurns, clock: str, shares: list[float], values: list[Values]) -> PairedSamples:
    """Give seconds per call, by the share of its time that an arm spent on the clock that was used.

    Raises:
        ValueError: An arm spent no time on it.
    """
    if min(shares) <= 0:
        raise ValueError(f"the {clock} saw none of its time: it only waited, so there is no ratio")
    base_seconds, head_seconds = (
        tuple(value / turns.iterations / share for value in arm.values)
        for arm, share in zip(values, shares, strict=True)
    )
    return PairedSamples(turns.iterations, base_seconds, head_seconds, clock, turns.samples)


class _Calibration(msgspec.Struct):
    """What both arms agree on.

    Attributes:
        iterations: Calls in a sample.
        seconds: How long a sample of the slower arm lasts; 0 where that is not known.
        waiting: By the arm's name, what share of a sample it waits.
        samples: How many samples of each arm this took.
    """

    iterations: int
    seconds: float
    waiting: dict[str, float]
    samples: int


def _calibrate(workers: tuple[Worker, Worker], ready: Ready, plan: SlicePlan) -> _Calibration:
    """Find iterations for samples of the wanted length, and warm both arms up meanwhile."""
    iterations = ready.fixed_iterations or 1
    waiting = {worker.name: 1.0 for worker in workers}
    taken = 0

    def both(iterations: int) -> float:
        nonlocal taken
        taken += 1
        begin = REAL.wall()
        answers = [worker.ask_values(Sample(iterations), plan.answer_seconds) for worker in workers]
        really = REAL.wall() - begin
        for worker, answer in zip(workers, answers, strict=True):
            # What others do only makes a wait look longer.
            waiting[worker.name] = min(waiting[worker.name], answer.waiting)
        return max(checked_seconds(answer.values[0], iterations, really) for answer in answers)

    if ready.most_samples == 1:  # every call counts: none may be spent on finding out
        return _Calibration(iterations, 0.0, dict.fromkeys(waiting, 0.0), 0)
    most = math.inf if ready.most_samples is None else ready.most_samples // 2
    seconds = both(iterations)
    spent = seconds
    if ready.fixed_iterations is None:
        while seconds < plan.sample_seconds / 2 and iterations < LARGEST_ITERATIONS:
            iterations *= 2
            seconds = both(iterations)
            spent += seconds
    while spent < min(WARMUP_SECONDS, plan.seconds / 4) and taken < min(most, MOST_WARMUP_SAMPLES):
        seconds = both(iterations)
        spent += seconds
    if plan.one_core and seconds >= TOGETHER_SECONDS and 0 < max(waiting.values()) <= MOST_WAITING:
        while taken < min(FEWEST_TO_SEE_WAITING, most):
            both(iterations)
    if ready.fixed_iterations is None and seconds > 0:
        wanted = max(1, round(min(LARGEST_ITERATIONS, iterations * plan.sample_seconds / seconds)))
        seconds *= wanted / iterations
        iterations = wanted
    return _Calibration(iterations, seconds, waiting, taken)


def checked_seconds(seconds: float, calls: int, really: float = 0.0) -> float:
    """Give the seconds of a sample, if they can be those of its calls.

    Args:
        seconds: What its clock shows.
        calls: How many calls it was.
        really: Seconds that it took at most, by this process's clock.

    Raises:
        ValueError: The clock stands still, runs backwards, or shows no number.
    """
    if not 0 <= seconds < LONGEST_SECONDS:
        raise ValueError(f"its clock shows {seconds:g} s for {calls:,} calls: is it a clock that only goes forwards?")
    if seconds == 0 and (calls >= MOST_CALLS_WITHOUT_TIME or really >= MOST_SECONDS_WITHOUT_TIME):
        raise ValueError(f"its clock shows 0 s for {calls:,} calls: is time mocked or frozen?")
    return seconds


def measure_values(
    base: Worker, head: Worker, plan: SlicePlan, ready: Ready, *, base_leads: bool
) -> list[PairedSamples]:
    """Take one value of both arms, of a metric that is measured by single calls or processes.

    Args:
        base: The base's worker, which has a target ready.
        head: The head's worker, likewise.
        plan: How long to wait for an answer.
        ready: What the workers said of their targets.
        base_leads: Whether the base is measured first.

    Returns:
        The values of the metric, then those of each metric that comes with it.

    Raises:
        TestEndedError: A target raised.
        WorkerError: A worker is gone or does not answer.
    """
    values: dict[str, list[float]] = {}
    for worker in (base, head) if base_leads else (head, base):
        values[worker.name] = worker.ask_values(Sample(1), plan.answer_seconds).values
    pairs = zip(values[base.name], values[head.name], ready.methods, strict=True)
    return [PairedSamples(1, (before,), (after,), method) for before, after, method in pairs]
