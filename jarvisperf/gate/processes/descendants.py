"""Ending the processes that others left behind: standard library only, for it runs before anything is imported.

A process that calls `adopt_orphans` becomes the parent of every descendant whose own parent ends, whatever session or
group that has moved to (prctl(2), PR_SET_CHILD_SUBREAPER). So none gets away.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MOST_SECONDS = 4.0  # what hangs in the kernel, or starts others faster than they are found, is left
GRACE_SECONDS = 1.0  # after SIGTERM: a server closes its files, multiprocessing's tracker removes what is left
LOOK_SECONDS = 0.01


def adopt_orphans() -> None:
    """Have this process become the parent of its orphaned descendants, where the system can do that."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(how: signal.Signals) -> None:
    """Get a signal when the parent ends in whatever way."""
    _prctl(PR_SET_PDEATHSIG, how)


def children(of: int | None = None) -> set[int]:
    """Give the identifiers of a process's children, as far as the system tells them.

    Args:
        of: The identifier of the process; None: this one.
    """
    parent = os.getpid() if of is None else of
    found: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{parent}/task"):  # noqa: PTH208
            with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                found.update(map(int, file.read().split()))
    except OSError:  # a kernel without these files, or a process or thread that has ended
        return _children_by_scan(parent)
    return found


def end_orphans(spared: set[int] | frozenset[int] = frozenset()) -> None:
    """End this process's children and all that descend from them: asked first, and killed after a second.

    Args:
        spared: Children that are not meant.
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


def _children_by_scan(parent: int) -> set[int]:
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return set()
    return {number for number in numbers if _parent(number) == parent}


def _parent(number: int) -> int | None:
    try:
        with open(f"/proc/{number}/stat", "rb") as file:  # noqa: PTH123
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):  # it has ended
        return None


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
