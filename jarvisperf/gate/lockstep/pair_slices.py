"""Measures a pair on one pair of workers: two benchmarks of the same code, which take slices in turns.

Unlike the arms of a comparison, they may take very different times, so each has its own number of calls per sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.lockstep.slices import (
    CPU_CLOCK,
    DIFFERENT_TURNS,
    MOST_WAITING,
    PairedSamples,
    calibrate,
    count_blocks,
    seconds_per_call,
    slice_samples,
    take_turns,
)
from jarvisperf.gate.processes.protocol import TakeTurns
from jarvisperf.measure.metrics.time import CLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.gate.lockstep.slices import Calibration, SlicePlan
    from jarvisperf.gate.processes.protocol import Ready, Values
    from jarvisperf.gate.processes.workers import Worker


def measure_pair(
    before: Worker, after: Worker, targets: tuple[Ready, Ready], plan: SlicePlan, *, base_leads: bool
) -> PairedSamples:
    """Take slices of both benchmarks in turns, with the same clock.

    Both are timed by the process's CPU clock if neither waits, because extra wall time went to other processes;
    otherwise by the wall clock.

    Args:
        before: The worker of the counterpart, which takes base's place.
        after: The worker of the benchmark.
        targets: The descriptions of both targets.
        plan: How long to measure.
        base_leads: Whether the counterpart takes the first slice.

    Raises:
        TestEndedError: A target raised.
        ValueError: A clock stands still, runs backwards, or returns no number.
        WorkerError: A worker is gone or does not answer.
    """
    workers = (before, after)
    order = (0, 1) if base_leads else (1, 0)
    calibrated = {side: calibrate((workers[side],), targets[side], plan) for side in order}
    found = [calibrated[side] for side in (0, 1)]
    samples = [slice_samples(one, ready, plan) for one, ready in zip(found, targets, strict=True)]
    blocks = count_blocks(sum(count * one.seconds for count, one in zip(samples, found, strict=True)), plan)
    blocks += blocks % 2 if blocks > 1 else 0  # whole A B B A rounds
    for one, ready in zip(found, targets, strict=True):
        if ready.most_samples is not None:
            blocks = min(blocks, ready.most_samples - one.samples)
    turns = [
        TakeTurns(
            one.iterations,
            max(1, blocks),
            base_leads == (side == 0),
            number=plan.number % DIFFERENT_TURNS,
            samples=samples[side],
        )
        for side, one in enumerate(found)
    ]
    waits = [one.waiting[worker.name] for one, worker in zip(found, workers, strict=True)]
    own_clock = any(ready.own_clock or ready.most_samples == 1 for ready in targets)
    if not own_clock and max(waits) <= MOST_WAITING:
        by_cpu = [msgspec.structs.replace(one, clock="cpu") for one in turns]
        values = take_turns(list(zip(workers, by_cpu, strict=True)), plan)
        waits = [arm.waiting for arm in values]
        if max(waits) <= MOST_WAITING or any(ready.most_samples is not None for ready in targets):
            return _per_call(found, samples, values, CPU_CLOCK, [1 - wait for wait in waits])
        # One of them waits occasionally, which only the wall clock sees.
    number = (plan.number + 1) % DIFFERENT_TURNS
    by_wall = [msgspec.structs.replace(one, number=number) for one in turns]
    chosen = any(ready.own_clock for ready in targets)
    values = take_turns(list(zip(workers, by_wall, strict=True)), plan, own_clock=chosen)
    return _per_call(found, samples, values, CLOCK, [1.0, 1.0])


def _per_call(
    found: Sequence[Calibration],
    samples: Sequence[int],
    values: Sequence[Values],
    clock: str,
    shares: Sequence[float],
) -> PairedSamples:
    before, after = seconds_per_call([one.iterations for one in found], clock, shares, values)
    return PairedSamples(
        found[1].iterations, before, after, clock, samples[1], base_slice_calls=found[0].iterations * samples[0]
    )
