"""Storage for runs: a folder, or anything that fsspec supports. Whole objects only: list, read, write, delete.

Every error is a `RunStoreError` of one line, except that a missing object is a `FileNotFoundError`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from jarvisperf.extras import MissingExtraError, require
from jarvisperf.runs.files import make_ignored_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

OWN_FOLDER = ".jarvisperf"
LOCAL_SCHEMES = frozenset({"file", "local"})

_Result = TypeVar("_Result")


class RunStoreError(Exception):
    """A store cannot be used; the message names it and the reason in one line."""


class Place(Protocol):
    """Holds objects under paths whose parts are separated by ``/``."""

    shown: str
    """The place's name in messages, without passwords."""

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all objects below a folder, in any order."""

    def read(self, path: str) -> bytes:
        """Read an object."""

    def write(self, path: str, data: bytes) -> None:
        """Write an object, atomically if the place supports it."""

    def delete(self, path: str) -> None:
        """Delete an object; a missing one is not an error."""


def open_place(url: str | Path, root: Path) -> Place:
    """Open a place without creating or contacting it yet.

    Args:
        url: A folder, or a URL that fsspec knows.
        root: The folder that a relative one starts from.

    Raises:
        RunStoreError: The URL has no scheme or no folder, its scheme is unknown, or a package for it is missing.
    """
    text = str(url)
    if not text.strip():
        raise RunStoreError("the store has an empty name: give a folder or a URL like s3://bucket/folder")
    if isinstance(url, Path) or "://" not in text:
        try:
            return FolderPlace(root / Path(text).expanduser())
        except RuntimeError:
            raise RunStoreError(
                f"{text!r} cannot be used: there is no such home folder; give an absolute path"
            ) from None
    parts = urlsplit(text)
    if not parts.scheme or (parts.scheme in LOCAL_SCHEMES and not parts.netloc + parts.path):
        raise RunStoreError(f"{text!r} is not a store: give a folder or a URL like s3://bucket/folder")
    if parts.scheme in LOCAL_SCHEMES:
        return FolderPlace(root / unquote(parts.netloc + parts.path))
    return FsspecPlace(text)


class FolderPlace:
    """A folder on this machine. Objects are written under a temporary name and renamed.

    Args:
        folder: The folder; it is created by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

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
            return (self.folder / path).read_bytes()
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


class FsspecPlace:
    """A place that fsspec reaches.

    Args:
        url: The place's top.

    Raises:
        RunStoreError: The URL has no scheme or no folder, its scheme is unknown, or a package for it is missing.
    """

    def __init__(self, url: str) -> None:
        self.shown = without_password(url)
        try:
            require("store", f"the store {self.shown}")
        except MissingExtraError as error:
            raise RunStoreError(str(error)) from None
        import fsspec  # only if needed, so that importing the package stays cheap

        self._files: Any
        try:
            self._files, top = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise RunStoreError(f"{self.shown} needs a package that is not installed: {one_line(error)}") from error
        except Exception as error:  # each file system raises its own errors for a wrong URL
            raise RunStoreError(f"{self.shown} cannot be opened: {one_line(error)}") from error
        self._top = str(top).rstrip("/")

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all objects below a folder.

        Raises:
            RunStoreError: The place cannot be reached or listed.
        """

        def find() -> list[str]:
            self._files.invalidate_cache()  # other machines write to it too
            return list(self._files.find(f"{self._top}/{folder}"))

        try:
            found = self._tried("listed", find)
        except FileNotFoundError:
            return []
        prefix = f"{self._top}/".lstrip("/")  # some file systems start with a slash, some do not
        paths = (path.lstrip("/").removeprefix(prefix) for path in found)
        return [path for path in paths if path.startswith(f"{folder}/")]

    def read(self, path: str) -> bytes:
        """Read an object.

        Raises:
            FileNotFoundError: It does not exist.
            RunStoreError: It cannot be reached or read.
        """
        return bytes(self._tried("read", lambda: self._files.cat_file(f"{self._top}/{path}")))

    def write(self, path: str, data: bytes) -> None:
        """Write an object in one go.

        Raises:
            RunStoreError: It cannot be reached or written.
        """
        target = f"{self._top}/{path}"

        def put() -> None:
            try:
                self._files.pipe_file(target, data)
            except FileNotFoundError:
                # File systems with real folders need them first. Buckets do not, and makedirs could create a bucket.
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.pipe_file(target, data)

        try:
            self._tried("written", put)
        except FileNotFoundError as error:  # the bucket itself
            raise RunStoreError(f"{self.shown} cannot be written: {one_line(error)}") from error

    def delete(self, path: str) -> None:
        """Delete an object; a missing one is not an error.

        Raises:
            RunStoreError: It cannot be reached or changed.
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
        except Exception as error:  # connection, permissions, sign-in: each file system has its own errors
            raise RunStoreError(f"{self.shown} cannot be {what}: {one_line(error)}") from error


def without_password(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def one_line(error: BaseException) -> str:
    """Return an error's first line, with its type unless it is an operating system error."""
    lines = without_password(str(error)).strip().splitlines()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _make_own_folder(folder: Path) -> None:
    own = next((path for path in (folder, *folder.parents) if path.name == OWN_FOLDER), None)
    if own is not None:
        make_ignored_folder(own)
