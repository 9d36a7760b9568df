"""Ends processes that others left behind; standard library only, because it runs before anything else is imported.

A process that calls `adopt_orphans` becomes the parent of every descendant whose own parent exits, even one that has
moved to another session or process group (prctl(2), PR_SET_CHILD_SUBREAPER). So no descendant can escape.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MOST_SECONDS = 4.0  # then give up: a process hangs in the kernel, or forks faster than we can kill
GRACE_SECONDS = 1.0  # after SIGTERM, for a server to close its files and multiprocessing's tracker to clean up
LOOK_SECONDS = 0.01


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants, if the system supports that."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(how: signal.Signals) -> None:
    """Receive a signal when the parent exits, however it exits."""
    _prctl(PR_SET_PDEATHSIG, how)


def children() -> set[int]:
    """Return the process ids of this process's children, as far as the system reports them."""
    found: set[int] = set()
    try:
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
            with open(f"/proc/self/task/{thread}/children", "rb") as file:  # noqa: PTH123
                found.update(map(int, file.read().split()))
    except OSError:  # a kernel without these files
        return _children_by_scan()
    return found


def end_orphans(spared: set[int] | frozenset[int] = frozenset()) -> None:
    """End this process's children and all their descendants: SIGTERM first, SIGKILL after a second.

    Args:
        spared: Process ids of children to leave alone.
    """
    start = time.monotonic()
    asked: set[int] = set()
    while (left := children() - spared) and time.monotonic() < start + MOST_SECONDS:
        for number in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if time.monotonic() > start + GRACE_SECONDS:
                    os.kill(number, signal.SIGKILL)
                elif number not in asked:
                    os.kill(number, signal.SIGTERM)
                    asked.add(number)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
        time.sleep(LOOK_SECONDS)


def _children_by_scan() -> set[int]:
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return set()
    return {number for number in numbers if _parent(number) == os.getpid()}


def _parent(number: int) -> int | None:
    try:
        with open(f"/proc/{number}/stat", "rb") as file:  # noqa: PTH123
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):  # it has exited
        return None


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
