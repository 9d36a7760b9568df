"""What a place is: it holds whole objects under paths, and every error of it is one line."""

from __future__ import annotations

import re
from typing import Protocol


class RunStoreError(Exception):
    """A store cannot be used; the message names it and the reason in one line."""


class Place(Protocol):
    """Holds objects under paths whose parts are separated by ``/``."""

    shown: str
    """The place's name in messages, without passwords."""
    readers: int
    """How many objects are worth reading at once."""

    def exists(self) -> bool:
        """Return whether the place exists; writing the first object creates it."""

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all objects below a folder, in any order."""

    def read(self, path: str) -> bytes:
        """Read an object."""

    def write(self, path: str, data: bytes) -> None:
        """Write an object, atomically if the place supports it."""

    def delete(self, path: str) -> None:
        """Delete an object; a missing one is not an error."""


def without_password(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def one_line(error: BaseException) -> str:
    """Return an error's first line, with its type unless it is an operating system error."""
    lines = without_password(str(error)).strip().splitlines()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
