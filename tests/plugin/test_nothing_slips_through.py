"""Tests that a benchmark that cannot be compared fails: skipped in the arms, part of the compared code, or now an
ordinary test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from light_pytest import TIMED_BY_WORK
from stranger import CLOCKED_SLOWER, CLOCKED_WORK, WORK, Ran, Stranger

if TYPE_CHECKING:
    from pathlib import Path

ONE = "import pkg\n\n\ndef test_work(jarvis_bench):\n    jarvis_bench(pkg.work, 300)\n"

SKIPPING = """
    import pathlib
    import sys

    import pkg
    import pytest

    DATA = pathlib.Path(__file__).parent / "data.txt"


    def test_with_data(jarvis_bench):
        if not DATA.exists():
            pytest.skip("download the data first")
        jarvis_bench(pkg.work, 300)


    def test_where_it_measures(jarvis_bench, pytestconfig):
        if not (pytestconfig.getoption("jarvis_bench") and "--jarvis-bench" in sys.argv):
            pytest.skip("not measuring")
        jarvis_bench(pkg.work, 300)


    @pytest.mark.skip(reason="not today")
    def test_skipped_everywhere(jarvis_bench):
        jarvis_bench(pkg.work, 300)


    def test_removed(jarvis_bench):
        jarvis_bench(pkg.work, 300)


    @pytest.mark.benchmark
    def test_no_benchmark_any_more():
        pkg.work(300)
"""


OTHER = ONE.replace("test_work", "test_other")
MOVED = "\n\ndef test_moved(jarvis_bench):\n    jarvis_bench(pkg.work, 300)\n"
OLD = ONE.replace("test_work", "test_old")
KEPT = ONE.replace("test_work", "test_kept")
INI = "[pytest]\ntestpaths = benchmarks more\npythonpath = .\n"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """What cannot be compared, for every reason: skipped in the arms, gone, moved, ordinary, of no use to the base."""
    folder = tmp_path_factory.mktemp("changed")
    project = Stranger(
        folder,
        {
            "pkg/__init__.py": WORK,
            ".gitignore": "data.txt\nreports/\n__pycache__/\n",
            "pytest.ini": INI,
            "benchmarks/test_b.py": SKIPPING,
            "benchmarks/test_old.py": OLD,
            "benchmarks/test_from.py": KEPT + MOVED,
            "benchmarks/test_to.py": ONE,
            "more/test_c.py": OTHER,
        },
    )
    head = SKIPPING.replace(
        "def test_removed(jarvis_bench):\n        jarvis_bench(", "def test_removed():\n        print("
    )
    project.write(
        {
            "benchmarks/data.txt": "",
            "benchmarks/test_b.py": head.replace("@pytest.mark.benchmark\n    ", ""),
            "pkg/__init__.py": f"{WORK}\n\nadded = work\n",
            "benchmarks/test_old.py": f"from pkg import added\n{OLD}",
            "benchmarks/test_from.py": KEPT,
            "benchmarks/test_to.py": ONE + MOVED,
            "pytest.ini": INI.replace(" more", ""),
        }
    )
    (folder / "more" / "test_c.py").unlink()
    return project


@pytest.fixture(scope="module")
def compared(changed: Stranger) -> Ran:
    return changed.ran(changed.against())


@pytest.fixture(scope="module")
def with_missing_allowed(changed: Stranger, compared: Ran) -> Ran:
    assert compared.status == 1, compared.output
    files = [f"benchmarks/test_{name}.py" for name in ("old", "from", "to")]
    return changed.ran(changed.against("--jarvis-allow-missing", *files))


def test_what_only_the_arms_skip_fails_and_so_does_what_is_no_benchmark_any_more(compared: Ran):
    assert compared.status == 1, compared.output
    assert "not compared: both arms skip it, but an ordinary run does not: download the data first" in compared.output
    assert "jarvis_shared lists them" in compared.output
    assert compared.verdicts["test_with_data"] == "error"  # the row says what the test says
    assert compared.verdicts["test_where_it_measures"] in {"unchanged", "inconclusive"}
    assert compared.verdicts["test_removed"] == compared.verdicts["test_no_benchmark_any_more"] == "missing"
    assert "1 skipped" in compared.output


def test_where_the_configuration_chooses_folders_the_base_is_asked_by_its_own(compared: Ran):
    assert compared.verdicts["test_other"] == "missing"


def test_an_old_benchmark_that_the_base_cannot_run_in_heads_version_is_not_new(
    compared: Ran, with_missing_allowed: Ran
):
    assert compared.verdicts["test_old"] == "error"
    assert "base has this benchmark but cannot run head's version of it" in compared.entries["test_old"]["error"]
    assert with_missing_allowed.status == 0, with_missing_allowed.output
    assert with_missing_allowed.verdicts["test_old"] == "new"


def test_a_missing_benchmark_that_another_file_has_is_said_to_be_there(compared: Ran, with_missing_allowed: Ran):
    assert "if it was moved to benchmarks/test_to.py, where head has a benchmark of that name" in compared.output
    assert with_missing_allowed.status == 0, with_missing_allowed.output


IN_THE_PACKAGE = """
    import perf
    import pytest


    def test_skips(jarvis_bench):
        jarvis_bench(perf.work, 300)
        pytest.skip("after measuring")


    def test_fails_as_expected(jarvis_bench):
        jarvis_bench(perf.work, 300)
        pytest.xfail("after measuring")


    def test_measures_in_head_only(jarvis_bench):
        if hasattr(perf, "added"):
            jarvis_bench(perf.work, 300)
"""


@pytest.fixture(scope="module")
def slower_package(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A package with the name of a test folder, with tests and data in it; the first failure ends the session."""
    metadata = "[project]\nname = 'perf'\nversion = '1'\n[tool.setuptools]\npackages = ['perf']\n"
    project = Stranger(
        tmp_path_factory.mktemp("slower"),
        {
            "perf/__init__.py": CLOCKED_WORK,
            "perf/data/text.txt": "",
            "perf/tests/__init__.py": "",
            "perf/tests/test_b.py": IN_THE_PACKAGE,
            "pyproject.toml": metadata,
        },
    )
    project.words = TIMED_BY_WORK
    project.write({"perf/__init__.py": f"{CLOCKED_SLOWER}\nadded = 1\n"})
    return project.ran(project.against("-x", "-o", "jarvis_shared=perf/data"))


def test_a_package_that_is_called_like_a_test_folder_is_compared(slower_package: Ran):
    assert slower_package.status == 1, slower_package.output
    assert "regressed" in slower_package.verdicts.values()


def test_what_was_measured_counts_even_where_the_test_skips_itself_afterwards(slower_package: Ran):
    assert slower_package.verdicts == {
        "test_skips": "regressed",
        "test_fails_as_expected": "regressed",
        "test_measures_in_head_only": "error",
    }
    error = slower_package.entries["test_measures_in_head_only"]["error"]
    assert "cannot run head's version of it: it measures nothing in base" in error


def test_a_first_failure_that_ends_the_session_leaves_all_verdicts_in_the_report(slower_package: Ran):
    assert "1 failed" in slower_package.output
    assert len(slower_package.verdicts) == 3


def test_a_package_may_share_its_data_but_not_its_code(tmp_path: Path, slower_package: Ran):
    assert slower_package.verdicts["test_skips"] == "regressed", slower_package.output
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "benchmarks/test_b.py": ONE})
    for name in ("pkg", "pkg/__init__.py"):
        assert project.against("-o", f"jarvis_shared={name}") == 1
        assert f"jarvis_shared names '{name}', which contains the project's own code" in project.output


def test_a_benchmark_that_stands_in_the_code_it_measures_cannot_be_compared(tmp_path: Path):
    code = WORK + "\n\ndef test_work(jarvis_bench):\n    jarvis_bench(work, 300)\n"
    words = ("-o", "python_files=core.py", "pkg/core.py")
    project = Stranger(tmp_path, {"pkg/__init__.py": "", "pkg/core.py": code})
    assert project.against(*words) == 0
    project.write({"pkg/core.py": code.replace("range(n)", "range(3 * n)")})
    assert project.against(*words) == 1
    assert "core.py is part of the project's code and differs between base and head" in project.output
