"""What init asks git: the repository's address and top folder, and whether a file is ignored."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.git import GitError, git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def remote_url(root: Path) -> str:
    """Return the address of the remote ``origin``; empty if there is none."""
    return _git(root, "config", "--get", "remote.origin.url")


def folder_in_repository(root: Path) -> PurePosixPath:
    """Return a project's folder relative to the top of its repository; ``.`` if it is the top or in no repository."""
    return PurePosixPath(_git(root, "rev-parse", "--show-prefix"))


def ignored_by_git(root: Path, files: Sequence[Path]) -> set[Path]:
    """Return those of a project's files that git ignores, so that they would not reach CI."""
    lines = _git(root, "check-ignore", *(file.as_posix() for file in files)).splitlines() if files else []
    return {file for file in files if file.as_posix() in lines}


def _git(root: Path, *words: str) -> str:
    """Return a command's output; empty if it finds nothing, or if there is no git or no repository."""
    try:
        return git(root, "-c", "core.quotePath=off", *words, allowed=(0, 1)).strip()
    except (GitError, OSError):
        return ""
