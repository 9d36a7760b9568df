"""Tests that a custom clock that stands still makes its benchmark an error, in bounded time, and never ends the run."""

from __future__ import annotations

import pytest
from git_project import GitProject

BENCH = """
import pytest
import pkg

@pytest.mark.benchmark(timer=lambda: 1.0)
def test_frozen(benchmark):
    benchmark(pkg.work)

@pytest.mark.benchmark(timer=lambda: 1.0)
def test_frozen_and_new(benchmark):
    benchmark(pkg.added)

def test_sound(benchmark):
    benchmark(pkg.work)
"""


def test_a_frozen_clock_is_an_error_of_its_benchmark_also_where_the_base_lacks_it(pytester: pytest.Pytester):
    project = GitProject(pytester)
    project.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.05", "--jarvis-launches=2")
    project.write("pkg/__init__.py", "def work():\n    pass\n")
    project.write("benchmarks/test_bench.py", BENCH)
    project.commit()
    project.write("pkg/__init__.py", "def work():\n    pass\n\ndef added():\n    pass\n")
    result = project.run("--jarvis-threshold=off")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*test_frozen*its clock shows 0 s for 1,048,576 calls: is time mocked or frozen?*"])
    result.stdout.fnmatch_lines(["*test_frozen_and_new*its clock shows 0 s for 1,048,576 calls: is time mocked*"])
