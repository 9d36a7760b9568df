"""Which files were renamed, as git sees it: by the similarity of their contents."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.git import git

if TYPE_CHECKING:
    from collections.abc import Mapping

DIFFERENCES_FOUND = 1  # the exit status of `git diff --no-index`, see git-diff(1)


def renamed_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, str]:
    """Find pairs of files that git takes for one file under two names.

    Args:
        old: The contents of files that are gone, by name.
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
        told = git(
            folder,
            *("diff", "--no-index", "--find-renames", "--diff-filter=R", "--name-status", "-z", "old", "new"),
            allowed=(0, DIFFERENCES_FOUND),
        )
    words = iter(told.split("\0"))
    found = {}
    for status in words:
        if status:
            before, after = next(words), next(words)
            found[before.removeprefix("old/")] = after.removeprefix("new/")
    return found
