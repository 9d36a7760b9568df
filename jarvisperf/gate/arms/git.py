"""Runs git commands; every command leaves the repository, its index and its worktrees unchanged."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from jarvisperf.runs.commit import GIT_PLACES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

GIT_SECONDS = 300.0  # a large tree on a slow disk takes a while; a dead network disk would block forever


class GitError(RuntimeError):
    """A git command failed or did not answer; the message says which and what to do."""


class GitRefusedError(GitError):
    """A git command ran and failed, which says something about the repository."""


def git(
    folder: Path,
    *words: str,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    allowed: Collection[int] = (0,),
) -> str:
    """Run a git command in a folder and return its output.

    Args:
        folder: The folder to run it in.
        *words: The command's words.
        env: Environment variables in addition to this process's.
        stdin: Text for its standard input.
        allowed: The exit statuses that do not count as failures.

    Raises:
        GitRefusedError: It failed; the message contains its output.
        GitError: git is missing, could not be started, or took longer than 300 s.
    """
    clean = {name: value for name, value in os.environ.items() if name not in GIT_PLACES}
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
    except OSError as error:  # such as a limit of processes or memory
        raise GitError(f"git {words[0]} could not be run: {error}") from error
    if done.returncode not in allowed:
        lines = (line.strip() for line in (done.stderr.strip() or done.stdout).splitlines())
        raise GitRefusedError(f"git {words[0]} failed: {' '.join(filter(None, lines))}")
    return done.stdout
