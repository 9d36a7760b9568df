"""The commit that was measured, read from git without changing anything."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

GIT_SECONDS = 20.0  # a git that hangs, as on a dead network file system, must not hang the run


class Commit(msgspec.Struct, frozen=True):
    """A commit and the state of the working tree.

    Attributes:
        id: The full hash.
        time: The commit's time, ISO 8601.
        branch: The branch that was checked out; None for a detached HEAD.
        dirty: Whether tracked files differed from the commit, or there were untracked files that git does not ignore.
    """

    id: str
    time: str
    branch: str | None
    dirty: bool


def read_commit(folder: Path) -> Commit | None:
    """Read the commit that is checked out in a folder.

    Args:
        folder: Any folder of the repository.

    Returns:
        The commit; None without git, a repository, or a first commit.
    """
    head = ask_git(folder, "log", "-1", "--format=%H%n%cI")
    if head is None:
        return None
    commit, time = head.split("\n", 1)
    return Commit(
        id=commit,
        time=time,
        branch=ask_git(folder, "symbolic-ref", "--short", "-q", "HEAD") or None,
        dirty=bool(ask_git(folder, "status", "--porcelain", "--untracked-files=normal")),
    )


def ask_git(folder: Path, *words: str) -> str | None:
    """Run a git command in a folder; return its output without spaces around it, None if it failed."""
    # Without --no-optional-locks, `git status` would refresh the index, which writes to the user's repository.
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
