"""Tests files that git ignores but benchmarks need: `jarvis_shared` gives them to both arms; otherwise a message says
so."""

from __future__ import annotations

import json

import pytest
from git_project import GitProject

BENCH = """
import pathlib, sqlite3

import pytest

HERE = pathlib.Path(__file__).parent

@pytest.fixture
def only_one_sets_up(tmp_path_factory):
    file = tmp_path_factory.getbasetemp().parent.parent / "setting-up"
    file.open("x").close()
    __import__("time").sleep(0.3)
    file.unlink()

def test_data(jarvis_bench):
    jarvis_bench(sum, range(int((HERE / "data/size.txt").read_text())))

def test_database(jarvis_bench):
    database = sqlite3.connect(f"file:{HERE / 'cases.sqlite'}?mode=ro", uri=True)
    jarvis_bench(database.execute, "select 1")

def test_short_lock(jarvis_bench, only_one_sets_up):
    jarvis_bench(sum, range(100))
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> GitProject:
    made = GitProject(pytester)
    made.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2")
    made.words += ("--jarvis-threshold=500%", "-p", "no:asyncio")
    made.write(".gitignore", "benchmarks/data/\n*.sqlite\nreports/\n__pycache__/\n.pytest_cache/\nrunpytest-*\n")
    made.write("benchmarks/test_bench.py", BENCH)
    made.commit()
    made.write("benchmarks/data/size.txt", "300")
    made.write("benchmarks/data/__pycache__/x.pyc", "")
    made.write("benchmarks/cases.sqlite", "")
    return made


def errors(project: GitProject) -> dict[str, str | None]:
    report = json.loads((project.root / "reports/report.json").read_text())
    return {entry["id"].rpartition("::")[2]: entry["error"] for entry in report["benchmarks"]}


def test_what_is_missing_is_told_and_a_lock_during_set_up_is_waited_for(project: GitProject):
    project.run().assert_outcomes(passed=1, failed=2)
    found = errors(project)
    assert found["test_data"].endswith("git ignores 'benchmarks/data', so the arms lack it; list it in jarvis_shared")
    assert "git ignores 'benchmarks/cases.sqlite', so the arms lack it" in found["test_database"]
    assert found["test_short_lock"] is None


def test_what_a_conftest_misses_is_told_in_one_line(project: GitProject):
    project.write("benchmarks/conftest.py", "SIZE = int(open('benchmarks/data/size.txt').read())\n")
    result = project.run("-k", "lock")
    result.assert_outcomes(failed=1, deselected=2)
    (error,) = errors(project).values()
    assert error.startswith("not compared: the base arm could not start: the base worker ended: FileNotFoundError: ")
    assert error.endswith("; git ignores 'benchmarks/data', so the arms lack it; list it in jarvis_shared")
    result.stdout.fnmatch_lines(["*its last output:", "ImportError while loading conftest*"])


def test_what_is_named_is_in_both_arms(project: GitProject):
    result = project.run("-o", "jarvis_shared=./benchmarks/data/ benchmarks/cases.sqlite", "-k", "not lock")
    result.assert_outcomes(passed=2, deselected=1)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("benchmarks/dta", "exists neither in * nor in base"),
        ("../x", "name files and folders in the git repository"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(project: GitProject, name: str, complaint: str):
    result = project.run("-o", f"jarvis_shared={name}")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*jarvis_shared names {name!r}*{complaint}*"])


def test_an_ignored_benchmark_file_is_named(project: GitProject):
    project.write("local/test_own.py", "def test_own(jarvis_bench):\n    jarvis_bench(sum, [1])\n")
    project.write(".gitignore", "local/\n" + (project.root / ".gitignore").read_text())
    project.commit()
    project.run("local").assert_outcomes(failed=1)
    assert "file or directory not found: local/test_own.py" in errors(project)["test_own"]
