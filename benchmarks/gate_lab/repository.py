"""A small git repository with a suite's base as its first commit and the head as its second."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from benchmarks.gate_lab.kinds import source

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.gate_lab.suites import Suite

PACKAGE = "labwork"
TESTS = "benchmarks/test_lab.py"
NOBODY = {
    "GIT_AUTHOR_NAME": "gate lab",
    "GIT_AUTHOR_EMAIL": "gate-lab@example.invalid",
    "GIT_COMMITTER_NAME": "gate lab",
    "GIT_COMMITTER_EMAIL": "gate-lab@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def write_repository(suite: Suite, folder: Path) -> tuple[str, str]:
    """Write a repository and leave the head checked out.

    Args:
        suite: What it holds.
        folder: An empty folder.

    Returns:
        The commits of base and head.
    """
    (folder / PACKAGE).mkdir()
    (folder / TESTS).parent.mkdir()
    (folder / PACKAGE / "__init__.py").write_text('"""Work."""\n', encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n', encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\nreports/\n", encoding="utf-8")
    (folder / TESTS).write_text(test_module(suite), encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commits = []
    for side in ("base", "head"):
        for case in suite.cases:
            text = source(case.kind, case.scale, 1.0 if side == "base" else case.factor)
            (folder / PACKAGE / f"{case.kind}.py").write_text(text, encoding="utf-8")
        (folder / "CHANGES").write_text(f"{side}\n", encoding="utf-8")  # so that equal code has two commits as well
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", side)
        commits.append(git(folder, "rev-parse", "HEAD"))
    return commits[0], commits[1]


def test_module(suite: Suite) -> str:
    """Write the suite's benchmarks for pytest-benchmark's fixture, which both tools support."""
    names = sorted(case.kind for case in suite.cases)
    lines = [f"from {PACKAGE} import {', '.join(names)}"]
    for name in names:
        lines += ["", "", f"def test_{name}(benchmark):", f"    benchmark({name}.work)"]
    return "\n".join(lines) + "\n"


def kind_of(test_id: str) -> str:
    """Return the kind of work that a test measures."""
    return test_id.rpartition("::test_")[2]


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, without the user's configuration, and return its output."""
    done = subprocess.run(  # noqa: S603
        ["git", *words],  # noqa: S607
        cwd=folder,
        env={**os.environ, **NOBODY},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
