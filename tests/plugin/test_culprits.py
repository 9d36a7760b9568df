"""The reasons for regressions, and changed code that no benchmark executes: one lockstep run of a stranger's project.

The work advances a clock of its own, so that a busy machine cannot change a verdict. Which of several suspects ranks
first depends on time, so it is tested without time in tests/suspects, and measured by benchmarks/gate_lab/culprits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from light_pytest import TIMED_BY_WORK
from stranger import Ran, Stranger

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
from pathlib import Path

from work_clock import advance

ROUNDS = int((Path(__file__).parent / "rounds.txt").read_text())


def distance(n):
    advance(n * 1e-7)


def scan(n=300):
    advance(n * 1e-7)


class Buffer:
    SIZE = 300

    def fill(self):
        advance(self.SIZE * 1e-7)


class Store:
    def __init__(self):
        self.seconds_per_item = 1e-7

    def has(self, item):
        advance(item * self.seconds_per_item)


def from_data():
    advance(ROUNDS * 1e-7)


def unmeasured():
    return 1


def unchanged():
    advance(3e-5)
"""
HEAD = (
    BASE.replace("def distance(n):\n", "def distance(n):\n    _check(n)\n")
    .replace("n=300", "n=1500")
    .replace("SIZE = 300", "SIZE = 1500")
    .replace("per_item = 1e-7", "per_item = 5e-7")
    .replace("    return 1\n", "    return 2\n")
    + "\n\ndef _check(n):\n    advance(9 * n * 1e-7)\n"
)
BENCH = """
import pkg
import pytest


@pytest.fixture
def store():
    return pkg.Store()


def test_helper(jarvis_bench): jarvis_bench(pkg.distance, 300)
def test_default(jarvis_bench): jarvis_bench(pkg.scan)
def test_attribute(jarvis_bench): jarvis_bench(pkg.Buffer().fill)
def test_prepared(jarvis_bench, store): jarvis_bench(store.has, 190)
def test_data(jarvis_bench): jarvis_bench(pkg.from_data)
def test_unchanged(jarvis_bench): jarvis_bench(pkg.unchanged)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder: Path = tmp_path_factory.mktemp("culprits")
    project = Stranger(
        folder,
        {
            "pkg/__init__.py": BASE,
            "pkg/rounds.txt": "300\n",
            "benchmarks/test_pkg.py": BENCH,
            "pytest.ini": "[pytest]\n",
        },
    )
    project.write({"pkg/__init__.py": HEAD, "pkg/rounds.txt": "1500\n"})
    project.has_reasons = True
    project.words = TIMED_BY_WORK
    return project.ran(project.against("--jarvis-threshold=50%", launches=4, env={"COLUMNS": "200"}))


def suspects(ran: Ran, test: str) -> dict[str, dict[str, Any]]:
    return {one["function"]: one for one in ran.entries[test]["explanation"]["suspects"]}


def test_what_is_slower_regressed_and_what_is_equal_needs_no_reason(ran: Ran):
    slower = {"test_helper", "test_default", "test_attribute", "test_prepared", "test_data"}
    assert {name for name, verdict in ran.verdicts.items() if verdict == "regressed"} == slower
    assert ran.entries["test_unchanged"]["explanation"] is None


def test_a_new_helper_is_suspect_together_with_its_caller(ran: Ran):
    found = suspects(ran, "test_helper")
    assert set(found) == {"_check", "distance"}
    assert found["_check"]["difference"] == "new"
    assert found["_check"]["group"] == found["distance"]["group"]
    assert found["distance"]["lines"] == ["+ _check(n)"]


@pytest.mark.parametrize(
    ("test", "function", "difference", "detail"),
    [
        ("test_default", "scan", "changed", "its parameters or defaults"),
        ("test_attribute", "Buffer.fill", "reads", "reads Buffer.SIZE = 1500 (base: SIZE = 300)"),
        ("test_prepared", "Store.__init__", "changed", ""),
    ],
)
def test_the_only_function_that_differs_is_the_only_suspect(
    ran: Ran, test: str, function: str, difference: str, detail: str
):
    ((name, found),) = suspects(ran, test).items()
    assert (name, found["difference"]) == (function, difference)
    assert found["details"] == ([detail] if detail else [])
    assert found["prepares"] == (test == "test_prepared")
    assert found["share"] is None or found["share"] <= 1
    assert f"WHY benchmarks/test_pkg.py::{test}: {function} (pkg/__init__.py:" in ran.output


def test_where_only_data_changed_no_function_is_named(ran: Ran):
    assert ran.entries["test_data"]["explanation"]["suspects"] == []
    said = "no code that this benchmark executes has changed: dependency, data or machine"
    assert f"WHY benchmarks/test_pkg.py::test_data: {said}" in ran.output


def test_changed_functions_that_no_measured_call_executes_are_counted_and_named(ran: Ran):
    line = BASE.splitlines().index("def unmeasured():") + 2  # head has one more line above it
    (told,) = [text for text in ran.output.splitlines() if "not executed by any benchmark" in text]
    assert told.startswith("2 changed functions are not executed by any benchmark: Store.__init__ (pkg/__init__.py:")
    assert told.endswith(f"unmeasured (pkg/__init__.py:{line}), changed")
