"""Finds renamed files the way git does: by the similarity of their contents."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DIFFERENCES_FOUND = 1  # the exit status of `git diff --no-index`, see git-diff(1)


def renamed_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, str]:
    """Find pairs of files that git considers one file under two names.

    Args:
        old: The contents of files that were removed, by name.
        new: The contents of files that were added, by name.

    Returns:
        The new name of each old file that was renamed.

    Raises:
        GitError: git could not compare them.
        OSError: The files could not be written.
    """
    if not old or not new:
        return {}
    with tempfile.TemporaryDirectory(prefix="jarvisperf-renames-") as name:
        folder = Path(name)
        for side, files in (("old", old), ("new", new)):
            for path, data in files.items():
                place = folder / side / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        listing = git(
            folder,
            *("diff", "--no-index", "--find-renames", "--diff-filter=R", "--name-status", "-z", "old", "new"),
            allowed=(0, DIFFERENCES_FOUND),
        )
    words = iter(listing.split("\0"))
    found = {}
    for status in words:
        if status:
            before, after = next(words), next(words)
            found[before.removeprefix("old/")] = after.removeprefix("new/")
    return found


def renamed_since(folder: Path, commit: str, old: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """Find the files that were renamed between a commit and the working tree.

    Args:
        folder: A folder of the repository; the names are relative to it.
        commit: The commit.
        old: Names of files that may have been removed from the working tree.
        new: Names of files that may have been added to it.

    Returns:
        The new name of each old file that was renamed.

    Raises:
        GitError: git has no such commit, or could not compare the files.
        OSError: A file could not be read.
    """
    at_commit = set(git(folder, "ls-tree", "-r", "-z", "--name-only", commit).split("\0"))
    gone = [name for name in dict.fromkeys(old) if name in at_commit and not (folder / name).exists()]
    added = [name for name in dict.fromkeys(new) if name not in at_commit and (folder / name).is_file()]
    return renamed_files(
        {name: git(folder, "show", f"{commit}:./{name}").encode("utf-8", "surrogateescape") for name in gone},
        {name: (folder / name).read_bytes() for name in added},
    )
