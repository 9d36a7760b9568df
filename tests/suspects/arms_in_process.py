"""Executes both arms of a small program, each in a process of its own, and compares their code.

Other tests leave threads and servers behind in this process, and with these not everything is seen.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.suspects.call_counts import CallCounter, count_calls
from jarvisperf.suspects.decision import ArmCode, DecidedSuspects, suspects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection

    from jarvisperf.suspects.model import Execution

_PROCESSES = multiprocessing.get_context("forkserver")


def compared(
    folder: Path,
    base: Mapping[str, str],
    head: Mapping[str, str],
    call: str = "work",
) -> DecidedSuspects:
    """Find the suspects of a call of `work.work()` in a program that exists in two versions.

    Args:
        folder: An empty folder.
        base: The files of base, by name; `work.py` is among them.
        head: The files of head.
        call: The function of `work.py` that is called.
    """
    arms = []
    for name, files in (("base", base), ("head", head)):
        arm = folder / name
        arm.mkdir()
        for file, text in files.items():
            (arm / file).write_text(text, encoding="utf-8")
        arms.append(ArmCode(executed_in([arm], call), source_in([arm])))
    return suspects_of(*arms)


def executed_in(roots: Sequence[Path], call: str = "work") -> Execution:
    """In a fresh process, import `work` from an arm's folders, and call one of its functions."""
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_send_executed, args=(theirs, [str(root) for root in roots], call))
    process.start()
    theirs.close()
    with ours:
        execution: Execution = ours.recv()
    process.join()
    return execution


def _send_executed(connection: Connection, roots: Sequence[str], call: str) -> None:
    sys.path[:0] = reversed(roots)
    prepared = CallCounter()
    with prepared:
        work: Any = importlib.import_module("work")
        arguments = (work.prepare(),) if hasattr(work, "prepare") else ()
        target = FunctionTarget(getattr(work, call), arguments)
        target.call()
    connection.send(count_calls(target, [prepared], [Path(root) for root in roots]))
    connection.close()


def source_in(roots: Sequence[Path]) -> Callable[[str], str | None]:
    """Return what reads an arm's files by their places."""

    def source(place: str) -> str | None:
        number, _, name = place.partition("/")
        file = roots[int(number)] / name
        return file.read_text(encoding="utf-8") if file.exists() else None

    return source
