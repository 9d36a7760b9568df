"""Computes one digest of a folder's files: names, contents, permissions, and where links lead."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BYTECODE = "__pycache__"


def tree_digest(root: Path, names: Iterable[str]) -> str:
    """Return a digest of files.

    Args:
        root: The folder.
        names: Files and folders in it; of a folder, all files count except bytecode. Missing ones count as missing.

    Raises:
        OSError: A file could not be read.
    """
    whole = hashlib.blake2b(digest_size=16)
    for name in sorted(set(_files(root, names))):
        whole.update(os.fsencode(name) + b"\0" + _state(f"{root}/{name}"))
    return whole.hexdigest()


def _files(root: Path, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        path = f"{root}/{name.rstrip('/')}"
        if not os.path.isdir(path) or os.path.islink(path):  # noqa: PTH112, PTH114  # as text: there may be thousands
            yield name
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = [one for one in folders if one != BYTECODE]
            yield from (os.path.relpath(f"{folder}/{file}", root) for file in files)


def _state(path: str) -> bytes:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return b"missing"
    if stat.S_ISLNK(mode):
        return b"link" + os.fsencode(os.readlink(path)) + b"\0"  # noqa: PTH115
    with open(path, "rb") as file:  # noqa: PTH123
        return b"%o" % (mode & 0o111) + hashlib.file_digest(file, _hasher).digest()


def _hasher() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)
