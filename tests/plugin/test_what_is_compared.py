"""Tests that every measuring test is compared, however it requests measuring and however tests were selected.

One lockstep run serves many tests, so the runs are shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from light_pytest import TIMED_BY_WORK
from stranger import CLOCKED_SLOWER, CLOCKED_WORK, WORK, Ran, Stranger

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
    project = Stranger(tmp_path_factory.mktemp("every-way"), {"pkg/__init__.py": CLOCKED_WORK, "test_b.py": TESTS})
    project.words = TIMED_BY_WORK
    return project


@pytest.fixture(scope="module")
def recorded(every_way: Stranger) -> Ran:
    return every_way.ran(every_way.bench("--jarvis-budget=0.05", "--jarvis-save=main"))


@pytest.fixture(scope="module")
def in_lockstep(every_way: Stranger, recorded: Ran) -> Ran:
    assert recorded.status == 0, recorded.output
    every_way.write({"pkg/__init__.py": CLOCKED_SLOWER})
    return every_way.ran(every_way.against("--junitxml=junit.xml"))


@pytest.fixture(scope="module")
def with_a_stored_run(every_way: Stranger, in_lockstep: Ran) -> Ran:
    assert in_lockstep.status == 1, in_lockstep.output
    only = "test_requested_at_run_time or test_functional"
    words = ("--jarvis-budget=0.1", "--jarvis-launches=2", "--jarvis-compare=main", "-k", only)
    return every_way.ran(every_way.bench(*words))


class TestInLockstep:
    def test_every_test_that_measures_is_compared(self, in_lockstep: Ran):
        assert in_lockstep.status == 1, in_lockstep.output
        assert in_lockstep.verdicts == dict.fromkeys(MEASURED, "regressed")

    def test_one_that_asks_while_it_runs_is_counted_once(self, in_lockstep: Ran):
        assert f"{len(MEASURED)} failed, 2 passed" in in_lockstep.output  # and the functional ones

    def test_the_group_of_a_marker_is_kept(self, in_lockstep: Ran):
        assert in_lockstep.entries["TestMarked::test_method"]["group"] == "mine"

    def test_a_marked_test_that_cannot_be_measured_is_named(self, in_lockstep: Ran):
        assert "MarkedCase::test_in_vain has the marker benchmark and is not measured" in in_lockstep.output


def test_a_plain_run_measures_all_of_them_too(recorded: Ran):
    assert recorded.status == 0, recorded.output
    assert set(recorded.verdicts) == MEASURED
    assert "8 passed" in recorded.output


def test_under_xdist_a_test_that_asks_while_it_runs_is_measured_afterwards(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": TESTS})
    assert project.bench("--jarvis-budget=0.05", "-p", "xdist", "-n1") == 0, project.output
    assert set(project.verdicts) == MEASURED
    assert "8 passed" in project.output


def test_a_stored_run_is_compared_with_it_too_and_it_is_counted_once(with_a_stored_run: Ran):
    assert with_a_stored_run.status == 1, with_a_stored_run.output
    assert with_a_stored_run.verdicts == {"test_requested_at_run_time": "regressed"}
    assert "1 failed, 1 passed" in with_a_stored_run.output


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


OTHER = THREE.replace("def test_", "def test_other_")


@pytest.fixture
def with_removed(tmp_path: Path) -> Stranger:
    """One benchmark of each of two files is gone."""
    project = Stranger(
        tmp_path,
        {
            "pkg/__init__.py": WORK,
            "pkg/benchmarks/__init__.py": "",
            "pkg/benchmarks/test_b.py": THREE,
            "pkg/tests/__init__.py": "",
            "pkg/tests/test_c.py": OTHER,
            "conftest.py": SELECTING_CONFTEST,
            "test_a.py": FUNCTIONAL,
        },
    )
    without_gone = OTHER.replace("def test_other_gone(jarvis_bench): jarvis_bench(pkg.work, 300)\n", "")
    project.write({"pkg/benchmarks/test_b.py": TWO, "pkg/tests/test_c.py": without_gone})
    return project


REMOVED = {"test_first": True, "test_gone": False, "test_last": True}
OTHER_REMOVED = {"test_other_first": True, "test_other_gone": False, "test_other_last": True}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # They are gone wherever the tests are found: in a folder of which a plugin takes half of what was collected,
        # in a package and in a module.
        (("--group=1",), REMOVED | OTHER_REMOVED),
        (("--pyargs", "pkg.benchmarks", "pkg.tests.test_c"), REMOVED | OTHER_REMOVED),
        # A benchmark that was not requested is not missing, whether it is left out by its id, by a keyword or by name.
        (
            (
                *("pkg/benchmarks/test_b.py::test_last", "pkg/tests/test_c.py", "-k", "not first"),
                "--deselect=pkg/tests/test_c.py::test_other_gone",
            ),
            {"test_last": True, "test_other_last": True},
        ),
    ],
)
def test_removed_is_missing_and_deselected_is_not(
    with_removed: Stranger, words: tuple[str, ...], expected: dict[str, bool]
):
    status = with_removed.against(*words)
    found = {name: verdict != "missing" for name, verdict in with_removed.verdicts.items()}
    assert found == expected, with_removed.output
    assert status == (0 if all(expected.values()) else 1)
    assert "error" not in with_removed.verdicts.values()


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
SHARED = """
    import pkg


    def test_shared(jarvis_bench):
        jarvis_bench(pkg.work, 9)
"""
SHARED_ID = """
    def pytest_collection_modifyitems(items):
        for item in items:
            if item.name == "test_shared":
                items.append(type(item).from_parent(item.parent, name="test_shared"))
                break
"""


@pytest.fixture(scope="module")
def with_odd_ids(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    project = Stranger(
        tmp_path_factory.mktemp("odd-ids"),
        {"pkg/__init__.py": WORK, "test_b.py": IDS, "test_c.py": SHARED, "conftest.py": SHARED_ID},
    )
    return project.ran(project.against())


def test_ids_that_no_other_process_has_are_named_with_the_reason(with_odd_ids: Ran):
    assert with_odd_ids.status == 1, with_odd_ids.output
    errors = {name.partition("[")[0]: entry["error"] for name, entry in with_odd_ids.entries.items()}
    assert "memory address (0x" in errors["test_address"]
    assert "git" not in errors["test_address"]
    assert "collected it with other parameters: [" in errors["test_process"]
    assert errors["test_fine"] is None


def test_an_id_that_two_tests_share_is_an_error(with_odd_ids: Ran):
    assert "2 tests have this id" in with_odd_ids.entries["test_shared"]["error"]
    assert with_odd_ids.verdicts["test_fine"] != "error"
