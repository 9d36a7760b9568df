"""Where objects lie: a folder, or anything that fsspec reaches. Whole objects only: list, read, write, delete.

Every error of a place is a `StoreError` with one line; a missing object alone is a `FileNotFoundError`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from jarvisperf.runs.files import make_ignored_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

OWN_FOLDER = ".jarvisperf"
LOCAL_SCHEMES = frozenset({"file", "local"})

_Result = TypeVar("_Result")


class StoreError(Exception):
    """A place cannot be used; the message is one line that says which, and why."""


class Place(Protocol):
    """Holds objects under paths with ``/`` between their parts."""

    shown: str
    """The place as messages name it, without passwords."""

    def paths(self, folder: str) -> list[str]:
        """Give the paths of all objects below a folder, in any order."""

    def read(self, path: str) -> bytes:
        """Read an object."""

    def write(self, path: str, data: bytes) -> None:
        """Write an object, whole or not at all where the place can do so."""

    def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is no error."""


def open_place(url: str | Path, root: Path) -> Place:
    """Open a place; nothing is made or reached yet.

    Args:
        url: A folder, or a URL that fsspec knows.
        root: What a relative folder begins at.

    Raises:
        StoreError: The URL has no scheme or no folder, its scheme is unknown, or a package for it is missing.
    """
    text = str(url)
    if not text.strip():
        raise StoreError("an empty name is no place for runs, give a folder or a URL like s3://bucket/folder")
    if isinstance(url, Path) or "://" not in text:
        return FolderPlace(root / Path(text).expanduser())
    parts = urlsplit(text)
    if not parts.scheme or (parts.scheme in LOCAL_SCHEMES and not parts.netloc + parts.path):
        raise StoreError(f"{text!r} names no place, give a folder or a URL like s3://bucket/folder")
    if parts.scheme in LOCAL_SCHEMES:
        return FolderPlace(root / unquote(parts.netloc + parts.path))
    return FsspecPlace(text)


class FolderPlace:
    """A folder of this machine. Objects are written beside and renamed.

    Args:
        folder: It is made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

    def paths(self, folder: str) -> list[str]:
        """Give the paths of all objects below a folder.

        Raises:
            StoreError: A folder cannot be listed.
        """

        def fail(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # not made yet, or removed just now
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
            FileNotFoundError: There is none.
            StoreError: It cannot be read.
        """
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._error("read", error) from error

    def write(self, path: str, data: bytes) -> None:
        """Write an object, whole or not at all.

        Raises:
            StoreError: It cannot be written.
        """
        target = self.folder / path
        try:
            _make_own_folder(target.parent)
            write_whole(target, data)
        except OSError as error:
            raise self._error("written", error) from error

    def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is no error.

        Raises:
            StoreError: It cannot be deleted.
        """
        try:
            (self.folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise self._error("changed", error) from error

    def _error(self, what: str, error: OSError) -> StoreError:
        return StoreError(f"{self.shown} cannot be {what}: {one_line(error)}")


class FsspecPlace:
    """A place that fsspec reaches.

    Args:
        url: The place's top.

    Raises:
        StoreError: The URL has no scheme or no folder, its scheme is unknown, or a package for it is missing.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # only where it is needed: it is not loaded by an import of the package

        self.shown = without_password(url)
        self._files: Any
        try:
            self._files, top = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise StoreError(f"{self.shown} needs a package that is not installed: {one_line(error)}") from error
        except Exception as error:  # what a wrong URL raises differs from file system to file system
            raise StoreError(f"{self.shown} cannot be opened: {one_line(error)}") from error
        self._top = str(top).rstrip("/")

    def paths(self, folder: str) -> list[str]:
        """Give the paths of all objects below a folder.

        Raises:
            StoreError: The place cannot be reached or listed.
        """

        def find() -> list[str]:
            self._files.invalidate_cache()  # other machines write there too
            return list(self._files.find(f"{self._top}/{folder}"))

        try:
            found = self._tried("listed", find)
        except FileNotFoundError:
            return []
        prefix = f"{self._top}/".lstrip("/")  # file systems differ in whether they begin with a slash
        paths = (path.lstrip("/").removeprefix(prefix) for path in found)
        return [path for path in paths if path.startswith(f"{folder}/")]

    def read(self, path: str) -> bytes:
        """Read an object.

        Raises:
            FileNotFoundError: There is none.
            StoreError: It cannot be reached or read.
        """
        return bytes(self._tried("read", lambda: self._files.cat_file(f"{self._top}/{path}")))

    def write(self, path: str, data: bytes) -> None:
        """Write an object in one go.

        Raises:
            StoreError: It cannot be reached or written.
        """
        target = f"{self._top}/{path}"

        def put() -> None:
            try:
                self._files.pipe_file(target, data)
            except FileNotFoundError:
                # Places with real folders want them first. Buckets do not: asking them could mean making a bucket.
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.pipe_file(target, data)

        try:
            self._tried("written", put)
        except FileNotFoundError as error:  # the bucket itself
            raise StoreError(f"{self.shown} cannot be written: {one_line(error)}") from error

    def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is no error.

        Raises:
            StoreError: It cannot be reached or changed.
        """
        try:
            self._tried("changed", lambda: self._files.rm_file(f"{self._top}/{path}"))
        except FileNotFoundError:
            return

    def _tried(self, what: str, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except FileNotFoundError:
            raise
        except Exception as error:  # connection, rights, sign-in: each file system has its own kinds
            raise StoreError(f"{self.shown} cannot be {what}: {one_line(error)}") from error


def without_password(text: str) -> str:
    """Take user names and passwords out of the URLs in a text."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def one_line(error: BaseException) -> str:
    """Give an error's first line, with its kind where it says nothing or is not of the system."""
    lines = without_password(str(error)).strip().splitlines()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _make_own_folder(folder: Path) -> None:
    own = next((path for path in (folder, *folder.parents) if path.name == OWN_FOLDER), None)
    if own is not None:
        make_ignored_folder(own)
