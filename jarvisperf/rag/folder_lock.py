"""Keeps processes from writing to an embedded Chroma folder that others have open.

Chroma's embedded store does not notice what another process writes: its index in memory stays as it was, and its
answers are stale. So a process that has the folder open holds a shared lock on a file in it, and a writer needs that
lock exclusively for the time of the write. Several processes may read, or one may write.

The locks are those of POSIX ``fcntl``: they belong to the process, a failed upgrade leaves the shared lock in place,
and they end with the process. Closing any descriptor of the file ends them too, hence one :class:`FolderLock` per
folder and process, which :func:`folder_lock` hands out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import weakref
from typing import TYPE_CHECKING

from jarvisperf.rag.errors import StoreError, StoreInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = "jarvisperf.lock"


class FolderLock:
    """The lock of one folder in this process.

    Args:
        folder: The resolved folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._openers = 0
        self._descriptor = -1
        self._openers_lock = threading.Lock()
        self.within_process = threading.RLock()

    def acquire_shared(self) -> None:
        """Count one more opener of this process; waits while another process writes."""
        with self._openers_lock:
            if self._openers == 0:
                self._descriptor = os.open(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.lockf(self._descriptor, fcntl.LOCK_SH)
            self._openers += 1

    def release_shared(self) -> None:
        """Count one opener less."""
        with self._openers_lock:
            self._openers -= 1
            if self._openers == 0:
                os.close(self._descriptor)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else writes within, neither a thread of this process nor another process.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: The folder was removed or replaced while it was open.
        """
        with self.within_process:
            if not self._is_in_place():
                raise StoreError(
                    f"the document store in {self._folder} is gone: close every OptimizedRAG that has it open and"
                    " make a new one"
                )
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:  # POSIX allows EAGAIN and EACCES
                raise StoreInUseError(
                    f"cannot write to {self._folder}: another process has it open, and Chroma's embedded store is"
                    " not safe for that. Close it there, or share one server: run"
                    f" `chroma run --path {self._folder}` and give chroma_url='http://localhost:8000'"
                ) from error
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_SH)

    def _is_in_place(self) -> bool:
        try:
            in_place = (self._folder / LOCK_NAME).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(in_place, os.fstat(self._descriptor))


_locks: weakref.WeakValueDictionary[Path, FolderLock] = weakref.WeakValueDictionary()
_locks_lock = threading.Lock()


def folder_lock(folder: Path) -> FolderLock:
    """The one lock that this process has for ``folder``, a resolved path."""
    with _locks_lock:
        lock = _locks.get(folder)
        if lock is None:
            lock = _locks[folder] = FolderLock(folder)
        return lock
