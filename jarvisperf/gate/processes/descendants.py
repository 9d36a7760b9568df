"""Ends processes that others left behind; imports the standard library only, because it runs before everything else.

A process that calls `adopt_orphans` becomes the parent of every descendant whose own parent ends, even in another
session or process group (prctl(2), PR_SET_CHILD_SUBREAPER). This way, none is missed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

# Bound before tests can replace them: what a mocked `open` returns would be taken for the ids of processes to end.
from os import getpid, listdir

open_file = open
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MOST_SECONDS = 4.0  # then gives up on processes that hang in the kernel or start others faster than they are found
GRACE_SECONDS = 1.0  # after SIGTERM, for servers to close files and for multiprocessing's tracker to clean up
LOOK_SECONDS = 0.01


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants, if the system supports it."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(how: signal.Signals, parent: int | None = None) -> None:
    """Have the system send this process a signal when its parent ends, however it ends.

    Args:
        how: The signal.
        parent: The parent's process id; if it has already ended, the signal comes at once. None: unknown.
    """
    _prctl(PR_SET_PDEATHSIG, how)
    if parent is not None and os.getppid() != parent:
        os.kill(getpid(), how)


def children(of: int | None = None) -> set[int]:
    """Return the process ids of a process's children; empty if the system does not show them.

    Args:
        of: The process's id; None: this process.
    """
    parent = getpid() if of is None else of
    found: set[int] = set()
    try:
        for thread in listdir(f"/proc/{parent}/task"):  # noqa: PTH208
            with open_file(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                found.update(map(int, file.read().split()))
    except OSError:  # the kernel lacks these files, or the process or thread has ended
        return _children_by_scan(parent)
    return found


def end_orphans(spared: set[int] | frozenset[int] = frozenset()) -> None:
    """End this process's children and their descendants: with SIGTERM, and with SIGKILL after a second.

    Args:
        spared: Children to leave running.
    """
    start = time.monotonic()
    asked: set[int] = set()
    while (left := children() - spared) and time.monotonic() < start + MOST_SECONDS:
        if time.monotonic() > start + GRACE_SECONDS:
            _kill_all(left, start + MOST_SECONDS)
        for number in left - asked:
            _send(number, signal.SIGTERM)
        asked |= left
        for number in children() - spared:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
        time.sleep(LOOK_SECONDS)


def _kill_all(tops: set[int], deadline: float) -> None:
    """Kill processes and their descendants; all are stopped first, so that none can fork while others are killed."""
    stopped: set[int] = set()
    while (new := _with_descendants(tops) - stopped) and time.monotonic() < deadline:
        for number in new:
            _send(number, signal.SIGSTOP)
        stopped |= new
    for number in stopped:
        _send(number, signal.SIGKILL)


def _with_descendants(tops: set[int]) -> set[int]:
    found: set[int] = set()
    left = list(tops)
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left += children(number)
    return found


def _send(number: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(number, how)


def _children_by_scan(parent: int) -> set[int]:
    try:
        numbers = [int(name) for name in listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return set()
    return {number for number in numbers if _parent(number) == parent}


def _parent(number: int) -> int | None:
    try:
        with open_file(f"/proc/{number}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):  # it has ended
        return None


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
