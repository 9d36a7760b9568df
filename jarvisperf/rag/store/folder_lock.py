"""Keeps processes from writing to an embedded Chroma folder that others have open.

Chroma's embedded store does not notice what another process writes: its index in memory stays as it was, and its
answers are stale. So a process that has the folder open holds a shared lock on a file in it, and a writer needs that
lock exclusively for the time of the write. Several processes may read, or one may write.

A failed upgrade leaves the shared lock in place, and the lock ends with the process: ``file_lock.py``. There is one
:class:`FolderLock` per folder and process, which :func:`folder_lock` hands out.

A forked child does not have the threads of its parent's Chroma, and its first search would wait for them for ever;
in Chroma 1.5.9 sometimes even where the parent had closed the folder. So it is refused what its parent ever opened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import weakref
from typing import TYPE_CHECKING, Final

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.errors import StoreError, StoreInUseError
from jarvisperf.rag.store.file_lock import lock_file

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
        tell_when_forked(self, FolderLock.begin_anew)

    def begin_anew(self) -> None:
        """Leave the lock to the parent."""
        self._openers_lock = threading.Lock()
        self.within_process = threading.RLock()
        if self._openers:
            os.close(self._descriptor)
            self._openers = 0

    def acquire_shared(self) -> None:
        """Count one more opener of this process; waits while another process writes.

        Raises:
            StoreError: The parent of this process had opened the folder when it forked.
            OSError: The folder cannot be locked.
        """
        if not _folders.note_opening(self._folder):
            raise StoreError(
                f"the document store in {self._folder} was opened before this process was forked, and Chroma's embedded"
                f" store does not survive that. Open it after the fork only, or {_share(self._folder)}"
            )
        with self._openers_lock:
            if self._openers == 0:
                descriptor = os.open(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    lock_file(descriptor, fcntl.LOCK_SH, wait=True)
                except BaseException:
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
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
            self.check_in_place()
            try:
                lock_file(self._descriptor, fcntl.LOCK_EX, wait=False)
            except (BlockingIOError, PermissionError) as error:  # POSIX allows EAGAIN and EACCES
                raise StoreInUseError(
                    f"cannot write to {self._folder}: another process has it open, and Chroma's embedded store is"
                    f" not safe for that. Close it there, or {_share(self._folder)}"
                ) from error
            try:
                yield
            finally:
                lock_file(self._descriptor, fcntl.LOCK_SH, wait=True)

    def check_in_place(self) -> None:
        """Check that the folder is still the one that was opened.

        Raises:
            StoreError: It was removed or replaced.
        """
        if not self._is_in_place():
            raise StoreError(
                f"the document store in {self._folder} is gone: close every OptimizedRAG that has it open and make a"
                " new one"
            )

    def _is_in_place(self) -> bool:
        try:
            in_place = (self._folder / LOCK_NAME).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(in_place, os.fstat(self._descriptor))


def _share(folder: Path) -> str:
    return f"share one server: run `chroma run --path {folder}` and give chroma_url='http://localhost:8000'"


class _Folders:
    """The folders of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: weakref.WeakValueDictionary[Path, FolderLock] = weakref.WeakValueDictionary()
        self._opened: set[Path] = set()
        self._opened_by_the_parent: set[Path] = set()
        tell_when_forked(self, _Folders.begin_anew)

    def begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._opened_by_the_parent |= self._opened
        self._opened.clear()

    def note_opening(self, folder: Path) -> bool:
        """Whether this process may open a folder; what it has opened its children may not."""
        self._opened.add(folder)
        return folder not in self._opened_by_the_parent

    def lock_of(self, folder: Path) -> FolderLock:
        with self._lock:
            lock = self._locks.get(folder)
            if lock is None:
                lock = self._locks[folder] = FolderLock(folder)
            return lock


_folders: Final = _Folders()


def folder_lock(folder: Path) -> FolderLock:
    """The one lock that this process has for ``folder``, a resolved path."""
    return _folders.lock_of(folder)
