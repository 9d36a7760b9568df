"""The commit that was measured, read from git without changing anything."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

# Variables listed by `git rev-parse --local-env-vars` except GIT_CONFIG*, and those that affect paths. In a git hook,
# these point elsewhere, but here the folder decides. GIT_CONFIG* stay, because they may allow access (safe.directory).
GIT_PLACES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        "GIT_GLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
    }
)
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
    branch = ask_git(folder, "symbolic-ref", "--short", "-q", "HEAD")
    return Commit(
        id=commit,
        time=time,
        branch=os.fsencode(branch).decode("utf-8", "replace") if branch else None,  # whatever this locale's encoding is
        dirty=bool(ask_git(folder, "status", "--porcelain", "--untracked-files=normal")),
    )


def ask_git(folder: Path, *words: str) -> str | None:
    """Run a git command in a folder; return its output without spaces around it, None if it failed."""
    # Without --no-optional-locks, `git status` would refresh the index, which writes to the user's repository.
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    env = {name: value for name, value in os.environ.items() if name not in GIT_PLACES}
    try:
        done = subprocess.run(command, capture_output=True, env=env, timeout=GIT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else None
