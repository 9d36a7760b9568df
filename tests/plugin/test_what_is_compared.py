"""Tests that every measuring test is compared, however it requests measuring and however tests were selected.

One lockstep run serves many tests, so the runs are shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stranger import SLOWER, WORK, Stranger

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
    import unittest

    import pytest

    import pkg


    def test_named(jarvis_bench):
        jarvis_bench(pkg.work, 300)


    def test_requested_at_run_time(request):
        request.getfixturevalue("jarvis_bench")(pkg.work, 300)


    def test_requested_by_a_wrapper(request):
        request.getfixturevalue("benchmark")(pkg.work, 300)


    def test_functional():
        assert pkg.work(0) == 0


    @pytest.mark.benchmark
    def test_marked():
        pkg.work(300)


    @pytest.mark.benchmark(group="mine", max_time=0.1)
    class TestMarked:
        @pytest.fixture
        def n(self):
            return 300

        def test_method(self, n):
            pkg.work(n)


    @pytest.mark.benchmark
    def test_marked_and_requested_at_run_time(request):
        request.getfixturevalue("jarvis_bench")(pkg.work, 300)


    @pytest.mark.benchmark
    class MarkedCase(unittest.TestCase):
        def test_in_vain(self):
            pass
"""
MEASURED = {
    "test_named",
    "test_requested_at_run_time",
    "test_requested_by_a_wrapper",
    "test_marked",
    "TestMarked::test_method",
    "test_marked_and_requested_at_run_time",
}


@pytest.fixture(scope="module")
def every_way(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    made = Stranger(tmp_path_factory.mktemp("every-way"), {"pkg/__init__.py": WORK, "test_b.py": TESTS})
    made.write({"pkg/__init__.py": SLOWER})
    return made


@pytest.fixture(scope="module")
def in_lockstep(every_way: Stranger) -> Stranger:
    every_way.status = every_way.against("--junitxml=junit.xml", launches=4)  # type: ignore[attr-defined]
    return every_way


class TestInLockstep:
    def test_every_test_that_measures_is_compared(self, in_lockstep: Stranger):
        assert in_lockstep.status == 1, in_lockstep.output  # type: ignore[attr-defined]
        assert in_lockstep.verdicts == dict.fromkeys(MEASURED, "regressed")

    def test_one_that_asks_while_it_runs_is_counted_once(self, in_lockstep: Stranger):
        assert f"{len(MEASURED)} failed, 2 passed" in in_lockstep.output  # and the functional ones

    def test_the_group_of_a_marker_is_kept(self, in_lockstep: Stranger):
        assert in_lockstep.entries["TestMarked::test_method"]["group"] == "mine"

    def test_a_marked_test_that_cannot_be_measured_is_named(self, in_lockstep: Stranger):
        assert "MarkedCase::test_in_vain has the marker benchmark and is not measured" in in_lockstep.output


def test_a_plain_run_measures_all_of_them_too(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": TESTS})
    assert project.bench("--jarvis-budget=0.05") == 0, project.output
    assert set(project.verdicts) == MEASURED
    assert "8 passed" in project.output


def test_under_xdist_a_test_that_asks_while_it_runs_is_measured_afterwards(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": TESTS})
    assert project.bench("--jarvis-budget=0.05", "-p", "xdist", "-n1") == 0, project.output
    assert set(project.verdicts) == MEASURED
    assert "8 passed" in project.output


def test_a_stored_run_is_compared_with_it_too_and_it_is_counted_once(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": TESTS})
    assert project.bench("--jarvis-budget=0.05", "--jarvis-save=main") == 0, project.output
    project.write({"pkg/__init__.py": SLOWER})
    only = "test_requested_at_run_time or test_functional"
    assert project.bench("--jarvis-budget=0.1", "--jarvis-compare=main", "-k", only) == 1, project.output
    assert project.verdicts == {"test_requested_at_run_time": "regressed"}
    assert "1 failed, 1 passed" in project.output


SELECTING_CONFTEST = """
    def pytest_addoption(parser):
        parser.addoption("--group", type=int)


    def pytest_collection_modifyitems(config, items):
        half = (len(items) + 1) // 2
        kept = {1: items[:half], 2: items[half:]}.get(config.getoption("--group"), items[:])
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
"""
FUNCTIONAL = "".join(f"def test_functional_{number}(): pass\n" for number in range(3))
THREE = "import pkg\n" + "".join(
    f"def test_{name}(jarvis_bench): jarvis_bench(pkg.work, 300)\n" for name in ("first", "gone", "last")
)
TWO = THREE.replace("def test_gone(jarvis_bench): jarvis_bench(pkg.work, 300)\n", "")


@pytest.fixture
def with_one_removed(tmp_path: Path) -> Stranger:
    project = Stranger(
        tmp_path,
        {
            "pkg/__init__.py": WORK,
            "pkg/benchmarks/__init__.py": "",
            "pkg/benchmarks/test_b.py": THREE,
            "conftest.py": SELECTING_CONFTEST,
            "test_a.py": FUNCTIONAL,
        },
    )
    project.write({"pkg/benchmarks/test_b.py": TWO})
    return project


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # Selected by a folder, a package, a file, and a plugin that counts collected tests: it is missing each time.
        ((), {"test_first": True, "test_gone": False, "test_last": True}),
        (("--pyargs", "pkg.benchmarks"), {"test_first": True, "test_gone": False, "test_last": True}),
        (("--pyargs", "pkg.benchmarks.test_b"), {"test_first": True, "test_gone": False, "test_last": True}),
        (("--group=1",), {"test_first": True, "test_gone": False, "test_last": True}),
        # A benchmark that was not requested is not missing.
        (("-k", "first"), {"test_first": True}),
        (("--deselect", "pkg/benchmarks/test_b.py::test_gone"), {"test_first": True, "test_last": True}),
        (("pkg/benchmarks/test_b.py::test_last",), {"test_last": True}),
    ],
)
def test_removed_is_missing_and_deselected_is_not(
    with_one_removed: Stranger, words: tuple[str, ...], expected: dict[str, bool]
):
    status = with_one_removed.against(*words)
    found = {name: verdict != "missing" for name, verdict in with_one_removed.verdicts.items()}
    assert found == expected, with_one_removed.output
    assert status == (0 if all(expected.values()) else 1)
    assert "error" not in with_one_removed.verdicts.values()


def test_what_failed_last_is_compared_alone(tmp_path: Path):
    failing = THREE.replace(
        "def test_gone(jarvis_bench): ", "def test_gone(jarvis_bench):\n    assert pkg.work(1)\n    "
    )
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": failing, "test_c.py": FUNCTIONAL})
    assert project.bench("--jarvis-budget=0.05") == 1
    project.write({"test_b.py": THREE})
    assert project.against("--lf") == 0, project.output
    assert set(project.verdicts) == {"test_gone"}


def test_a_renamed_file_is_followed_and_the_old_id_reported(tmp_path: Path):
    more = "".join(f"# A line {number} that tells this file from all others.\n" for number in range(9))
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "benchmarks/test_old.py": more + THREE})
    project.bench("--jarvis-budget=0.05", "--jarvis-save=main")
    project.git("mv", "benchmarks/test_old.py", "benchmarks/test_new.py")
    assert project.against() == 0, project.output
    entries = project.entries
    assert set(project.verdicts.values()).isdisjoint({"missing", "new", "error"})
    assert entries["test_gone"]["id"] == "benchmarks/test_new.py::test_gone"
    assert entries["test_gone"]["base_id"] == "benchmarks/test_old.py::test_gone"
    assert "benchmarks/test_new.py was benchmarks/test_old.py in base: 3 benchmarks compared" in project.output
    project.bench("--jarvis-budget=0.05", "--jarvis-compare=main", "--jarvis-confirm=never")
    assert set(project.verdicts.values()).isdisjoint({"missing", "new", "error"})


IDS = """
    import itertools
    import os

    import pkg
    import pytest


    class Plain:
        pass


    @pytest.mark.parametrize("thing", [Plain()], ids=repr)
    def test_address(jarvis_bench, thing):
        jarvis_bench(pkg.work, 300)


    @pytest.mark.parametrize("process", [os.getpid()])
    def test_process(jarvis_bench, process):
        jarvis_bench(pkg.work, 300)


    def test_fine(jarvis_bench):
        jarvis_bench(pkg.work, 300)
"""
SHARED_ID = """
    def pytest_collection_modifyitems(items):
        for item in items:
            if item.name == "test_fine":
                items.append(type(item).from_parent(item.parent, name="test_fine"))
                break
"""


def test_ids_that_no_other_process_has_are_named_with_the_reason(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": IDS})
    assert project.against() == 1
    errors = {name.partition("[")[0]: entry["error"] for name, entry in project.entries.items()}
    assert "memory address (0x" in errors["test_address"]
    assert "git" not in errors["test_address"]
    assert "collected it with other parameters: [" in errors["test_process"]
    assert errors["test_fine"] is None


def test_an_id_that_two_tests_share_is_an_error(tmp_path: Path):
    project = Stranger(
        tmp_path,
        {
            "pkg/__init__.py": WORK,
            "test_b.py": TWO + "def test_fine(jarvis_bench): jarvis_bench(pkg.work, 9)\n",
            "conftest.py": SHARED_ID,
        },
    )
    assert project.against() == 1
    assert "2 tests have this id" in project.entries["test_fine"]["error"]
    assert project.verdicts["test_first"] != "error"
