"""Lets a process fork only while none of its threads is inside SQLite.

SQLite's locks, including its record of file locks, belong to the process. A child would inherit their state and hang at
its first statement, or find the database locked forever (sqlite.org, "How To Corrupt An SQLite Database File", 2.6).
Therefore each thread holds its own lock while inside SQLite, and a fork acquires all of them: it waits for running
calls to end, and new calls wait for the fork.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from jarvisperf.forks import at_fork

if TYPE_CHECKING:
    from threading import RLock

LONGEST_WAIT_SECONDS: Final = 2.0
"""Maximum wait of a fork; searching a large folder can take longer."""


class _Forks:
    """The state behind the fork hooks of this process."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._locks: weakref.WeakSet[RLock] = weakref.WeakSet()
        self._taken: list[RLock] = []
        self._guard = threading.RLock()

    def add(self, lock: RLock) -> None:
        """Register a thread's lock; during a fork, the thread waits here."""
        with self._guard:
            self._locks.add(lock)

    def before(self) -> None:
        """Wait until no other thread is inside SQLite, and keep threads from entering or forking."""
        own = in_sqlite.lock
        self._guard.acquire()
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        for lock in list(self._locks):
            if lock is not own and lock.acquire(timeout=max(0.0, until - time.monotonic())):
                self._taken.append(lock)

    def after_in_parent(self) -> None:
        """Release the threads."""
        while self._taken:
            self._taken.pop().release()
        self._guard.release()

    def after_in_child(self) -> None:
        """Reset: the child has one thread."""
        self._begin()
        self._locks.add(in_sqlite.lock)


class _InSQLite(threading.local):
    """Holds a reentrant lock per thread: inside ``with in_sqlite.lock``, the thread may use SQLite."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        _forks.add(self.lock)


_forks: Final = _Forks()
in_sqlite: Final = _InSQLite()
at_fork(before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child)
