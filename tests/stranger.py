"""An unknown user's project: a git repository with a package and tests, measured by pytest in a real subprocess."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from light_pytest import LIGHT, NO_CONTROL, NO_REASONS, SHORT_PROFILES, path_with_inner_plugins
from waiting import PROCESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WORK = "def work(n):\n    return sum(i * i for i in range(n))\n"
SLOWER = WORK.replace("range(n)", "range(20 * n)")  # by so much that even a busy machine cannot hide it
# Timed by the work itself, with `light_pytest.TIMED_BY_WORK`: a busy machine cannot change a verdict.
CLOCKED_WORK = "import work_clock\n\ndef work(n):\n    work_clock.advance(n * 4e-8)\n    return n\n"
CLOCKED_SLOWER = CLOCKED_WORK.replace("4e-8", "12e-8")
HIDDEN_VARIABLES = ("PYTEST", "GIT_", "JARVIS", "COV_")


class Ran(NamedTuple):
    """What a run left; tests that share a project keep it, as the next run overwrites the report."""

    status: int
    output: str
    verdicts: dict[str, str]
    entries: dict[str, Any]


class Stranger:
    """A repository in a separate folder; it is committed once, and anything written later exists only in head.

    Args:
        folder: An empty folder.
        files: The project's files, by their names.

    Attributes:
        has_control: Whether comparisons in lockstep also compare identical code, as they do for users.
        has_reasons: Whether comparisons in lockstep look for the reasons of their verdicts.
        words: Arguments of every pytest in it.
    """

    has_control = False
    has_reasons = False
    words: tuple[str, ...] = ()

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.root = folder
        self.output = ""
        self.git("init", "-q", "-b", "main")
        self.write({".gitignore": "reports/\n__pycache__/\n.pytest_cache/\n.jarvisperf/\n", **files})
        self.commit()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def git(self, *words: str) -> str:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True, env=environ).stdout

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "a commit")
        return self.git("rev-parse", "HEAD").strip()

    @staticmethod
    def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_VARIABLES)}
        return {**kept, "PYTHONPATH": path_with_inner_plugins(), **(extra or {})}

    def bench(self, *words: str, env: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()) -> int:
        """Run `pytest --jarvis-bench` and return its exit status."""
        without = (*(() if self.has_control else NO_CONTROL), *(() if self.has_reasons else NO_REASONS))
        light = (*LIGHT, *SHORT_PROFILES, *without)
        command = [sys.executable, *flags, "-m", "pytest", *light, "--jarvis-bench", *self.words, *words]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(env),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROCESS_SECONDS,
            check=False,
            preexec_fn=_listen_to_ctrl_c,
        )
        self.output = done.stdout
        return done.returncode

    def against(self, *words: str, launches: int = 2, **more: Any) -> int:
        """Compare with the commit in lockstep; two launches suffice for what does not depend on their number."""
        lockstep = ("--jarvis-against=HEAD", "--jarvis-budget=0.1", f"--jarvis-launches={launches}")
        return self.bench(*lockstep, *words, **more)

    def ran(self, status: int) -> Ran:
        """What the last run left, together with its exit status."""
        return Ran(status, self.output, self.verdicts, self.entries)

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.root / "reports" / "report.json").read_text(encoding="utf-8"))

    @property
    def entries(self) -> dict[str, Any]:
        """Return the report's benchmarks by the part of their ids after the file."""
        return {entry["id"].partition("::")[2]: entry for entry in self.report["benchmarks"]}

    @property
    def verdicts(self) -> dict[str, str]:
        """Return the verdict on each benchmark's time, `error` or `skipped`."""
        return {
            name: "error" if entry["error"] else "skipped" if entry["skipped"] else entry["metrics"]["time"]["verdict"]
            for name, entry in self.entries.items()
        }


def _listen_to_ctrl_c() -> None:
    """Restore the signal's default action: in background jobs of a shell it is ignored, also by their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
