"""One benchmark on one pair: warm up both arms, agree on iterations, then take slices in turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.protocol import Ready, Sample, Turns, Values

if TYPE_CHECKING:
    from jarvisperf.gate.launch import Worker

SLICE_SECONDS = 0.0005
SAMPLE_SECONDS = 0.0001
WARMUP_SECONDS = 0.003
LARGEST_ITERATIONS = 1 << 26
MOST_SAMPLES = 5  # in a slice
FEWEST_BLOCKS, MOST_BLOCKS = 1, 400
MOST_WAITING = 0.15  # of the wall time, for the CPU clock to be the right one


class SlicePlan(msgspec.Struct, frozen=True):
    """How long one benchmark is measured in one launch.

    Attributes:
        seconds: For both arms together.
        slice_seconds: How long a slice is to last, unless one call lasts longer.
        sample_seconds: How long one of its samples is to last, likewise.
        answer_seconds: How long a worker may take for an answer.
    """

    seconds: float
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

    Args:
        base: The base's worker, which has a target ready.
        head: The head's worker, likewise.
        ready: What the workers said of their targets.
        plan: How long to measure.
        base_leads: Whether the base takes the first slice.

    Raises:
        WorkerError: A worker is gone or does not answer.
    """
    iterations, seconds, waiting = _calibrate(base, head, ready, plan)
    samples = max(1, min(MOST_SAMPLES, round(plan.slice_seconds / seconds))) if seconds else 1
    blocks = round(plan.seconds / (2 * samples * seconds)) if seconds else MOST_BLOCKS
    blocks = max(FEWEST_BLOCKS, min(MOST_BLOCKS, blocks))
    if ready.most_samples is not None:
        samples, blocks = 1, min(blocks, ready.most_samples)
    if blocks % 2 and blocks > 1:
        blocks += 1  # whole A B B A rounds
    turns = Turns(iterations, blocks, base_leads, samples=samples)
    if not (ready.most_samples == 1 or ready.own_clock or waiting > MOST_WAITING):
        taken, waiting = _take_turns(base, head, msgspec.structs.replace(turns, clock="cpu"), plan)
        if waiting <= MOST_WAITING:
            return taken
        # It waits now and then, which only the wall clock sees.
    return _take_turns(base, head, turns, plan)[0]


def _take_turns(base: Worker, head: Worker, turns: Turns, plan: SlicePlan) -> tuple[PairedSamples, float]:
    """Have both take their slices; give the samples per call, and how much of the time an arm waited."""
    base.tell(turns)
    head.tell(msgspec.structs.replace(turns, leads=not turns.leads))
    limit = plan.answer_seconds + 20 * plan.seconds
    found: list[Values] = [base.hear(limit), head.hear(limit)]
    by_cpu = turns.clock == "cpu"
    # What is short of the wall clock is added where it is known: head might wait a little more than base.
    shares = [1 - arm.waiting if by_cpu else 1.0 for arm in found]
    base_seconds, head_seconds = (
        tuple(value / turns.iterations / share for value in arm.values)
        for arm, share in zip(found, shares, strict=True)
    )
    clock = "process CPU clock" if by_cpu else "perf_counter"
    taken = PairedSamples(turns.iterations, base_seconds, head_seconds, clock, turns.samples)
    return taken, max(arm.waiting for arm in found)


def _calibrate(base: Worker, head: Worker, ready: Ready, plan: SlicePlan) -> tuple[int, float, float]:
    """Find iterations for samples of the wanted length, how long the slower arm's then last, and how much one waits."""
    waiting = math.inf

    def both(iterations: int) -> float:
        nonlocal waiting
        answers: list[Values] = [worker.ask(Sample(iterations), plan.answer_seconds) for worker in (base, head)]
        waiting = min(waiting, max(answer.waiting for answer in answers))  # what others do only makes it look longer
        return max(answer.values[0] for answer in answers)

    if ready.most_samples == 1:  # every call counts: none may be spent on finding out
        return ready.fixed_iterations or 1, 0.0, 0.0
    iterations = ready.fixed_iterations or 1
    seconds = both(iterations)
    spent = seconds
    if ready.fixed_iterations is None:
        while seconds < plan.sample_seconds / 2 and iterations < LARGEST_ITERATIONS:
            iterations *= 2
            seconds = both(iterations)
            spent += seconds
    while spent < min(WARMUP_SECONDS, plan.seconds / 4):
        seconds = both(iterations)
        spent += seconds
    if ready.fixed_iterations is None and seconds > 0:
        wanted = max(1, round(iterations * plan.sample_seconds / seconds))
        seconds *= wanted / iterations
        iterations = wanted
    return iterations, seconds, waiting


def measure_values(
    base: Worker, head: Worker, plan: SlicePlan, rounds: int, *, base_leads: bool
) -> tuple[PairedSamples, PairedSamples | None]:
    """Take single values of both arms (memory, start-up), A B B A.

    Returns:
        The values, and beside start-up's seconds the peaks of memory.

    Raises:
        WorkerError: A worker is gone or does not answer.
    """
    values: dict[str, list[float]] = {base.name: [], head.name: []}
    peaks: dict[str, list[float]] = {base.name: [], head.name: []}
    for turn in range(rounds):
        order = (base, head) if base_leads == (turn % 2 == 0) else (head, base)
        for worker in order:
            answer: Values = worker.ask(Sample(1), plan.answer_seconds)
            values[worker.name] += answer.values
            peaks[worker.name] += answer.peaks
    taken = PairedSamples(1, tuple(values[base.name]), tuple(values[head.name]))
    if not peaks[base.name]:
        return taken, None
    return taken, PairedSamples(1, tuple(peaks[base.name]), tuple(peaks[head.name]))
