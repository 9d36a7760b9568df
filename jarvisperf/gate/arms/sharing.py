"""Large files that are the same in several arms exist once: the disk need not hold 1 GB of data three times.

Where the file system can, a copy shares its blocks until one of the two is written to (FICLONE, see ioctl_ficlone(2)).
Elsewhere the arms have hard links to one copy, never to the user's working tree. A benchmark that writes to such a file
in place would change it in the other arms as well. That shows in its time of modification: after each batch of launches
the arms then get files of their own again, and the batch is measured once more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FICLONE = 0x40049409
LARGE_BYTES = 256 * 1024  # below, the space counts less than a file of one's own
PART_BYTES = 1 << 20


class State(NamedTuple):
    """What writing to a file changes."""

    modified_ns: int
    size_bytes: int
    mode: int


class SharedLargeFiles:
    """The files that several arms have links to.

    Args:
        source: The folder whose files they are copies of.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._links: dict[str, list[Path]] = {}
        self._states: dict[str, State] = {}
        self._sources: dict[str, State] = {}

    def add(self, owner: Path, target: Path, names: Iterable[str]) -> None:
        """Give a folder the same files as another one.

        Args:
            owner: The folder that has copies of its own of the source's files.
            target: The folder that gets them.
            names: The files, relative to both.

        Raises:
            OSError: A file could not be linked or copied.
        """
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).unlink(missing_ok=True)
            if clone_file(owner / name, target / name):
                continue
            try:
                os.link(owner / name, target / name)
            except OSError:  # more links than the file system has, or none at all
                copy_file(owner / name, target / name)
                continue
            self._links.setdefault(name, [owner / name]).append(target / name)
            self._states[name] = _state(owner / name)
            self._sources[name] = _state(self._source / name)

    def separate_written(self) -> list[str]:
        """Give each arm a file of its own again where one was written to.

        Returns:
            The names of those files.

        Raises:
            OSError: A file could not be copied, or the source has changed as well.
        """
        written = [name for name, state in self._states.items() if self._is_written(name, state)]
        for name in written:
            source = self._source / name
            if _state(source) != self._sources[name]:
                raise OSError(f"{source} has changed while it was being compared; run the comparison again")
            for link in self._links.pop(name):
                link.unlink(missing_ok=True)
                copy_file(source, link)
            del self._states[name], self._sources[name]
        return written

    def _is_written(self, name: str, state: State) -> bool:
        for link in self._links[name]:
            with contextlib.suppress(FileNotFoundError):  # an arm may have removed or replaced its own
                if link.stat().st_nlink > 1 and _state(link) != state:
                    return True
        return False


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a file with its times and permissions, in blocks shared with the source where the file system can do so.

    Raises:
        OSError: It could not be copied.
    """
    # By descriptors: a large repository has tens of thousands of files.
    origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        about = os.fstat(origin)
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if not (is_large(about) and _clone(origin, copy)):
                while part := os.read(origin, PART_BYTES):
                    rest = memoryview(part)
                    while rest:
                        rest = rest[os.write(copy, rest) :]
            _take_over(copy, about)
        finally:
            os.close(copy)
    finally:
        os.close(origin)


def clone_file(source: Path, target: Path) -> bool:
    """Make a copy that shares its blocks until one is written to; False: that is not possible here."""
    with source.open("rb", buffering=0) as origin, target.open("wb", buffering=0) as copy:
        cloned = _clone(origin.fileno(), copy.fileno())
        if cloned:
            _take_over(copy.fileno(), os.fstat(origin.fileno()))
    if not cloned:
        target.unlink()
    return cloned


def _clone(origin: int, copy: int) -> bool:
    try:
        fcntl.ioctl(copy, FICLONE, origin)
    except OSError:  # another file system, or one without shared blocks
        return False
    return True


def is_large(about: os.stat_result) -> bool:
    """Tell whether a file is worth sharing."""
    return stat.S_ISREG(about.st_mode) and about.st_size >= LARGE_BYTES


def _take_over(descriptor: int, about: os.stat_result) -> None:
    os.fchmod(descriptor, stat.S_IMODE(about.st_mode))
    os.utime(descriptor, ns=(about.st_atime_ns, about.st_mtime_ns))


def _state(path: Path) -> State:
    about = path.stat()
    return State(about.st_mtime_ns, about.st_size, about.st_mode)
