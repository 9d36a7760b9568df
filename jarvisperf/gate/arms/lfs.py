"""Finds Git LFS pointers in a checkout: files whose content was not downloaded.

The pointer format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.gate.arms.git import git

if TYPE_CHECKING:
    from pathlib import Path

START = b"version https://git-lfs.github.com/spec/"
MOST_BYTES = 1024  # a pointer is shorter


def describe_pointers(repository: Path, arm: str, root: Path) -> list[str]:
    """Describe the files of an arm that are only pointers, in one line; empty if there are none.

    Args:
        repository: The working tree, whose git attributes say which files LFS manages.
        arm: The arm's name.
        root: Its checkout.

    Raises:
        GitError: git could not list them.
        OSError: A file could not be read.
    """
    kept = git(repository, "ls-files", "-z", "--cached", "--", ":(attr:filter=lfs)").split("\0")
    found = [name for name in kept if name and _is_pointer(root / name)]
    if not found:
        return []
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    message = f"{arm} has a Git LFS pointer instead of the content of {found[0]}{more}; get the contents first: "
    return [f"{message}git lfs install, git lfs pull (and git lfs fetch for the base's commit)"]


def _is_pointer(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return False
    return path.read_bytes().startswith(START)
