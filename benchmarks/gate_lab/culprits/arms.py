"""One side of a trial, in a process of its own: counts calls, measures, or times suspects in turns with the other."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.gate_lab.culprits.changes import DEPENDENCY
from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.profiles.engines import slices_for
from jarvisperf.profiles.turns import Turns
from jarvisperf.suspects.call_counts import CallCounter, count_calls
from jarvisperf.suspects.model import CodeRange
from jarvisperf.suspects.timing import time_suspects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.suspects.model import Execution

REPETITIONS = 60
CALLS = 5
SECONDS = 1.0  # as in the plugin


def roots_of(folder: Path) -> list[Path]:
    """Return an arm's folders: the project's, and the one of installed packages."""
    return [folder / DEPENDENCY, folder]


def executed_by(folder: Path) -> Execution:
    """Count calls in this process, which must not have loaded another side of a trial."""
    prepared = CallCounter()
    with prepared:
        target = _target(folder)
        target.call()
    return count_calls(target, [prepared], roots_of(folder))


def _target(folder: Path) -> FunctionTarget:
    sys.path[:0] = [str(folder), str(folder / DEPENDENCY)]
    work: Any = importlib.import_module("work")
    return FunctionTarget(work.work, (work.prepare(),))


def start(folder: Path, action: str, end: socket.socket | None = None, extra: str = "") -> subprocess.Popen[bytes]:
    """Start a process for one side; it prints its answer.

    Args:
        folder: The side's folder.
        action: ``count``, ``measure`` or ``time``.
        end: Its end of the connection to the other side, to take turns.
        extra: JSON: the lines of the suspects to time.
    """
    descriptor = -1 if end is None else end.fileno()
    words = [sys.executable, "-m", __name__, action, str(folder), str(descriptor), extra]
    return subprocess.Popen(  # noqa: S603
        words,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        pass_fds=[] if end is None else [descriptor],
    )


def main(words: Sequence[str]) -> None:
    """Carry out an action, and print the answer."""
    action, folder, descriptor, extra = words
    if action == "count":
        answer: Any = executed_by(Path(folder))
    elif action == "measure":
        answer = _seconds(Path(folder))
    else:
        suspects = msgspec.json.decode(extra, type=tuple[CodeRange, ...])
        turns = Turns(socket.socket(fileno=int(descriptor)), leads=Path(folder).name == "base")
        target = _target(Path(folder))
        target.call()
        slices = slices_for(target, SECONDS, turns.turn)
        answer = time_suspects(target, slices, suspects, roots_of(Path(folder)), waits=False, seconds=SECONDS)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _seconds(folder: Path) -> float:
    """Return the shortest processor time of some calls."""
    target = _target(folder)
    target.use_clock(time.process_time)
    return min(target.sample(CALLS) for _ in range(REPETITIONS)) / CALLS


def seconds_of(folder: Path) -> float:
    """Measure one side in a process of its own."""
    output, _ = start(folder, "measure").communicate()
    return float(json.loads(output))


if __name__ == "__main__":
    main(sys.argv[1:])
