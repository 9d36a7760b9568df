"""The coordinator's own account of what two workers spend while they take turns; it refuses figures that exceed it.

A worker measures itself, in a process that also runs the project's code. What it reports as CPU time cannot exceed
what the kernel counted for it, and what both report cannot exceed the time that passed. Smaller figures are possible: a
worker also spends time between its samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes.kernel_view import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.gate.processes.protocol import TakeTurns, Values
    from jarvisperf.gate.processes.workers import Worker

ALLOWED_SHARE = 1.05  # rounding, and samples that began before the kernel's figure was read
ALLOWED_SECONDS = 0.002


class Accounts:
    """Begins to count when it is created, and ends when the figures are checked.

    Args:
        workers: The workers, before they are told to take their turns.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._cpu = [_cpu_of(worker) for worker in workers]
        self._begin = REAL.wall()

    def check(self, turns: Sequence[TakeTurns], values: Sequence[Values]) -> None:
        """Compare what the workers report with what was counted for them.

        Args:
            turns: What each worker was told.
            values: What it reported, in seconds by a clock of ours.

        Raises:
            ValueError: It is impossible.
        """
        elapsed = REAL.wall() - self._begin
        reported = [_least_seconds(told, arm) for told, arm in zip(turns, values, strict=True)]
        for worker, told, seconds, before in zip(self._workers, turns, reported, self._cpu, strict=True):
            now = _cpu_of(worker)
            if told.clock == "cpu" and before is not None and now is not None and _exceeds(seconds, now - before):
                raise ValueError(
                    f"the {worker.name} arm reports {seconds:.3g} s of CPU time, but the system counted "
                    f"{now - before:.3g} s for it: does the project patch clocks, or jarvisperf itself?"
                )
        together = any(told.together for told in turns)
        is_real = all(worker.processes for worker in self._workers)
        if is_real and not together and _exceeds(sum(reported), elapsed):
            raise ValueError(
                f"the arms report {sum(reported):.3g} s together, but only {elapsed:.3g} s passed: does the project "
                "patch clocks, or jarvisperf itself?"
            )


def _cpu_of(worker: Worker) -> float | None:
    return cpu_seconds(worker.processes[-1]) if worker.processes else None


def _exceeds(reported: float, counted: float) -> bool:
    return reported > ALLOWED_SHARE * counted + ALLOWED_SECONDS


def _least_seconds(told: TakeTurns, reported: Values) -> float:
    """Return the least time that a worker's slices took: each value is a median, which half of the samples reach."""
    return (told.samples + 1) // 2 * sum(reported.values)
