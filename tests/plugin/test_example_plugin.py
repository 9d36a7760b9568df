"""The plugin package in `examples/` adds a metric and a report format, as a third party would."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from git_project import GitProject

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "examples" / "jarvis-example-plugin"
SOURCE = """
from pathlib import Path

def read_settings(folder):
    return [path.read_text() for path in sorted(Path(folder).glob("*.cfg"))]
"""
TESTS = """
from settings import read_settings

def test_settings(jarvis_bench, tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.cfg").write_text(name)
    assert jarvis_bench.opened_files(read_settings, tmp_path) == ["a", "b", "c"]
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest with the plugin loaded by name; an installation does the same through its entry point."""
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE), prepend=":")
    entry_points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    words = ["-p", *entry_points["pytest11"].values(), "-p", "no:asyncio", "--jarvis-budget=0.05"]
    words.append("--jarvis-report-formats=json,badge")
    return lambda *more: pytester.runpytest_subprocess(*words, *more, timeout=120)


def figures(pytester: pytest.Pytester) -> dict[str, Any]:
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return report["benchmarks"][0]["metrics"]["opened_files"]


def test_its_metric_and_its_format_are_in_the_report(pytester: pytest.Pytester, run: Callable[..., Any]):
    pytester.makepyfile(settings=SOURCE, test_settings=TESTS)
    assert run("--jarvis-bench").ret == 0
    assert figures(pytester)["head"]["median"] == 3
    assert figures(pytester)["unit"] == "files"
    badge = json.loads((pytester.path / "reports" / "badge.json").read_text())
    assert badge == {"schemaVersion": 1, "label": "benchmarks", "message": "1 measured", "color": "green"}


def test_a_call_that_opens_more_files_than_before_regresses(pytester: pytest.Pytester, run: Callable[..., Any]):
    project = GitProject(pytester)
    project.write("settings.py", SOURCE)
    project.write("test_settings.py", TESTS)
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "three files")
    twice = SOURCE.replace("path.read_text() for", "(path.read_text(), path.read_text())[0] for")
    project.write("settings.py", twice)
    result = run("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-launches=4")
    assert result.ret == 1
    assert figures(pytester)["verdict"] == "regressed"
    assert figures(pytester)["ratio"] == pytest.approx(2)
    assert json.loads((pytester.path / "reports" / "badge.json").read_text())["message"] == "1 slower"
