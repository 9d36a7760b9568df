"""One trial: a change that makes the whole program a little slower, and the function that is ranked first."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.gate_lab.culprits.arms import roots_of, seconds_of, start
from benchmarks.gate_lab.culprits.changes import CHANGES, Change, write_arms
from jarvisperf.suspects.decision import ArmCode, suspects_of
from jarvisperf.suspects.model import Execution, TimedSlices
from jarvisperf.suspects.shares import with_shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LAUNCHES = 3
CALIBRATIONS = 3


class Trial(msgspec.Struct, frozen=True):
    """A trial and its answer.

    Attributes:
        kind: The kind of change.
        slowdown: The slowdown that was wanted, as a share of the whole program.
        n: The size of the change that makes it.
        first: The function that was ranked first; empty: no code was found to have changed.
        is_right: Whether it is one that may be blamed.
        share: Its share of the change; None if that could not be determined.
        suspects: The number of suspects.
        load: The machine's load average of the last minute.
    """

    kind: str
    slowdown: float
    n: int
    first: str
    is_right: bool
    share: float | None
    suspects: int
    load: float


def run_trial(kind: str, slowdown: float, n: int | None = None) -> Trial:
    """Run a trial.

    Args:
        kind: The kind of change.
        slowdown: The slowdown of the whole program, as a share.
        n: The size of the change; None: find the one that makes this slowdown.
    """
    change = CHANGES[kind]
    size = calibrated(change, slowdown) if n is None else n
    with tempfile.TemporaryDirectory() as made:
        base, head = _written(change, Path(made), size)
        running = [start(folder, "count") for folder in (base, head)]
        executions = [msgspec.json.decode(one.communicate()[0], type=Execution) for one in running]
        arms = [ArmCode(one, source_of(folder)) for one, folder in zip(executions, (base, head), strict=True)]
        decided = suspects_of(*arms)
        launches = [_launch((base, head), (decided.base, decided.head)) for _ in range(LAUNCHES)]
    suspects = with_shares(decided.explanation, launches).suspects
    first = suspects[0] if suspects else None
    return Trial(
        kind=kind,
        slowdown=slowdown,
        n=size,
        first=first.function if first else "",
        is_right=first is not None and first.function in change.guilty,
        share=first.share if first else None,
        suspects=len(suspects),
        load=round(os.getloadavg()[0], 1),
    )


def calibrated(change: Change, slowdown: float) -> int:
    """Return the size of a change that makes the whole program this much slower, by secants through 0."""
    n = change.n
    for _ in range(CALIBRATIONS):
        with tempfile.TemporaryDirectory() as made:
            base, head = (seconds_of(folder) for folder in _written(change, Path(made), n))
        found = head / base - 1
        n = max(1, round(n * min(max(slowdown / found, 0.05), 20.0))) if found > 0 else 2 * n
    return n


def source_of(folder: Path) -> Callable[[str], str | None]:
    """Return a function that reads an arm's files by their places."""

    def source(place: str) -> str | None:
        number, _, path = place.partition("/")
        file = roots_of(folder)[int(number)] / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    return source


def _written(change: Change, folder: Path, n: int) -> tuple[Path, Path]:
    base, head = folder / "base", folder / "head"
    write_arms(change, base, head, n)
    return base, head


def _launch(folders: Sequence[Path], ranges: Sequence[object]) -> tuple[TimedSlices, TimedSlices]:
    """Time both sides in turns."""
    ends = socket.socketpair()
    running = [
        start(folder, "time", end, msgspec.json.encode(own).decode())
        for folder, end, own in zip(folders, ends, ranges, strict=True)
    ]
    for end in ends:
        end.close()
    base, head = (msgspec.json.decode(one.communicate()[0], type=TimedSlices) for one in running)
    return base, head
