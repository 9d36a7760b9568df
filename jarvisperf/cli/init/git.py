"""What init asks git: the address of the repository, and whether a file is ignored."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GIT_SECONDS = 10


def remote_url(root: Path) -> str:
    """Return the address of the remote ``origin``; empty if there is none."""
    return _git(root, "config", "--get", "remote.origin.url")


def ignored_by_git(root: Path, files: Sequence[Path]) -> set[Path]:
    """Return those of a project's files that git ignores, so that they would not reach CI."""
    lines = _git(root, "check-ignore", *(file.as_posix() for file in files)).splitlines() if files else []
    return {file for file in files if file.as_posix() in lines}


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command
            ["git", "-C", str(root), "-c", "core.quotePath=off", *words],  # noqa: S607  # the user's own git
            capture_output=True, text=True, check=False, timeout=GIT_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
