"""A project, and a Python that lacks something: it runs code of ours before it runs anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PLUGINS = ("-p", "pytest_benchmark.plugin", "-p", "pytest_jarvisperf.plugin")
HIDDEN_VARIABLES = ("PYTEST", "COV_", "JARVIS")


class RestrictedPython:
    """Runs commands in a project.

    Args:
        folder: An existing folder, for the project and for the code.
        code: What takes something away from the Python, as a ``sitecustomize`` module.
        suite: The project's tests.
    """

    def __init__(self, folder: Path, code: str, suite: str) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        (self.root / "test_x.py").write_text(suite)
        self._start = folder / "start"
        self._start.mkdir()
        (self._start / "sitecustomize.py").write_text(code)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_VARIABLES)}
        env |= {"PYTHONPATH": str(self._start), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)

    def bench(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `pytest --jarvis-bench`."""
        options = (*PLUGINS, "-p", "no:cacheprovider", "--jarvis-bench", "--jarvis-budget=0.1")
        return self.run("-m", "pytest", *options, *words)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `jarvisperf`."""
        return self.run("-c", "import sys; from jarvisperf.cli.main import main; sys.exit(main())", *words)

    @property
    def report(self) -> dict[str, Any]:
        """The last run's report.json."""
        report: dict[str, Any] = json.loads((self.root / "reports/report.json").read_text())
        return report
