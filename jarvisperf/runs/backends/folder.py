"""A folder on this machine as a place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jarvisperf.runs.backends.place import RunStoreError, one_line
from jarvisperf.runs.files import make_ignored_folder, write_whole

OWN_FOLDER = ".jarvisperf"


class FolderPlace:
    """A folder on this machine. Objects are written under a temporary name and renamed.

    Args:
        folder: The folder; it is created by the first write.
    """

    readers = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

    def exists(self) -> bool:
        """Return whether there is such a folder, or a file in its place, which listing it reports."""
        return self.folder.exists()

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all objects below a folder.

        Raises:
            RunStoreError: A folder cannot be listed.
        """

        def fail(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # not created yet, or just removed
                raise error

        top = self.folder / folder
        try:
            if top.exists() and not top.is_dir():
                raise NotADirectoryError(f"{top} is a file, not a folder")
            return [
                (Path(parent) / name).relative_to(self.folder).as_posix()
                for parent, _, names in os.walk(top, onerror=fail)
                for name in names
            ]
        except OSError as error:
            raise self._error("listed", error) from error

    def read(self, path: str) -> bytes:
        """Read an object.

        Raises:
            FileNotFoundError: It does not exist.
            RunStoreError: It cannot be read.
        """
        try:
            return _read_plain_file(self.folder / path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._error("read", error) from error

    def write(self, path: str, data: bytes) -> None:
        """Write an object atomically.

        Raises:
            RunStoreError: It cannot be written.
        """
        target = self.folder / path
        try:
            _make_own_folder(target.parent)
            write_whole(target, data)
        except OSError as error:
            raise self._error("written", error) from error

    def delete(self, path: str) -> None:
        """Delete an object; a missing one is not an error.

        Raises:
            RunStoreError: It cannot be deleted.
        """
        try:
            (self.folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise self._error("changed", error) from error

    def _error(self, what: str, error: OSError) -> RunStoreError:
        return RunStoreError(f"{self.shown} cannot be {what}: {one_line(error)}")


def _read_plain_file(path: Path) -> bytes:
    """Read a file; anything else with its name, such as a named pipe, would be waited for forever."""
    with open(path, "rb", opener=_without_waiting) as file:  # a path has no opener
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a plain file")
        return file.read()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _make_own_folder(folder: Path) -> None:
    own = next((path for path in (folder, *folder.parents) if path.name == OWN_FOLDER), None)
    if own is not None:
        make_ignored_folder(own)
