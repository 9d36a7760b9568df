"""Lets a process fork only while none of its threads is inside SQLite.

SQLite's locks, and its notes of which thread has locked what in a file, are the process's. In a child they stay as they
were: it would hang at its first statement, or find the database locked for ever (sqlite.org, "How To Corrupt An SQLite
Database File", 2.6). So a fork waits until the calls that are under way have ended, and calls wait for the fork.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Final

LONGEST_WAIT_SECONDS: Final = 2.0
"""A fork waits no longer: a search through a large folder can take its time."""
_LOOK_SECONDS: Final = 0.0005


class _Use:
    """How many calls deep one thread is in SQLite."""

    __slots__ = ("__weakref__", "depth")

    def __init__(self) -> None:
        self.depth = 0


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.use = _Use()
        with _forks.lock:
            _forks.uses.add(self.use)


class _Forks:
    """The forks of this process."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.uses: weakref.WeakSet[_Use] = weakref.WeakSet()
        self.lock = threading.Lock()
        self.one_at_a_time = threading.Lock()
        self.is_under_way = False
        self.is_over = threading.Event()

    def before(self) -> None:
        """Wait until no other thread is inside."""
        self.one_at_a_time.acquire()
        own = _of_thread.use
        self.is_over.clear()
        self.is_under_way = True
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < until:
            with self.lock:
                if not any(use.depth for use in self.uses if use is not own):
                    return
            time.sleep(_LOOK_SECONDS)

    def after_in_parent(self) -> None:
        """Let the threads go on."""
        self.is_under_way = False
        self.is_over.set()
        self.one_at_a_time.release()

    def after_in_child(self) -> None:
        """Begin anew: there is one thread."""
        self._begin()
        self.uses.add(_of_thread.use)


class _InSQLite:
    """``with`` it, a thread is inside SQLite."""

    __slots__ = ()

    def __enter__(self) -> None:
        use = _of_thread.use
        use.depth += 1
        while _forks.is_under_way and use.depth == 1:
            use.depth = 0
            _forks.is_over.wait(LONGEST_WAIT_SECONDS)
            use.depth = 1

    def __exit__(self, *_: object) -> None:
        _of_thread.use.depth -= 1


_forks: Final = _Forks()
_of_thread: Final = _OfThread()
in_sqlite: Final = _InSQLite()
os.register_at_fork(before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child)
