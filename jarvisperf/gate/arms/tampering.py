"""Notices when the code of an arm changes while it is measured: by a benchmark, or by a pull request that cheats.

The arms are sibling folders of one user, so code that runs in one can write to the other. After each batch of launches,
each file's inode, size and times are compared; the status change time (``st_ctime``) cannot be set back by an ordinary
user. If they differ, the digest decides: a file that was rewritten with the same content, or linked, is still the same.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Code, and what decides which code runs. Data files are what benchmarks may write; `sharing` looks after these.
SUFFIXES = (".py", ".pth", ".so", ".pyd", ".toml", ".ini", ".cfg")


class _Seal(NamedTuple):
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class Seals:
    """What the code of the arms was before they were measured.

    Args:
        roots: The arms' folders.

    Raises:
        OSError: A file could not be read.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._seals: dict[str, _Seal] = {}
        self._digests: dict[str, bytes] = {}
        known: dict[_Seal, bytes] = {}  # files that several arms link to are read once
        for root in roots:
            for path in _code_in(root):
                seal = _seal_of(path)
                self._seals[path] = seal
                self._digests[path] = known.setdefault(seal, b"") or _digest(path)
                known[seal] = self._digests[path]

    def broken(self) -> list[str]:
        """Return the paths of files that are gone or have other content than before."""
        found = []
        for path, seal in self._seals.items():
            try:
                now = _seal_of(path)
                if now == seal:
                    continue
                same = _digest(path) == self._digests[path]
            except OSError:
                same = False
            if same:
                self._seals[path] = now
            else:
                found.append(path)
        return found


def _code_in(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = f"{folder}/{name}"
            if name.endswith(SUFFIXES) and os.path.isfile(path):  # noqa: PTH113  # as text: there may be thousands
                yield path


def _seal_of(path: str) -> _Seal:
    about = os.stat(path)  # noqa: PTH116
    return _Seal(about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def _digest(path: str) -> bytes:
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).digest()
