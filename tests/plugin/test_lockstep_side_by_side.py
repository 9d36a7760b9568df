"""Errors of benchmarks and habits of projects that lockstep copes with. Those that do not meet share a run."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from stranger import WORK, Stranger

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONS = ("--jarvis-threshold=300%", "-p", "no:asyncio", "-rA")
SOURCE = """
class Source:
    def take(self): return sum(range(200))
"""
USED_UP = """
class Source:
    left = 500
    def take(self):
        self.left -= 1
        if not self.left: raise LookupError('used up')
        return sum(range(200))
"""
CAUGHT = """
import pytest

def test_caught(jarvis_bench):
    with pytest.raises(ValueError):
        jarvis_bench(int, "seven")

def test_caught_rounds(benchmark):
    with pytest.raises(ValueError):
        benchmark.pedantic(int, ("seven",), rounds=3)

def test_no_call(jarvis_bench):
    pass
"""
PORT = """
import pkg, socket

def test_port(jarvis_bench, unused_port):
    with socket.socket() as server:
        server.bind(("127.0.0.1", unused_port))
        jarvis_bench(pkg.work, 500)
"""
TAKE = """
import pkg

def test_take(jarvis_bench): jarvis_bench(pkg.Source().take)
"""
DATA = """
import pkg
from pathlib import Path

Path('data.bin').read_bytes()

def test_data(jarvis_bench): jarvis_bench(pkg.work, 500)
"""
IGNORED = "data.bin\n_version.py\nreports/\n__pycache__/\n.pytest_cache/\n"


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """A project whose benchmarks cannot be compared, each for a reason of its own, after a run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project = Stranger(
        tmp_path_factory.mktemp("failing"),
        {
            ".gitignore": IGNORED,
            "pkg/__init__.py": WORK + SOURCE,
            "conftest.py": f"import pytest\n@pytest.fixture\ndef unused_port(): return {port}\n",
            "benchmarks/test_caught.py": CAUGHT,
            "benchmarks/test_data.py": DATA,
            "benchmarks/test_port.py": PORT,
            "benchmarks/test_take.py": TAKE,
        },
    )
    project.write({"pkg/__init__.py": WORK + USED_UP, "data.bin": "made by a build"})
    assert project.against(*OPTIONS) == 1, project.output
    return project


@pytest.fixture
def errors(failing: Stranger) -> Mapping[str, str]:
    assert "6 failed" in failing.output
    return {name: entry["error"] for name, entry in failing.entries.items()}


@pytest.mark.parametrize("name", ["test_caught", "test_caught_rounds"])
def test_an_error_of_the_target_that_the_test_catches_is_named(errors: Mapping[str, str], name: str):
    assert errors[name] == (
        "head: nothing was measured: the target raised ValueError: invalid literal for int() with base 10: "
        "'seven', and the test caught it; catch it inside the target, so that each call returns"
    )


def test_a_test_that_measures_nothing_is_an_error(errors: Mapping[str, str]):
    assert errors["test_no_call"] == "nothing was measured: the test passed without calling jarvis_bench or benchmark"


def test_an_arm_that_raises_in_its_turns_does_not_keep_the_other_waiting(errors: Mapping[str, str]):
    assert errors["test_take"] == "head: LookupError: used up"


def test_arms_that_want_the_same_port_are_told_how_to_get_along(failing: Stranger):
    lines = pytest.LineMatcher(failing.output.splitlines())
    lines.fnmatch_lines(["*: OSError: * in use; base and head are set up at the same time: *"])


def test_what_head_needs_and_git_ignores_is_told_with_what_to_do(failing: Stranger):
    lines = pytest.LineMatcher(failing.output.splitlines())
    lines.fnmatch_lines(["head: FileNotFoundError: *'data.bin'; * in each arm with --jarvis-arm-install*"])


SHARING = """
import pathlib, tempfile

def pytest_configure(config): config.shared = pathlib.Path(tempfile.mkdtemp())
def pytest_sessionfinish(session): session.config.shared.rmdir()
"""
SHARES = """
import pkg

def test_work(jarvis_bench, pytestconfig):
    assert pytestconfig.shared.is_dir()
    jarvis_bench(pkg.work, 500)
"""


@pytest.fixture(scope="module")
def particular(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """A project with habits of its own, after a run that passed."""
    project = Stranger(
        tmp_path_factory.mktemp("particular"),
        {
            ".gitignore": IGNORED,
            "pytest.ini": "[pytest]\nfilterwarnings = error\n",
            "conftest.py": SHARING,
            "pkg/__init__.py": f"from pkg._version import version\n{WORK}",
            "benchmarks/test_bench.py": SHARES,
        },
    )
    project.write({"pkg/_version.py": "version = '1.0'"})
    assert project.against(*OPTIONS) == 0, project.output
    return project


def test_what_a_project_does_at_the_end_of_a_session_is_done_once_per_worker_and_warnings_may_be_errors(
    particular: Stranger,
):
    assert "1 passed" in particular.output
    assert particular.verdicts["test_work"] in {"unchanged", "inconclusive"}


def test_a_generated_module_that_git_ignores_serves_on_both_arms_and_is_named(particular: Stranger):
    lines = pytest.LineMatcher(particular.output.splitlines())
    lines.fnmatch_lines(["*git ignores pkg/_version.py, so both arms use the working tree's*"])
