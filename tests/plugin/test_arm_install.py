"""Tests `--jarvis-arm-install`: each arm has its own environment, and its child processes may rely on that alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from git_project import GitProject

if TYPE_CHECKING:
    import pytest

WORK = "def work(n): return sum(i * i for i in range(n))\n"
INSTALL = (
    "python -c \"import shutil, sysconfig; shutil.copytree('src/pkg', sysconfig.get_path('purelib') + '/pkg')\" && "
    "rm -r src"
)
BENCH = """
import pkg

def test_work(jarvis_bench): jarvis_bench(pkg.work, 500)
def test_start(jarvis_bench): jarvis_bench.startup(["python", "-I", "-c", "import pkg; pkg.note({log!r})"])
"""
NOTE = "def note(log):\n    with open(log, 'a') as file: print('{version}', file=file)\n"


def test_what_is_installed_in_an_arm_is_measured_there_by_isolated_children_too(
    pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
):
    log = tmp_path_factory.mktemp("log") / "versions"
    project = GitProject(pytester)
    project.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2")
    project.words += ("-p", "no:asyncio", f"--jarvis-arm-install={INSTALL}")
    project.write(
        "pyproject.toml", "[project]\nname = 'pkg'\nversion = '1'\n[tool.pytest.ini_options]\npythonpath = 'src'\n"
    )
    project.write("src/pkg/__init__.py", WORK + NOTE.format(version="base"))
    project.write("benchmarks/test_bench.py", BENCH.format(log=str(log)))
    project.commit()
    project.write("src/pkg/__init__.py", WORK.replace("range(n)", "range(3 * n)") + NOTE.format(version="head"))
    project.run("-k", "test_")
    report = json.loads((project.root / "reports/report.json").read_text())
    found = {entry["id"].rpartition("::")[2]: entry for entry in report["benchmarks"]}
    assert found["test_work"]["metrics"]["time"]["ratio"] > 1.5, found
    assert found["test_start"]["metrics"]["startup"]["ratio"] > 0, found
    assert set(log.read_text().split()) == {"base", "head"}
