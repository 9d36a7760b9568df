"""Runs `jarvisperf bisect` on a real repository, from the command to the commit.

The work advances a clock of its own, so that a busy machine cannot change a verdict.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from git_project import GitProject
from waiting import PROCESS_SECONDS

WORK = """
seconds = 0.0

def work():
    global seconds
    seconds += {microseconds} / 1e6
"""
BENCH = """
import pkg, pytest
from pkg._version import version

@pytest.mark.jarvis_threshold(time="1000%", max_time="1us")
@pytest.mark.benchmark(timer=lambda: pkg.seconds)
@pytest.mark.parametrize("size", ["one", "other"])
def test_work(benchmark, size):
    benchmark(pkg.work)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> GitProject:
    """Four commits, the third of which doubles the work; the tests' own limits do not detect that."""
    made = GitProject(pytester)
    made.write(".gitignore", "_version.py\n__pycache__/\n")
    made.write("pkg/__init__.py", WORK.format(microseconds=20))
    made.write("benchmarks/test_bench.py", BENCH)
    made.commit()
    for microseconds, name in ((20, "second"), (40, "third"), (40, "fourth")):
        made.write("pkg/__init__.py", f"{WORK.format(microseconds=microseconds)}\nNAME = {name!r}\n")
        made.commit()
    made.write("pkg/_version.py", "version = '1'\n")  # like a file that a build writes and git ignores
    return made


def bisect(project: GitProject, benchmark: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from jarvisperf.cli.main import main; raise SystemExit(main())", "bisect"]
    words = [benchmark, "--good", "HEAD~3", "--budget", "0.3", "--pytest-args=-p no:asyncio --jarvis-launches=2"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [*command, *words],
        cwd=project.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_SECONDS,
    )


def test_the_commit_that_made_a_benchmark_slower_is_found_and_proven(project: GitProject):
    done = bisect(project, "benchmarks/test_bench.py::test_work[one]")
    assert done.returncode == 0, done.stdout + done.stderr
    guilty = project.git("rev-parse", "HEAD~1")
    assert f"the first slow commit is\n  {guilty} a commit\n" in done.stdout
    assert "this is not proof" not in done.stdout


def test_a_name_of_several_benchmarks_is_refused(project: GitProject):
    done = bisect(project, "benchmarks/test_bench.py::test_work")
    assert done.returncode == 1
    assert "matches 2 benchmarks; give one of them: benchmarks/test_bench.py::test_work[one]" in done.stderr
