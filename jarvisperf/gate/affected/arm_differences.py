"""Finds files that differ between the arms although git does not say so.

git may have been told to overlook a file (`update-index --assume-unchanged`, `--skip-worktree`), and a filter may
turn different files into the same content.
"""

from __future__ import annotations

import filecmp
import os
from typing import TYPE_CHECKING

from jarvisperf.gate.affected.tree_changes import ChangedFile, kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

NOT_SOURCES = frozenset({".git", "__pycache__", ".pytest_cache"})


def differing_files(base: Path, head: Path, known: Collection[str]) -> Iterator[ChangedFile]:
    """Yield files that differ between two checkouts.

    Args:
        base: One checkout.
        head: The other.
        known: Files that need not be compared.

    Raises:
        OSError: A file could not be read.
    """
    of_base, of_head = set(_files(base)), set(_files(head))
    for name in sorted((of_base | of_head).difference(known)):
        is_in_both = name in of_base and name in of_head
        if not is_in_both or not _are_same(f"{base}/{name}", f"{head}/{name}"):
            yield ChangedFile(name, is_in_both, kind_of(name))


def _files(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        links = [one for one in folders if os.path.islink(f"{folder}/{one}")]  # noqa: PTH114  # as text: many
        folders[:] = [one for one in folders if one not in NOT_SOURCES and one not in links]
        yield from (os.path.relpath(f"{folder}/{one}", root) for one in (*files, *links) if one not in NOT_SOURCES)


def _are_same(one: str, other: str) -> bool:
    if os.path.islink(one) or os.path.islink(other):  # noqa: PTH114
        return os.path.islink(one) and os.path.islink(other) and os.readlink(one) == os.readlink(other)  # noqa: PTH114,PTH115
    return os.path.samefile(one, other) or filecmp.cmp(one, other, shallow=False)  # noqa: PTH121
