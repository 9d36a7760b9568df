"""Measures one benchmark on one pair: warms up both arms, agrees on iterations, then takes slices in turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes.accounts import Accounts
from jarvisperf.gate.processes.protocol import Done, Ready, Sample, TakeTurns, Values
from jarvisperf.gate.processes.workers import TestEndedError
from jarvisperf.measure.metrics.time import CLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.gate.processes.workers import Worker

CPU_CLOCK = "process CPU clock"
SLICE_SECONDS = 0.0005
SAMPLE_SECONDS = 0.0001
WARMUP_SECONDS = 0.003
LARGEST_ITERATIONS = 1 << 26
MOST_SAMPLES = 5  # per slice
FEWEST_BLOCKS, MOST_BLOCKS = 4, 400
DIFFERENT_TURNS = 100  # numbers that fit in the byte
LONGEST_SECONDS = 1e100  # limit of a sample by a custom clock; sums of these stay finite
MOST_WAITING = 0.15  # share of wall time up to which the CPU clock is valid
TOGETHER_SECONDS = 0.005  # longer slices exceed the scheduler's time slice
MOST_CALLS_WITHOUT_TIME = 1 << 20  # takes 20 ms even for an empty function, which any clock shows
MOST_SECONDS_WITHOUT_TIME = 2.0
MOST_WARMUP_SAMPLES = 1_000
FEWEST_TO_SEE_WAITING = 3  # calls before they run concurrently, where waits cannot be seen


class SlicePlan(msgspec.Struct, frozen=True):
    """The schedule for measuring one benchmark in one launch.

    Attributes:
        seconds: Measuring time of both arms together, in one fork.
        most_seconds: The same if calls are so long that too few fit in `seconds`.
        one_core: Whether both arms are pinned to one CPU.
        number: Distinguishes these turns from the previous ones; this number and the next are used.
        slice_seconds: Duration of a slice, unless one call lasts longer.
        sample_seconds: Duration of a sample, unless one call lasts longer.
        answer_seconds: Maximum wait for a worker's answer.
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
        head: The same for head.
        method: The clock, if there was a choice.
        slice_samples: Samples in each slice.
        base_slice_calls: Calls in each slice of base, if their number differs from that of head.
    """

    iterations: int
    base: tuple[float, ...]
    head: tuple[float, ...]
    method: str = ""
    slice_samples: int = 1
    base_slice_calls: int | None = None

    @property
    def measuring_seconds(self) -> float:
        """Time that the samples took, both arms together; infinite if the sum is beyond a float."""
        calls = self.iterations * self.slice_samples
        # fsum would raise if this is infinite
        return (self.base_slice_calls or calls) * sum(self.base) + calls * sum(self.head)


def measure_time(base: Worker, head: Worker, ready: Ready, plan: SlicePlan, *, base_leads: bool) -> PairedSamples:
    """Take slices of both arms in turns.

    Both arms make the same number of calls at every step, including the warm-up, so that a target whose calls become
    slower over time does the same work on both.

    A target that never yields the CPU voluntarily is timed by the process's CPU clock; any extra wall time went to
    other processes. So is a target that yields only to its own threads, so that little time passes off the CPU; its
    typical wait is added. A target that waits is timed by the wall clock.

    Long slices timed by the CPU clock run concurrently: both arms share one CPU, and the scheduler lets them take turns
    of a few milliseconds within the calls. Source: Bulej et al., "Duet benchmarking: improving measurement accuracy in
    the cloud", ICPE 2020.

    Args:
        base: Base's worker, with a target ready.
        head: Head's worker, with a target ready.
        ready: The workers' descriptions of their targets.
        plan: How long to measure.
        base_leads: Whether base takes the first slice.

    Raises:
        TestEndedError: A target raised.
        ValueError: A clock stands still, runs backwards, or returns no number.
        WorkerError: A worker is gone or does not answer.
    """
    workers = (base, head)
    found = calibrate(workers if base_leads else (head, base), ready, plan)
    is_limited = ready.most_samples is not None
    samples = slice_samples(found, ready, plan)
    blocks = count_blocks(2 * samples * found.seconds, plan)
    together = plan.one_core and samples * found.seconds >= TOGETHER_SECONDS
    if blocks % 2 and blocks > 1 and not together:
        blocks += 1  # whole A B B A rounds
    if ready.most_samples is not None:
        blocks = min(blocks, ready.most_samples - found.samples)
    turns = TakeTurns(found.iterations, blocks, base_leads, number=plan.number % DIFFERENT_TURNS, samples=samples)
    waits = [found.waiting[worker.name] for worker in workers]
    if not (ready.most_samples == 1 or ready.own_clock or max(waits) > MOST_WAITING):
        by_cpu = msgspec.structs.replace(turns, clock="cpu", together=together)
        values = take_turns(_both(workers, by_cpu), plan)
        if not together:
            waits = [arm.waiting for arm in values]
        if max(waits) <= MOST_WAITING or is_limited:
            # The difference to the wall clock is added if known, because head might wait a little longer than base.
            return _per_call(by_cpu, CPU_CLOCK, [1 - waited for waited in waits], values)
        # It waits occasionally, which only the wall clock sees.
    turns = msgspec.structs.replace(turns, number=(plan.number + 1) % DIFFERENT_TURNS)
    values = take_turns(_both(workers, turns), plan, own_clock=ready.own_clock)
    return _per_call(turns, CLOCK, [1.0, 1.0], values)


def slice_samples(found: Calibration, ready: Ready, plan: SlicePlan) -> int:
    """Return how many samples make a slice."""
    if not found.seconds or ready.most_samples is not None:
        return 1
    return max(1, round(min(MOST_SAMPLES, plan.slice_seconds / found.seconds)))


def count_blocks(block_seconds: float, plan: SlicePlan) -> int:
    """Return how many blocks fit in the time, but at least a few if the launch's time allows."""
    if not block_seconds:
        return MOST_BLOCKS
    fewest = max(1, int(min(FEWEST_BLOCKS, plan.most_seconds / block_seconds)))
    return max(fewest, round(min(MOST_BLOCKS, plan.seconds / block_seconds)))


def take_turns(orders: Sequence[tuple[Worker, TakeTurns]], plan: SlicePlan, *, own_clock: bool = False) -> list[Values]:
    """Let both workers take their slices.

    Args:
        orders: Each worker with its turns; one of them leads.
        plan: How long to wait for the answers.
        own_clock: Whether the author of a target chose its clock, which may show anything.

    Raises:
        TestEndedError: A target raised.
        ValueError: A worker reports more time than the system counted for it.
        WorkerError: A worker is gone or does not answer.
    """
    accounts = Accounts([worker for worker, _ in orders])
    for worker, turns in orders:
        worker.tell(turns)
    limit = plan.answer_seconds + 20 * plan.seconds
    answers = {worker.name: worker.hear(limit) for worker, _ in orders}
    ends = {name: answer for name, answer in answers.items() if isinstance(answer, Done)}
    if ends:
        raise TestEndedError(ends)
    values = list(answers.values())
    if not own_clock:
        accounts.check([turns for _, turns in orders], values)
    return values


def _both(workers: tuple[Worker, Worker], turns: TakeTurns) -> list[tuple[Worker, TakeTurns]]:
    """Give both arms the same turns, but only one the lead."""
    base, head = workers
    return [(base, turns), (head, msgspec.structs.replace(turns, leads=not turns.leads))]


def _per_call(turns: TakeTurns, clock: str, shares: Sequence[float], values: Sequence[Values]) -> PairedSamples:
    base_seconds, head_seconds = seconds_per_call([turns.iterations] * 2, clock, shares, values)
    return PairedSamples(turns.iterations, base_seconds, head_seconds, clock, turns.samples)


def seconds_per_call(
    iterations: Sequence[int], clock: str, shares: Sequence[float], values: Sequence[Values]
) -> list[tuple[float, ...]]:
    """Return each arm's seconds per call, corrected for the share of time that its clock shows.

    Args:
        iterations: Calls in each sample, by arm.
        clock: The clock, for the error message.
        shares: The share of time that the clock shows, by arm.
        values: The samples, by arm.

    Raises:
        ValueError: An arm's clock shows no time.
    """
    if min(shares) <= 0:
        raise ValueError(f"the {clock} shows no time, because the target only waits, so there is no ratio")
    return [
        tuple(value / calls / share for value in arm.values)
        for calls, arm, share in zip(iterations, values, shares, strict=True)
    ]


class Calibration(msgspec.Struct):
    """The result of calibration, for one arm or both.

    Attributes:
        iterations: Calls in a sample.
        seconds: Duration of a sample of the slower arm; 0 if unknown.
        waiting: By the arm's name, the share of a sample that it waits.
        samples: Number of samples taken of each arm.
    """

    iterations: int
    seconds: float
    waiting: dict[str, float]
    samples: int


def calibrate(workers: Sequence[Worker], ready: Ready, plan: SlicePlan) -> Calibration:
    """Find the iterations for samples of the intended duration, which also warms up the arms.

    Args:
        workers: The arms, which make the same calls.
        ready: The workers' descriptions of their targets.
        plan: How long a sample lasts.

    Raises:
        TestEndedError: A target raised.
        ValueError: A clock stands still, runs backwards, or returns no number.
        WorkerError: A worker is gone or does not answer.
    """
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
            # Other processes can only make a wait look longer.
            waiting[worker.name] = min(waiting[worker.name], answer.waiting)
        return max(checked_seconds(answer.values[0], iterations, really) for answer in answers)

    if ready.most_samples == 1:  # every call counts, so none may be spent on calibration
        return Calibration(iterations, 0.0, dict.fromkeys(waiting, 0.0), 0)
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
    return Calibration(iterations, seconds, waiting, taken)


def checked_seconds(seconds: float, calls: int, really: float = 0.0) -> float:
    """Return the seconds of a sample if they are plausible.

    Args:
        seconds: The seconds that its clock shows.
        calls: The number of calls.
        really: The maximum seconds that it took, by this process's clock.

    Raises:
        ValueError: The clock stands still, runs backwards, or returns no number.
    """
    if not 0 <= seconds < LONGEST_SECONDS:
        raise ValueError(f"its clock shows {seconds:g} s for {calls:,} calls: is it a clock that only goes forwards?")
    if seconds == 0 and (calls >= MOST_CALLS_WITHOUT_TIME or really >= MOST_SECONDS_WITHOUT_TIME):
        raise ValueError(f"its clock shows 0 s for {calls:,} calls: is time mocked or frozen?")
    return seconds


def measure_values(
    base: Worker, head: Worker, plan: SlicePlan, ready: Ready, *, base_leads: bool
) -> list[PairedSamples]:
    """Take one value from each arm, for a metric that is measured by single calls or processes.

    Args:
        base: Base's worker, with a target ready.
        head: Head's worker, with a target ready.
        plan: How long to wait for an answer.
        ready: The workers' descriptions of their targets.
        base_leads: Whether base is measured first.

    Returns:
        The values of the metric, then those of each metric measured with it.

    Raises:
        TestEndedError: A target raised.
        WorkerError: A worker is gone or does not answer.
    """
    values: dict[str, list[float]] = {}
    for worker in (base, head) if base_leads else (head, base):
        values[worker.name] = worker.ask_values(Sample(1), plan.answer_seconds).values
    pairs = zip(values[base.name], values[head.name], ready.methods, strict=True)
    return [PairedSamples(1, (before,), (after,), method) for before, after, method in pairs]
