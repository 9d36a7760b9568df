"""Turns paths as given into absolute ones."""

from __future__ import annotations

import os
from pathlib import Path


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a file or folder, with ``~`` and links resolved; it need not exist.

    Raises:
        ValueError: It cannot be a path: a link to itself, the home of an unknown user, or a name with a NUL.
    """
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)!r} is not a path: {error}") from error
