"""Tests that a benchmark that cannot be compared fails: skipped in the arms, part of the compared code, or now an
ordinary test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stranger import SLOWER, WORK, Stranger

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


def test_what_only_the_arms_skip_fails_and_so_does_what_is_no_benchmark_any_more(tmp_path: Path):
    project = Stranger(
        tmp_path, {"pkg/__init__.py": WORK, "benchmarks/test_b.py": SKIPPING, ".gitignore": "data.txt\n"}
    )
    head = SKIPPING.replace(
        "def test_removed(jarvis_bench):\n        jarvis_bench(", "def test_removed():\n        print("
    )
    project.write({"benchmarks/data.txt": "", "benchmarks/test_b.py": head.replace("@pytest.mark.benchmark\n    ", "")})
    assert project.against() == 1
    assert "not compared: both arms skip it, but an ordinary run does not: download the data first" in project.output
    assert "jarvis_shared lists them" in project.output
    assert "test_with_data" not in project.verdicts
    assert project.verdicts["test_where_it_measures"] in {"unchanged", "inconclusive"}
    assert project.verdicts["test_removed"] == project.verdicts["test_no_benchmark_any_more"] == "missing"
    assert "1 skipped" in project.output


def test_a_package_that_is_called_like_a_test_folder_is_compared(tmp_path: Path):
    metadata = "[project]\nname = 'perf'\nversion = '1'\n[tool.setuptools]\npackages = ['perf']\n"
    tests = ONE.replace("pkg", "perf")
    project = Stranger(
        tmp_path,
        {
            "perf/__init__.py": WORK,
            "perf/tests/__init__.py": "",
            "perf/tests/test_b.py": tests,
            "pyproject.toml": metadata,
        },
    )
    project.write({"perf/__init__.py": SLOWER})
    assert project.against(launches=4) == 1
    assert project.verdicts == {"test_work": "regressed"}


def test_a_benchmark_that_stands_in_the_code_it_measures_cannot_be_compared(tmp_path: Path):
    code = WORK + "\n\ndef test_work(jarvis_bench):\n    jarvis_bench(work, 300)\n"
    words = ("-o", "python_files=core.py", "pkg/core.py")
    project = Stranger(tmp_path, {"pkg/__init__.py": "", "pkg/core.py": code})
    assert project.against(*words) == 0
    project.write({"pkg/core.py": code.replace("range(n)", "range(3 * n)")})
    assert project.against(*words) == 1
    assert "core.py is part of the project's code and differs between base and head" in project.output


def test_the_projects_code_cannot_be_shared(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "pkg/data/text.txt": "", "benchmarks/test_b.py": ONE})
    for name in ("pkg", "pkg/__init__.py"):
        assert project.against("-o", f"jarvis_shared={name}") == 1
        assert f"jarvis_shared names '{name}', which contains the project's own code" in project.output
    assert project.against("-o", "jarvis_shared=pkg/data") == 0


def test_where_the_configuration_chooses_folders_the_base_is_asked_by_its_own(tmp_path: Path):
    ini = "[pytest]\ntestpaths = one two\npythonpath = .\n"
    other = ONE.replace("test_work", "test_other")
    project = Stranger(
        tmp_path, {"pkg/__init__.py": WORK, "one/test_a.py": ONE, "two/test_b.py": other, "pytest.ini": ini}
    )
    project.write({"pytest.ini": ini.replace(" two", "")})
    (tmp_path / "two" / "test_b.py").unlink()
    assert project.against() == 1
    assert project.verdicts["test_other"] == "missing"


def test_an_old_benchmark_that_the_base_cannot_run_in_heads_version_is_not_new(tmp_path: Path):
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "benchmarks/test_b.py": ONE})
    project.write(
        {"pkg/__init__.py": WORK + "\n\nadded = work\n", "benchmarks/test_b.py": f"from pkg import added\n{ONE}"}
    )
    assert project.against() == 1
    assert "base has this benchmark but cannot run head's version of it" in project.output
    assert project.against("--jarvis-allow-missing") == 0
    assert project.verdicts == {"test_work": "new"}


def test_what_was_measured_counts_even_where_the_test_skips_itself_afterwards(tmp_path: Path):
    tests = """
        import pkg
        import pytest


        def test_skips(jarvis_bench):
            jarvis_bench(pkg.work, 300)
            pytest.skip("after measuring")


        def test_fails_as_expected(jarvis_bench):
            jarvis_bench(pkg.work, 300)
            pytest.xfail("after measuring")


        def test_measures_in_head_only(jarvis_bench):
            if hasattr(pkg, "added"):
                jarvis_bench(pkg.work, 300)
    """
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "benchmarks/test_b.py": tests})
    project.write({"pkg/__init__.py": f"{SLOWER}\nadded = 1\n"})
    assert project.against(launches=4) == 1
    assert project.verdicts == {
        "test_skips": "regressed",
        "test_fails_as_expected": "regressed",
        "test_measures_in_head_only": "error",
    }
    assert "cannot run head's version of it: it measures nothing in base" in project.output


def test_a_missing_benchmark_that_another_file_has_is_said_to_be_there(tmp_path: Path):
    other = ONE.replace("test_work", "test_other")
    moved = "\n\ndef test_work(jarvis_bench):\n    jarvis_bench(pkg.work, 300)\n"
    kept = ONE.replace("test_work", "test_kept")
    project = Stranger(
        tmp_path,
        {"pkg/__init__.py": WORK, "benchmarks/test_a.py": kept + moved, "benchmarks/test_b.py": other},
    )
    project.write({"benchmarks/test_a.py": kept, "benchmarks/test_b.py": other + moved})
    assert project.against() == 1
    assert "if it was moved to benchmarks/test_b.py, where head has a benchmark of that name" in project.output
    assert project.against("--jarvis-allow-missing") == 0
