"""Lets a process fork only while none of its threads is inside SQLite.

SQLite's locks, and its notes of which thread has locked what in a file, are the process's. In a child they stay as they
were: it would hang at its first statement, or find the database locked for ever (sqlite.org, "How To Corrupt An SQLite
Database File", 2.6). So each thread has a lock of its own, which it holds while it is inside, and a fork takes all of
them: it waits until the calls that are under way have ended, and calls wait for the fork.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threading import RLock

LONGEST_WAIT_SECONDS: Final = 2.0
"""A fork waits no longer: a search through a large folder can take its time."""


class _Forks:
    """The forks of this process."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._locks: weakref.WeakSet[RLock] = weakref.WeakSet()
        self._taken: list[RLock] = []
        self._guard = threading.RLock()

    def add(self, lock: RLock) -> None:
        """Take note of a thread's lock; during a fork the thread waits here."""
        with self._guard:
            self._locks.add(lock)

    def before(self) -> None:
        """Wait until no other thread is inside; then none comes in, and none forks."""
        own = in_sqlite.lock
        self._guard.acquire()
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        for lock in list(self._locks):
            if lock is not own and lock.acquire(timeout=max(0.0, until - time.monotonic())):
                self._taken.append(lock)

    def after_in_parent(self) -> None:
        """Let the threads go on."""
        while self._taken:
            self._taken.pop().release()
        self._guard.release()

    def after_in_child(self) -> None:
        """Begin anew: there is one thread."""
        self._begin()
        self._locks.add(in_sqlite.lock)


class _InSQLite(threading.local):
    """``with in_sqlite.lock``, a thread is inside SQLite; it may go in again while it is."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        _forks.add(self.lock)


_forks: Final = _Forks()
in_sqlite: Final = _InSQLite()
os.register_at_fork(before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child)
