"""A git repository for tests of the plugin: written, committed and measured by pytest in real subprocesses."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from waiting import PROCESS_SECONDS

if TYPE_CHECKING:
    import pytest


class GitProject:
    """A repository in a test's own folder.

    Attributes:
        words: Arguments of every pytest in it.
    """

    words: tuple[str, ...] = ()

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.root = pytester.path
        self.git("init", "-q", "-b", "main")
        ignored = ("reports/", ".cache/", "__pycache__/", ".pytest_cache/", "runpytest-*", "stdout", "stderr", "*.xml")
        self.write(".gitignore", "\n".join(ignored))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *words: str) -> str:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True, env=environ)
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "a commit")
        return self.git("rev-parse", "HEAD")

    def run(self, *words: str) -> pytest.RunResult:
        """Run pytest in the repository."""
        return self.pytester.runpytest_subprocess(*self.words, *words, timeout=PROCESS_SECONDS)
