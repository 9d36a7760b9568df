"""Keeps processes from writing to an embedded Chroma folder that others have open.

Chroma's embedded store does not notice other processes' writes: its index in memory stays unchanged, and its answers
become stale. So each process that opens the folder holds a shared lock on a file in it, and a writer upgrades to an
exclusive lock while it writes. Several processes may read, or one may write. There is one :class:`FolderLock` per
folder and process, which :func:`folder_lock` returns.

The lock must survive when the process closes another descriptor of the same file, as a backup of the folder does.
Linux's open file description locks (``fcntl_locking(2)``) do; POSIX locks (``fcntl``'s F_SETLK) do not, and are used
only on systems without the former. Either kind keeps the shared lock when an upgrade fails.

A forked child lacks the threads of its parent's Chroma, and its first search would wait for them forever. With Chroma
1.5.9, this sometimes happens even if the parent had closed the folder. So a child must not open any folder that its
parent has ever opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Final

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.errors import StoreError, StoreInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = "jarvisperf.lock"

with contextlib.suppress(ModuleNotFoundError):  # Windows does not have it
    import fcntl

# struct flock of Linux: type, whence, start, length (0: to the end), process (must be 0), and padding.
_FLOCK: Final = "hhqqi0q"


class FolderLock:
    """The lock of one folder in this process.

    Args:
        folder: The resolved folder.

    Attributes:
        within_process: Held by the thread that writes.
        state_writes: Changes whenever this process may have written the state of a collection in the folder.
        system: The number of the Chroma system that follows the folder; it changes when Chroma must be opened again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._openers = 0
        self._descriptor = -1
        self._openers_lock = threading.Lock()
        self.within_process = threading.RLock()
        self.state_writes = 0
        self.system = 0
        tell_when_forked(self, FolderLock.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Leave the lock to the parent process after a fork."""
        self._openers_lock = threading.Lock()
        self.within_process = threading.RLock()
        if self._openers:
            os.close(self._descriptor)
            self._openers = 0

    def acquire_shared(self) -> None:
        """Register one more opener in this process; wait while another process writes.

        Raises:
            StoreError: The parent process had opened the folder before it forked, or the system has no shared locks.
            OSError: The folder cannot be locked.
        """
        if "fcntl" not in globals():
            raise StoreError(
                f"the document store in {self._folder} cannot be opened here: this system has no shared file locks, "
                f"which protect it from other processes' writes. Instead, {_share(self._folder)}"
            )
        if not _folders.note_opening(self._folder):
            raise StoreError(
                f"the document store in {self._folder} was opened before this process was forked, which Chroma's"
                f" embedded store does not support. Open it only after the fork, or {_share(self._folder)}"
            )
        with self._openers_lock:
            if self._openers == 0:
                descriptor = os.open(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    _lock_file(descriptor, exclusive=False, wait=True)
                except BaseException:
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
            self._openers += 1

    def release_shared(self) -> None:
        """Unregister one opener."""
        with self._openers_lock:
            self._openers -= 1
            if self._openers == 0:
                os.close(self._descriptor)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep all other threads and processes from writing while the body runs.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: The folder was removed or replaced while it was open.
        """
        with self.within_process:
            self.check_in_place()
            try:
                _lock_file(self._descriptor, exclusive=True, wait=False)
            except (BlockingIOError, PermissionError) as error:  # POSIX allows EAGAIN and EACCES
                raise StoreInUseError(
                    f"cannot write to {self._folder}: another process has it open, and Chroma's embedded store does"
                    f" not support that. Close it there, or {_share(self._folder)}"
                ) from error
            try:
                yield
            finally:
                _lock_file(self._descriptor, exclusive=False, wait=True)

    def start_another_system(self) -> None:
        """Let every opener in this process open Chroma again."""
        self.system += 1
        self.state_writes += 1

    def check_in_place(self) -> None:
        """Check that the folder is still the one that was opened.

        Raises:
            StoreError: It was removed or replaced.
        """
        if not self._is_in_place():
            raise StoreError(
                f"the document store in {self._folder} is gone: close every OptimizedRAG that has it open and create"
                " a new one"
            )

    def _is_in_place(self) -> bool:
        try:
            in_place = (self._folder / LOCK_NAME).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(in_place, os.fstat(self._descriptor))


class _Folders:
    """The folder locks of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: weakref.WeakValueDictionary[Path, FolderLock] = weakref.WeakValueDictionary()
        self._opened: set[Path] = set()
        self._opened_by_the_parent: set[Path] = set()
        tell_when_forked(self, _Folders.reset_after_fork)

    def reset_after_fork(self) -> None:
        self._lock = threading.Lock()
        self._opened_by_the_parent |= self._opened
        self._opened.clear()

    def note_opening(self, folder: Path) -> bool:
        """Return whether this process may open a folder, and keep its children from opening it."""
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
    """Return this process's lock for ``folder``, a resolved path."""
    return _folders.lock_of(folder)


def _share(folder: Path) -> str:
    return f"share one server: run `chroma run --path {folder}` and give chroma_url='http://localhost:8000'"


def _lock_file(descriptor: int, *, exclusive: bool, wait: bool) -> None:
    """Lock a whole file, or change the existing lock.

    Args:
        descriptor: The file, open for reading and writing.
        exclusive: Let nobody else hold a lock, not even a shared one.
        wait: Wait for others to release conflicting locks.

    Raises:
        BlockingIOError, PermissionError: Another process holds a conflicting lock.
        OSError: The file cannot be locked.
    """
    if sys.platform == "linux":
        kind = fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK
        command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
        try:
            fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))
        except OSError as error:
            if error.errno != errno.EINVAL:  # raised by systems that only look like Linux
                raise
        else:
            return
    fcntl.lockf(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
