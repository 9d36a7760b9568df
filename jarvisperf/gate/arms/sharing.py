"""Stores identical files of several arms only once, so that 30,000 files or 1 GB are not written three times.

If the file system supports it, a copy shares its blocks until one of the two is written to (FICLONE, see
ioctl_ficlone(2)). Otherwise the arms have hard links to one copy, never to the user's working tree. A benchmark that
writes to such a file in place changes it in the other arms as well. The modification time shows this after each batch
of launches; the arms then get their own copies again, and the batch is measured again.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FICLONE = 0x40049409
LARGE_BYTES = 256 * 1024  # copying smaller files costs no more than sharing their blocks
PART_BYTES = 1 << 20
NEVER_CLONES = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV})


class FileState(NamedTuple):
    """The properties of a file that change when it is written to."""

    modified_ns: int
    size_bytes: int
    mode: int


class LinkedFiles:
    """The files that several arms link to.

    Args:
        source: The folder that they were copied from.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._folders: dict[str, list[Path]] = {}  # folders with a link to the same file, by its name
        self._states: dict[str, FileState] = {}
        self._may_clone = True

    def add(self, owner: Path, target: Path, names: Iterable[str]) -> None:
        """Add files of another folder to a folder.

        Args:
            owner: The folder with its own copies of the source's files.
            target: The folder to add them to.
            names: The files, relative to both folders; `is_copied` is true for each of them in `owner`.

        Raises:
            OSError: A file could not be linked or copied.
        """
        ready: set[str] = set()  # folders that exist
        for name in names:
            folder = name.rpartition("/")[0]
            if folder not in ready:
                (target / folder).mkdir(parents=True, exist_ok=True)
                ready.add(folder)
            # Names as text, because there may be tens of thousands.
            origin, copy = f"{owner}/{name}", f"{target}/{name}"
            if os.path.lexists(copy):
                os.unlink(copy)  # noqa: PTH108
            if self._clone(origin, copy):
                continue
            try:
                os.link(origin, copy)
            except OSError:  # the file system allows no more links, or none at all
                copy_file(origin, copy)
                continue
            self._folders.setdefault(name, [owner]).append(target)
            if name not in self._states:
                self._states[name] = _state(origin)

    def separate_written(self, keeper: Path | None = None) -> list[str]:
        """Give each arm its own copy of a file again if it was written to.

        Args:
            keeper: The folder that keeps the written file; None: every folder gets the original file.

        Returns:
            The names of those files.

        Raises:
            OSError: A file could not be copied, or the source has changed as well.
        """
        written = [name for name, state in self._states.items() if self._is_written(name, state)]
        for name in written:
            source = f"{self._source}/{name}"
            if _state(source) != self._states[name]:
                raise OSError(f"{source} changed during the comparison; run the comparison again")
            for folder in self._folders.pop(name):
                if folder != keeper:
                    (folder / name).unlink(missing_ok=True)
                    copy_file(source, folder / name)
            del self._states[name]
        return written

    def _is_written(self, name: str, state: FileState) -> bool:
        folders = self._folders[name]
        for folder in folders:
            try:
                about = os.stat(f"{folder}/{name}")  # noqa: PTH116
            except FileNotFoundError:  # an arm may have removed or replaced its own
                continue
            if about.st_nlink > 1 and _state_of(about) != state:
                return True
            if about.st_nlink == len(folders):  # all are still links to this one
                return False
        return False

    def _clone(self, origin: str, copy: str) -> bool:
        """Create a copy that shares its blocks until one is written to; return False if the file system cannot."""
        if not self._may_clone:
            return False
        try:
            clone_file(origin, copy)
        except OSError as error:
            if error.errno in NEVER_CLONES:
                self._may_clone = False
            return False
        return True


def is_copied(source: str, copy: str) -> bool:
    """Return whether a regular file exists in both places and has not been written to since it was copied."""
    try:
        about, its = os.lstat(source), os.lstat(copy)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(about.st_mode) and _state_of(about) == _state_of(its)


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a file with its times and permissions, sharing blocks with the source if the file system supports it.

    Raises:
        OSError: It could not be copied.
    """
    # With file descriptors for speed: a large repository has tens of thousands of files.
    origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        about = os.fstat(origin)
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if not (about.st_size >= LARGE_BYTES and _clone(origin, copy)):
                while part := os.read(origin, PART_BYTES):
                    rest = memoryview(part)
                    while rest:
                        rest = rest[os.write(copy, rest) :]
            _take_over(copy, about)
        finally:
            os.close(copy)
    finally:
        os.close(origin)


def clone_file(source: str | Path, target: str | Path) -> None:
    """Create a copy that shares its blocks until one is written to, with times and permissions.

    Raises:
        OSError: The file system does not support that; no copy was created.
    """
    with open(source, "rb", buffering=0) as origin, open(target, "wb", buffering=0) as copy:  # noqa: PTH123
        if not _clone(origin.fileno(), copy.fileno()):
            os.unlink(target)  # noqa: PTH108
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), str(target))
        _take_over(copy.fileno(), os.fstat(origin.fileno()))


def _clone(origin: int, copy: int) -> bool:
    import fcntl  # Windows does not have it

    try:
        fcntl.ioctl(copy, FICLONE, origin)
    except OSError:  # another file system, or one without shared blocks
        return False
    return True


def _take_over(descriptor: int, about: os.stat_result) -> None:
    os.fchmod(descriptor, stat.S_IMODE(about.st_mode))
    os.utime(descriptor, ns=(about.st_atime_ns, about.st_mtime_ns))


def _state(path: str) -> FileState:
    return _state_of(os.stat(path))  # noqa: PTH116


def _state_of(about: os.stat_result) -> FileState:
    return FileState(about.st_mtime_ns, about.st_size, about.st_mode)
