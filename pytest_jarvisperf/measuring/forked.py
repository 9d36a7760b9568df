"""Runs work in forked copies of this process, one after the other, and returns what each of them returned."""

from __future__ import annotations

import os
import select
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.forks import can_fork
from jarvisperf.gate.processes import descendants

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 1 << 16


class ForkedWorkError(RuntimeError):
    """A copy could not do the work; the message says what happened."""


def is_forkable() -> bool:
    """Return whether this process can be copied; a copy has one thread, and would wait for the others forever."""
    return can_fork() and threading.active_count() == 1


def in_forks(work: Callable[[], Any], count: int, most_seconds: float) -> list[Any]:
    """Run work in several copies of this process.

    Args:
        work: Returns something that JSON can hold.
        count: The number of copies.
        most_seconds: How long each copy may take.

    Raises:
        ForkedWorkError: A copy failed, ended early, or took too long.
    """
    return [_in_a_fork(work, most_seconds) for _ in range(count)]


def _in_a_fork(work: Callable[[], Any], most_seconds: float) -> Any:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, here those of numerical libraries
        copy = os.fork()
    if copy == 0:
        _work_and_end(work, writing)
    os.close(writing)
    try:
        answer = _read(reading, REAL.wall() + most_seconds)
    except BaseException:
        os.kill(copy, signal.SIGKILL)
        raise
    finally:
        os.close(reading)
        _, status = os.waitpid(copy, 0)
    if status != 0:
        raise ForkedWorkError(answer.decode(errors="replace") or f"a copy of the process ended with status {status}")
    return msgspec.json.decode(answer)


def _work_and_end(work: Callable[[], Any], writing: int) -> NoReturn:
    """Do the work in the copy, send the answer, and exit without the exit handlers of the original."""
    status = 1
    try:
        descendants.end_with_parent(signal.SIGKILL)
        answer = msgspec.json.encode(work())
        status = 0
    except BaseException as error:  # noqa: BLE001  # this is the copy's last frame, and the original reports it
        answer = f"{type(error).__name__}: {error}".encode(errors="replace")
    try:
        while answer:
            answer = answer[os.write(writing, answer) :]
    finally:
        os._exit(status)


def _read(reading: int, deadline: float) -> bytes:
    found = b""
    while True:
        left = deadline - REAL.wall()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            raise ForkedWorkError("a copy of the process did not answer in time")
        chunk = os.read(reading, CHUNK_BYTES)
        if not chunk:
            return found
        found += chunk
