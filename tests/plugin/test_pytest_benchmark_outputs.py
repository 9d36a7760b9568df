"""Tests pytest-benchmark's own files, table and comparison next to a comparison by JarvisPerf."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
from git_project import GitProject

BENCH = """
import pytest

def work(n):
    return sum(range(n))

@pytest.mark.benchmark(group="sums")
@pytest.mark.parametrize("n", [100])
def test_work(benchmark, n):
    benchmark.extra_info["note"] = "small"
    assert benchmark(work, n) == 4950

def test_rounds(benchmark):
    benchmark.pedantic(work, args=(100,), rounds=5, iterations=3)

def test_other(jarvis_bench):
    jarvis_bench(work, 100)

@pytest.mark.skip
def test_skipped(benchmark):
    benchmark(work, 100)

def test_raises(benchmark):
    benchmark(lambda: 1 / 0)
"""


class Project(GitProject):
    words = (
        "-p",
        "no:asyncio",
        "-p",
        "no:cacheprovider",
        "--jarvis-bench",
        "--jarvis-budget=0.1",
        "--jarvis-launches=2",
    )


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    made = Project(pytester)
    made.write(".gitignore", "reports/\nout.json\n.benchmarks/\n.jarvisperf/\n__pycache__/\n")
    made.write("test_bench.py", BENCH)
    made.commit()
    return made


def written(path: Any) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(path.read_text())["benchmarks"]}


def test_its_files_and_table_hold_heads_figures_in_lockstep(project: Project):
    result = project.run("--jarvis-against=HEAD", "--benchmark-json=out.json", "--benchmark-save=mine")
    result.assert_outcomes(passed=3, skipped=1, failed=1)
    result.stdout.fnmatch_lines(["*benchmark*1 tests*", "test_*"])
    entries = written(project.root / "out.json")
    assert entries.keys() == {"test_work[100]", "test_rounds"}
    work = entries["test_work[100]"]
    assert (work["group"], work["params"], work["extra_info"]) == ("sums", {"n": 100}, {"note": "small"})
    report = json.loads((project.root / "reports" / "report.json").read_text())
    heads = {one["id"].partition("::")[2]: one["metrics"].get("time", {}).get("head") for one in report["benchmarks"]}
    for name, entry in entries.items():
        assert entry["stats"]["median"] == pytest.approx(heads[name]["median"])
        assert entry["stats"]["rounds"] == len(entry["stats"]["data"]) == heads[name]["samples"]
    assert entries["test_rounds"]["stats"]["iterations"] == 3
    (saved,) = (project.root / ".benchmarks").rglob("*_mine.json")
    assert written(saved).keys() == entries.keys()


def test_its_own_comparison_judges_heads_figures_in_lockstep(project: Project):
    project.write("test_bench.py", BENCH.replace("def test_raises", "def no_test"))
    project.commit()
    assert project.run("--jarvis-against=HEAD", "--benchmark-autosave").ret == 0
    (saved,) = (project.root / ".benchmarks").rglob("*.json")
    document = json.loads(saved.read_text())
    for entry in document["benchmarks"]:
        entry["stats"] = {name: value / 1e6 if name == "median" else value for name, value in entry["stats"].items()}
    saved.write_text(json.dumps(document))
    result = project.run("--jarvis-against=HEAD", "--benchmark-compare", "--benchmark-compare-fail=median:100%")
    assert result.ret != 0
    result.stderr.fnmatch_lines(["*Performance has regressed*"])


def test_its_files_hold_heads_figures_where_one_stored_run_leaves_all_to_lockstep(project: Project):
    project.write("test_bench.py", BENCH.replace("def test_raises", "def no_test"))
    project.commit()
    assert project.run("--jarvis-save=main").ret == 0
    result = project.run("--jarvis-compare=main", "--benchmark-json=out.json")
    result.stdout.fnmatch_lines(["jarvisperf: one stored run cannot decide *in lockstep*"])
    assert written(project.root / "out.json").keys() == {"test_work[100]", "test_rounds"}


@pytest.mark.parametrize("option", ["--benchmark-cprofile=tottime", "--benchmark-cprofile-dump=out"])
def test_its_profiles_are_refused_with_what_to_write_instead(pytester: pytest.Pytester, option: str):
    result = pytester.runpytest_inprocess("--jarvis-bench", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--benchmark-cprofile* and --jarvis-bench cannot be combined; give --jarvis-profile *"]
    )


def test_the_collector_stays_on_in_lockstep_where_a_marker_says_so(project: Project):
    project.write(
        "test_bench.py",
        """
import gc, pytest

def is_on(wanted):
    assert gc.isenabled() is wanted

@pytest.mark.benchmark(disable_gc=False)
def test_on(benchmark):
    benchmark(is_on, True)

def test_off(benchmark):
    seen = []
    benchmark(lambda: seen.append(gc.isenabled()))
    assert not any(seen[1:])
""",
    )
    project.commit()
    project.run("--jarvis-against=HEAD").assert_outcomes(passed=2)


def test_a_histogram_without_its_packages_is_refused_before_anything_is_measured(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "pygal" else find(name, *more))
    result = pytester.runpytest_inprocess("--jarvis-bench", "--benchmark-histogram=hist", "-p", "no:asyncio")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--benchmark-histogram needs pygal*: pip install 'pytest-benchmark?histogram?'"])
