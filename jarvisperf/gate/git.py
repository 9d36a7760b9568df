"""Asking git: every command leaves the repository, its index and its worktrees as they are."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GIT_SECONDS = 300.0  # writing out a large tree on a slow disk takes a while; a dead network disk takes for ever


class GitError(RuntimeError):
    """Something that was asked of git cannot be had; the message says what, and what to do."""


def git(folder: Path, *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
    """Run a git command in a folder and give what it printed.

    Args:
        folder: Where to run it.
        *words: The command's words.
        env: Variables beside those of this process.
        stdin: Text for its standard input.

    Raises:
        GitError: There is no git, it failed (the message holds its last words), or it took longer than 300 s.
    """
    # Variables like GIT_DIR point elsewhere when pytest runs inside a git hook; the folder is what counts here.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            input=stdin,
            env={**clean, **(env or {})},
            timeout=GIT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed, or not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git {words[0]} took longer than {GIT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise GitError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
