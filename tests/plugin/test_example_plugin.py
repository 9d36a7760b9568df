"""Tests the plugin package in `examples/`, which adds a metric and a report format."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from git_project import GitProject
from waiting import PROCESS_SECONDS

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
def run(pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest with the plugin installed: pytest finds it by its entry point."""
    install(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    words = ["-p", "no:asyncio", "--jarvis-budget=0.05", "--jarvis-report-formats=json,badge"]
    return lambda *more: pytester.runpytest_subprocess(*words, *more, timeout=PROCESS_SECONDS)


def install(site: Path) -> None:
    """Write what pip writes for a package without dependencies; pip itself would need hatchling from an index."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    (package,) = (folder.parent for folder in EXAMPLE.glob("*/__init__.py"))
    shutil.copytree(package, site / package.name)
    record = site / f"{package.name}-{project['version']}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (record / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
            for group, points in project["entry-points"].items()
        )
    )


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
