"""Tests `--jarvis-affected`: benchmarks that the change cannot touch are left out, and said to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from light_pytest import TIMED_BY_WORK
from stranger import CLOCKED_WORK, Ran, Stranger

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = f"""\
{CLOCKED_WORK}
def rare(n):
    return work(n)

def once_in_a_while(n):
    return rare(n) if n > 1e9 else work(n)

def cached(n, known={{}}):
    if n not in known:
        known[n] = compiled(n)
    return work(n)

def compiled(n):
    return n

def inspected(n):
    return n
"""
BENCH = """
    import inspect
    import pathlib
    import subprocess
    import sys

    import pkg
    import pytest

    HERE = pathlib.Path(__file__).parent


    def test_work(jarvis_bench):
        jarvis_bench(pkg.work, 300)


    def test_rare(jarvis_bench):
        jarvis_bench(pkg.once_in_a_while, 300)


    @pytest.mark.parametrize("number", [1, 2])
    def test_cached(jarvis_bench, number):
        jarvis_bench(pkg.cached, 300)


    def test_data(jarvis_bench):
        (HERE / "data.json").read_text()
        jarvis_bench(pkg.work, 300)


    def test_inspects(jarvis_bench):
        inspect.getsource(pkg.inspected)
        jarvis_bench(pkg.work, 300)


    def test_starts_a_process(jarvis_bench):
        subprocess.run([sys.executable, "-c", ""], check=True)
        jarvis_bench(pkg.work, 300)
"""
FILES = {"pkg.py": PACKAGE, "bench/test_bench.py": BENCH, "bench/data.json": "{}", "README.md": "one"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    made = Stranger(tmp_path_factory.mktemp("affected"), FILES)
    made.words = (*TIMED_BY_WORK, "--jarvis-affected", "--jarvis-report-formats=json,markdown,text,csv,html")
    return made


@pytest.fixture(scope="module")
def some(project: Stranger) -> Ran:
    """A change to what some benchmarks execute or read."""
    body = PACKAGE.replace("    return work(n)\n\ndef once", "    return 0 + work(n)\n\ndef once")
    project.write({"pkg.py": body.replace("compiled(n):\n    return n", "compiled(n):\n    return n + 0")})
    project.write({"bench/data.json": "[]", "README.md": "two"})
    status = project.against("--jarvis-report=reports/some", "--junitxml=reports/some.xml")
    found = json.loads((project.root / "reports/some/report.json").read_text())["benchmarks"]
    return Ran(status, project.output, {}, {entry["id"].partition("::")[2]: entry for entry in found})


def test_only_benchmarks_that_the_change_touches_run(some: Ran):
    left_out = {name for name, entry in some.entries.items() if entry["left_out"] is not None}
    assert left_out == {"test_work"}
    assert some.status == 0
    reasons = {name: entry["notes"][-1] for name, entry in some.entries.items() if name not in left_out}
    prefix = "the change can affect it: "
    assert reasons == {
        "test_rare": f"{prefix}rare in pkg.py changed",
        "test_cached[1]": f"{prefix}compiled in pkg.py changed",
        "test_cached[2]": f"{prefix}compiled in pkg.py changed",
        "test_data": f"{prefix}it opens bench/data.json",
        "test_inspects": f"{prefix}it opens pkg.py",
        "test_starts_a_process": f"{prefix}it starts processes",
    }


def test_every_format_names_and_counts_what_was_left_out(project: Stranger, some: Ran):
    line = "1 benchmark left out: nothing it executes, reads or imports has changed"
    assert f"{line}: test_work" in some.output
    assert "0 of 7 regressed, 6 unchanged, 1 left out" in some.output
    folder = project.root / "reports" / "some"
    for name in ("report.md", "report.txt", "report.html"):
        assert line in (folder / name).read_text()
    assert "test_work,,,,,,,,,,,,,,left out,," in (folder / "report.csv").read_text()
    assert (
        '<skipped type="pytest.skip" message="left out: nothing it executes' in (folder.parent / "some.xml").read_text()
    )


@pytest.mark.usefixtures("some")
def test_if_nothing_is_touched_the_run_is_green_although_nothing_was_measured(project: Stranger):
    for name in ("pkg.py", "bench/data.json"):
        project.git("checkout", "-q", name)
    assert project.against("--deselect=bench/test_bench.py::test_starts_a_process") == 0
    assert "6 benchmarks left out: nothing they execute, read or import has changed" in project.output
    assert "0 of 6 regressed, 6 left out" in project.output
    assert "unchanged" not in project.output


@pytest.mark.usefixtures("some")
def test_a_change_of_the_configuration_leaves_nothing_out(project: Stranger):
    project.write({"pytest.ini": "[pytest]\n"})
    assert project.against("-k", "test_data") == 0
    assert "bench/test_bench.py::test_data: not left out: pytest.ini changed" in project.output
    assert project.entries["test_data"]["metrics"]["time"]["verdict"] == "unchanged"


def test_only_a_comparison_with_a_revision_can_leave_something_out(tmp_path: Path):
    project = Stranger(tmp_path, FILES)
    assert project.bench("--jarvis-affected") == pytest.ExitCode.USAGE_ERROR
    assert "--jarvis-affected needs --jarvis-against: only a change can affect a benchmark" in project.output
