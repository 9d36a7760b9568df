"""Finds where the file of an imported module really is."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


def real_file(file: str) -> Path:
    """Return a module's file with symbolic links resolved.

    Hundreds of modules lie in few folders, so each folder is resolved once.

    Args:
        file: The module's `__file__`.
    """
    folder, name = os.path.split(file)
    if not os.path.isabs(file) or os.path.islink(file):  # noqa: PTH114, PTH117 - a Path would cost as much as the rest
        return Path(file).resolve()
    return _real_folder(folder) / name


@cache
def _real_folder(folder: str) -> Path:
    return Path(folder).resolve()
