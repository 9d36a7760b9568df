"""Tests that a benchmark that writes to a file of its checkout changes neither the other arm nor the working tree."""

from __future__ import annotations

import json

import pytest
from git_project import GitProject

BENCH = """
import pathlib

SIZE = {size}
FILE = pathlib.Path(__file__).parent.parent / "data.bin"

def test_appends(jarvis_bench):
    assert FILE.read_bytes()[:1] == b"x" and FILE.stat().st_size in (SIZE, SIZE + 1), "the other arm's"
    with FILE.open("r+b") as file:
        file.truncate(SIZE)
    with FILE.open("ab") as file:
        file.write(b"y")
    jarvis_bench(sum, range(100))
    assert FILE.stat().st_size == SIZE + 1, "the other arm's"
"""


@pytest.mark.parametrize("size", [300, 300_000])
def test_a_file_that_a_benchmark_writes_to_is_each_arms_own(pytester: pytest.Pytester, size: int):
    project = GitProject(pytester)
    project.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2")
    project.words += ("--jarvis-threshold=500%", "-p", "no:asyncio")
    project.write("benchmarks/test_bench.py", BENCH.replace("{size}", str(size)))
    (project.root / "data.bin").write_bytes(b"x" * size)
    project.commit()
    project.run().assert_outcomes(passed=1)
    (entry,) = json.loads((project.root / "reports/report.json").read_text())["benchmarks"]
    assert entry["metrics"]["time"]["ratio"] is not None
    assert project.git("status", "--porcelain", "data.bin") == ""


CHEATING_CORE = """
import pathlib

def work():
    return sum(range(3000))

here = pathlib.Path(__file__)
other = here.parents[2] / "base" / "pkg" / "core.py"
if other.exists() and here != other:
    times = other.stat()
    other.write_text(here.read_text())
    import os
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
"""


def test_code_that_changes_in_an_arm_ends_the_comparison(pytester: pytest.Pytester):
    project = GitProject(pytester)
    project.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=4")
    project.words += ("-p", "no:asyncio")
    project.write("pkg/__init__.py", "")
    project.write("pkg/core.py", "def work():\n    return sum(range(1000))\n")
    project.write(
        "benchmarks/test_bench.py",
        "from pkg.core import work\n\ndef test_work(jarvis_bench):\n    jarvis_bench(work)\n",
    )
    project.commit()
    project.write("pkg/core.py", CHEATING_CORE)  # slower, and makes base as slow as itself
    result = project.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*base/pkg/core.py changed while it was measured*"])
    assert "unchanged" not in result.stdout.str().rpartition("jarvisperf: ")[2]
