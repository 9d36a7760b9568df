"""Tests `pytest --jarvis-bench --jarvis-save` and `--jarvis-compare` on small repositories, in real subprocesses.

No verdict here may depend on how noisy this machine is. Therefore the threshold is 10000 %, which screening or lockstep
always passes. A test of what screening passes uses a clock that no load disturbs; in a test of what screening cannot
pass, the stored run is rewritten as if the machine had been a thousand times as fast.
"""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest
from git_project import GitProject

from jarvisperf.runs.model import Metric, Run
from jarvisperf.runs.store import open_store
from jarvisperf.runs.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Mapping

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR
QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.1", "-p", "no:asyncio", "-p", "no:cacheprovider")
CLEAR = "--jarvis-threshold=10000%"
BRIEFLY = ("--jarvis-threshold=100%", "--jarvis-launches=2")  # if the verdict does not matter, or no load disturbs it

WORK = "def work(n):\n    return sum(i * i for i in range(n))\n"
SLOWER = WORK.replace("range(n)", "range(5 * n)")
BENCH = "import pkg\n\ndef test_work(jarvis_bench):\n    jarvis_bench(pkg.work, 500)\n"
STEADY = """
import itertools, pkg, pytest

@pytest.mark.benchmark(timer=itertools.count(0.0, 0.001).__next__)
def test_work(benchmark):
    benchmark.pedantic(pkg.work, (500,), rounds=9)
"""
CLOCKED = """
import pkg, pytest

seconds = 0.0  # advanced by the work alone, so that no load disturbs the verdict

def work():
    global seconds
    seconds += pkg.work(500) * 1e-12

@pytest.mark.benchmark(timer=lambda: seconds)
def test_work(benchmark):
    benchmark(work)
"""
OTHER = "def test_other(jarvis_bench):\n    jarvis_bench(sorted, [3, 1, 2])\n"


class Project(GitProject):
    """A repository with a package and a benchmark."""

    words = QUICKLY

    def __init__(self, pytester: pytest.Pytester) -> None:
        super().__init__(pytester)
        self.write("pkg.py", WORK)
        self.write("benchmarks/test_bench.py", BENCH)

    def stored(self, store: str = ".jarvisperf") -> list[Run]:
        opened = open_store(store, self.root)
        return [opened.load(entry) for entry in opened.entries()]

    @classmethod
    def copy_of(cls, kept: Path, pytester: pytest.Pytester) -> Self:
        """Copy a project with its commits and stored runs; running pytest again would cost a hundred times as much."""
        shutil.copytree(kept, pytester.path, symlinks=True, dirs_exist_ok=True)
        project = cls.__new__(cls)
        project.pytester, project.root = pytester, pytester.path
        return project

    def keep_in(self, folder: Path) -> None:
        """Keep a copy for `copy_of`."""
        shutil.copytree(self.root, folder, symlinks=True, ignore=shutil.ignore_patterns("runpytest-*", "std*"))

    def rewrite(self, times: float, store: str = ".jarvisperf") -> None:
        """Multiply every figure of the stored runs."""
        opened = open_store(store, self.root)
        for entry in opened.entries():
            run = opened.load(entry)
            benchmarks = [
                msgspec.structs.replace(
                    one, metrics={name: scaled(metric, times) for name, metric in one.metrics.items()}
                )
                for one in run.benchmarks
            ]
            opened.delete(entry)
            opened.save(msgspec.structs.replace(run, benchmarks=tuple(benchmarks)), entry.name)

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.root / "reports" / "report.json").read_text())

    @property
    def verdicts(self) -> dict[str, tuple[str, str | None]]:
        """Return the verdict on each benchmark's time, and how it was reached."""
        found = [one for one in self.report["benchmarks"] if one["skipped"] is None]
        metrics = {one["id"].partition("::")[2]: one["metrics"]["time"] for one in found}
        return {name: (metric["verdict"], metric["via"]) for name, metric in metrics.items()}


def scaled(metric: Metric, times: float) -> Metric:
    return msgspec.structs.replace(metric, summary=summarize([times * value for value in metric.summary.quantiles]))


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    made = Project(pytester)
    made.commit()
    return made


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the first project with a stored run is kept for the other tests."""
    return tmp_path_factory.mktemp("saved") / "project"


def with_stored_run(pytester: pytest.Pytester, template: Path, uncommitted: Mapping[str, str]) -> Project:
    """Return a project with a stored run; the first one is kept in `template` and copied for the others."""
    if template.exists():
        return Project.copy_of(template, pytester)
    project = Project(pytester)
    project.commit()
    for name, text in uncommitted.items():
        project.write(name, text)
    assert project.run("--jarvis-save=main").ret == 0
    project.keep_in(template)
    return project


@pytest.fixture
def saved(pytester: pytest.Pytester, template: Path) -> Project:
    """A project with a stored run of its commit."""
    return with_stored_run(pytester, template, {})


@pytest.fixture(scope="session")
def template_of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first project with a stored run of two benchmarks is kept for the others."""
    return tmp_path_factory.mktemp("saved-two") / "project"


@pytest.fixture
def saved_two(pytester: pytest.Pytester, template_of_two: Path) -> Project:
    """A project with a stored run of two benchmarks; the second, in `test_other.py`, is not committed."""
    return with_stored_run(pytester, template_of_two, {"benchmarks/test_other.py": OTHER})


@pytest.fixture
def faster(saved: Project) -> Project:
    """A project with a stored run that this machine cannot reach."""
    saved.rewrite(0.001)
    return saved


def test_a_saved_run_holds_figures_yardstick_and_commit(project: Project):
    result = project.run("--jarvis-save=team/main")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["saved as team/main (r*) in */.jarvisperf"])
    (run,) = project.stored()
    assert run.name == "team/main"
    assert run.commit is not None
    assert (run.commit.id, run.commit.dirty) == (project.git("rev-parse", "HEAD"), False)
    assert "." in run.created
    (benchmark,) = run.benchmarks
    assert benchmark.metrics["time"].summary.samples >= 5
    assert benchmark.yardstick.keys() == run.yardstick.keys() == {"interpreter", "memory", "allocation", "hashing"}
    assert all(0 < seconds < 1 for seconds in benchmark.yardstick.values())
    assert project.git("status", "--porcelain") == ""


def test_peak_memory_needs_no_yardstick_and_startup_has_one(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        "import sys\n"
        "def test_memory(jarvis_bench): jarvis_bench.memory(bytearray, 100_000)\n"
        "def test_startup(jarvis_bench): jarvis_bench.startup([sys.executable, '-S', '-c', ''])\n",
    )
    project.run("--jarvis-save=main")
    (run,) = project.stored()
    assert [bool(benchmark.yardstick) for benchmark in run.benchmarks] == [False, True]


def test_a_run_whose_tests_failed_is_saved(project: Project):
    project.write("benchmarks/test_more.py", "def test_bad(jarvis_bench): assert jarvis_bench(len, '')\n")
    assert project.run("--jarvis-save=main").ret == 1
    (run,) = project.stored()
    assert {one.id.partition("::")[2]: bool(one.metrics) for one in run.benchmarks} == {
        "test_work": True,
        "test_bad": False,
    }


def test_a_run_without_figures_is_not_saved(project: Project):
    project.write("benchmarks/test_bench.py", "def test_nothing(): pass\n")
    result = project.run("--jarvis-save=main")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["jarvisperf: the run was not saved: it has no figures"])
    assert project.stored() == []


def test_a_store_that_cannot_be_written_changes_no_exit_status_and_loses_no_run(project: Project):
    project.write("occupied", "a file, not a folder")
    result = project.run("--jarvis-save=main", "--jarvis-store=occupied/runs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["kept as main (r*) until the store can be written", "jarvisperf: *the run waits in *"])
    (project.root / "occupied").unlink()
    result = project.run("--jarvis-save=main", "--jarvis-store=occupied/runs")
    result.stdout.fnmatch_lines(["saved as main *", "jarvisperf: 1 earlier run uploaded from the outbox"])
    assert len(project.stored("occupied/runs")) == 2


def test_a_run_that_can_be_kept_nowhere_is_named_and_changes_no_exit_status(project: Project):
    project.write(".jarvisperf", "a file, not a folder")
    result = project.run("--jarvis-save=main")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["jarvisperf: the run was not saved: the run cannot be kept: *"])


def test_what_is_clearly_fine_passes_by_screening(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")  # the lines below are from a narrow terminal
    project.write("benchmarks/test_bench.py", STEADY)
    project.commit()
    assert project.run("--jarvis-save=main").ret == 0
    result = project.run("--jarvis-compare=main", CLEAR)
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["benchmark  *change * verdict", "test_work * unchanged", "0 of 1 regressed, 1 unchanged; * s"]
    )
    report = project.report
    assert report["mode"] == "baseline"
    assert report["base"] == {"commit": project.git("rev-parse", "HEAD"), "name": "main", "dirty": False}
    metric = report["benchmarks"][0]["metrics"]["time"]
    assert metric["base"]["median"] > 0
    assert metric["head"]["median"] > 0
    assert metric["interval"][0] < metric["ratio"] < metric["interval"][1]
    assert (metric["threshold"], metric["verdict"], metric["via"]) == (100.0, "unchanged", "screening")


def test_slower_code_is_confirmed_in_lockstep_and_is_one_failed_test(faster: Project):
    commit = faster.git("rev-parse", "HEAD")
    faster.write("pkg.py", SLOWER)
    faster.write("benchmarks/test_bench.py", CLOCKED)
    faster.commit()
    faster.write("test_functional.py", "def test_fine(): pass\n")
    result = faster.run("--jarvis-compare=main", *BRIEFLY, "--junitxml=junit.xml")
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["time: * slower (*): base *, head *, threshold 100%, by lockstep", "FAILED *test_work*"]
    )
    assert faster.verdicts == {"test_work": ("regressed", "lockstep")}
    assert faster.report["base"]["commit"] == commit
    cases = list(ET.parse(faster.root / "junit.xml").getroot().iter("testcase"))
    assert {case.get("name"): len(case.findall("failure")) for case in cases} == {"test_work": 1, "test_fine": 0}
    properties = {one.get("name"): one.get("value") for case in cases for one in case.iter("property")}
    assert properties["jarvis_time_verdict"] == "regressed"
    assert float(properties["jarvis_time_median"]) > 0
    assert float(properties["jarvis_time_ratio"]) > 2
    assert properties["jarvis_time_via"] == "lockstep"


def test_equal_code_that_screening_cannot_tell_passes_in_lockstep(project: Project):
    project.write("benchmarks/test_bench.py", CLOCKED)
    project.commit()
    project.write(
        "benchmarks/test_dynamic.py",
        "def test_asks_while_it_runs(request): request.getfixturevalue('jarvis_bench')(sorted, [3, 1, 2])\n",
    )
    project.run("--jarvis-save=main")
    project.rewrite(0.001)
    result = project.run("--jarvis-compare=latest", *BRIEFLY)
    assert result.ret == 0
    result.assert_outcomes(passed=2)
    assert project.verdicts["test_work"] == ("unchanged", "lockstep")
    assert project.verdicts["test_asks_while_it_runs"][1] == "lockstep"
    result.stdout.fnmatch_lines(["*2 measured again in lockstep*"])


@pytest.mark.parametrize(("does", "status"), [("pass", 0), ("fail", 1)])
def test_without_lockstep_what_screening_cannot_tell_is_inconclusive(faster: Project, does: str, status: int):
    words = ("--jarvis-confirm=never", f"--jarvis-inconclusive={does}")
    result = faster.run("--jarvis-compare=main", *BRIEFLY, *words)
    assert result.ret == status
    assert faster.verdicts == {"test_work": ("inconclusive", "screening")}
    result.stdout.fnmatch_lines(
        ["jarvisperf: stored runs cannot decide 1 benchmark, and lockstep was not possible: --jarvis-confirm never"]
    )


def test_without_the_baselines_commit_it_is_inconclusive_and_says_so(faster: Project):
    faster.git("checkout", "-q", "--orphan", "new")
    faster.commit()
    faster.git("branch", "-qD", "main")
    faster.git("reflog", "expire", "--expire=now", "--all")
    faster.git("gc", "-q", "--prune=now")
    result = faster.run("--jarvis-compare=main", *BRIEFLY)
    assert result.ret == 0
    assert faster.verdicts == {"test_work": ("inconclusive", "screening")}
    result.stdout.fnmatch_lines(["jarvisperf: *lockstep was not possible: the baseline's commit is not available*"])


def test_why_the_arms_could_not_start_is_told_in_one_line(faster: Project):
    faster.write(
        "conftest.py",
        "import pathlib\nif b'fork_server.py' in pathlib.Path('/proc/self/cmdline').read_bytes(): 1 / 0\n",
    )
    result = faster.run("--jarvis-compare=main", "--jarvis-save=now", *BRIEFLY)
    assert faster.verdicts == {"test_work": ("inconclusive", "screening")}
    result.stdout.fnmatch_lines(
        ["jarvisperf: *lockstep was not possible: the base arm *: ZeroDivisionError: division by zero"]
    )


def test_outside_of_a_repository_stored_runs_are_compared_all_the_same(pytester: pytest.Pytester):
    pytester.makepyfile(OTHER)
    words = (*QUICKLY, CLEAR)
    assert pytester.runpytest_subprocess(*words, "--jarvis-save=main").ret == 0
    assert pytester.runpytest_subprocess(*words, "--jarvis-compare=main").ret == 0


def test_a_baseline_with_uncommitted_changes_is_compared_by_its_commit_with_a_warning(project: Project):
    project.write("pkg.py", WORK + "# changed\n")
    project.run("--jarvis-save=main")
    project.rewrite(0.001)
    result = project.run("--jarvis-compare=main", *BRIEFLY)
    result.stdout.fnmatch_lines(
        ["jarvisperf: the baseline 'main' was made with uncommitted changes; lockstep compared *"]
    )
    assert project.verdicts["test_work"][1] == "lockstep"


def test_a_benchmark_that_the_baseline_has_and_head_has_not_fails(saved_two: Project):
    (saved_two.root / "benchmarks" / "test_other.py").unlink()
    result = saved_two.run("--jarvis-compare=main", CLEAR)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["time missing: it exists in the baseline 'main' but not in head; --jarvis-allow-missing*"]
    )
    assert saved_two.verdicts["test_other"] == ("missing", None)
    result = saved_two.run("--jarvis-compare=main", CLEAR, "--jarvis-allow-missing")
    assert result.ret == 0
    assert saved_two.verdicts["test_other"] == ("missing", None)


@pytest.mark.parametrize(
    "words",
    [("-k", "work"), ("benchmarks/test_bench.py",), ("--ignore=benchmarks/test_other.py",)],
    ids=["-k", "file", "--ignore"],
)
def test_what_was_not_asked_for_is_not_missing(saved_two: Project, words: tuple[str, ...]):
    result = saved_two.run("--jarvis-compare=main", CLEAR, *words)
    assert result.ret == 0
    assert {name: verdict for name, (verdict, _) in saved_two.verdicts.items()} == {"test_work": "unchanged"}


def test_a_benchmark_that_is_gone_is_told_where_selecting_leaves_open_whether_it_was_asked_for(saved_two: Project):
    (saved_two.root / "benchmarks" / "test_other.py").unlink()
    result = saved_two.run("--jarvis-compare=main", CLEAR, "-m", "not slow")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["jarvisperf: benchmarks/test_other.py::test_other: in the baseline but not in head; whether -m would have*"]
    )


def test_a_metric_that_was_not_asked_for_is_missing_for_that_reason(saved: Project):
    result = saved.run("--jarvis-compare=main", "--jarvis-metrics=memory")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["time missing: the baseline 'main' has it, but this run measured only memory, with --jarvis-metrics memory;*"]
    )


def test_a_skipped_benchmark_is_not_missing(saved_two: Project):
    saved_two.write("benchmarks/test_other.py", f"import pytest\n@pytest.mark.skip\n{OTHER}")
    result = saved_two.run("--jarvis-compare=main", CLEAR)
    assert result.ret == 0
    result.assert_outcomes(passed=1, skipped=1)


def test_where_one_stored_run_cannot_decide_anything_all_is_compared_in_lockstep_at_once(saved: Project):
    saved.write("pkg.py", SLOWER)
    saved.write("benchmarks/test_more.py", "import pytest\n@pytest.mark.skip(reason='later')\n" + OTHER)
    commit = saved.git("rev-parse", "HEAD")
    result = saved.run("--jarvis-compare=main", "--jarvis-launches=4", "-rs")
    assert result.ret == 1
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            f"jarvisperf: comparing with 1 stored run of 'main', the newest of commit {commit[:12]}",
            f"jarvisperf: one stored run cannot decide any *: all are compared * commit {commit[:12]} right away",
            "*time: * slower *, threshold 5%, by lockstep*",
        ]
    )
    assert saved.report["mode"] == "baseline"
    assert saved.report["base"]["name"] == "main"
    assert saved.report["base"]["commit"] == commit
    assert saved.verdicts == {"test_work": ("regressed", "lockstep")}


def test_a_missing_benchmark_fails_where_all_is_compared_in_lockstep_at_once(saved_two: Project):
    (saved_two.root / "benchmarks" / "test_other.py").unlink()
    result = saved_two.run("--jarvis-compare=main", "--jarvis-launches=2")
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    assert saved_two.verdicts["test_other"] == ("missing", None)
    assert re.findall(r"\[ *(\d+)%\]", result.stdout.str()) == ["50", "100"]  # one for each file


def test_a_run_that_is_stored_is_recorded_before_lockstep_and_says_what_that_costs(saved: Project):
    result = saved.run("--jarvis-compare=main", "--jarvis-save=main", "--jarvis-launches=2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["jarvisperf: one stored run cannot decide *recorded for --jarvis-save*twice as long*"])
    assert [run.benchmarks[0].metrics["time"].method for run in saved.stored()] == ["perf_counter"] * 2
    assert saved.verdicts["test_work"][1] == "lockstep"


def test_that_nothing_can_be_decided_is_said_at_the_start(saved: Project):
    result = saved.run("--jarvis-compare=main", "--jarvis-confirm=never")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["jarvisperf: one stored run cannot decide *confirm never*will be inconclusive"])
    assert saved.verdicts == {"test_work": ("inconclusive", "screening")}


def test_a_new_benchmark_passes(saved: Project):
    saved.write("benchmarks/test_other.py", OTHER)
    assert saved.run("--jarvis-compare=main", CLEAR).ret == 0
    assert saved.verdicts["test_other"] == ("new", None)


def test_new_benchmarks_that_were_selected_on_their_own_pass(saved: Project):
    saved.write("benchmarks/test_other.py", OTHER)
    assert saved.run("--jarvis-compare=main", "-k", "other").ret == 0
    assert saved.verdicts == {"test_other": ("new", None)}


def test_a_comparison_in_which_the_baseline_has_none_of_the_benchmarks_is_not_green(saved: Project):
    saved.write("elsewhere/test_other.py", OTHER)
    words = ("--jarvis-compare=main", "elsewhere")
    result = saved.run(*words)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["jarvisperf: nothing was compared: *(elsewhere/test_other.py::test_other)*test_bench.py::test_work:*"]
    )
    allowing = saved.run(*words, "--jarvis-allow-missing")
    assert allowing.ret == 0
    allowing.stdout.fnmatch_lines(["jarvisperf: nothing was compared: *"])


def test_a_failing_benchmark_fails_once_and_x_stops_at_it(saved: Project):
    saved.write("benchmarks/test_bench.py", BENCH + "    assert False\n\ndef test_later(jarvis_bench): 1 / 0\n")
    result = saved.run("--jarvis-compare=main", CLEAR, "-x")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])


def test_x_stops_at_the_first_regression(faster: Project):
    faster.write("benchmarks/test_bench.py", CLOCKED + OTHER)
    faster.write("pkg.py", SLOWER)
    result = faster.run("--jarvis-compare=main", *BRIEFLY, "-x")
    assert result.ret == 1
    result.assert_outcomes(failed=1)


def test_the_first_run_of_a_name_is_stored_and_is_not_green(project: Project):
    result = project.run("--jarvis-compare=main", "--jarvis-save=main")
    assert result.ret == 1
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["jarvisperf: nothing was compared: * holds no runs; this run is stored as 'main', so the next one can *"]
    )
    assert project.report["mode"] == "record"
    assert len(project.stored()) == 1


def test_without_a_run_to_compare_with_nothing_is_measured_and_the_names_there_are_are_said(saved: Project):
    saved.write("benchmarks/test_bench.py", "print('collected')\n" + BENCH)
    for selector, why, name in (
        ("mian", "has no run 'mian'; its names are: main; ", "mian"),
        ("0123456789", "has no run '0123456789'; its names are: main; ", "0123456789"),
        ("r0123456789", "has no run 'r0123456789'; its names are: main; ", "r0123456789"),
    ):
        result = saved.run(f"--jarvis-compare={selector}", "--jarvis-save=other")
        assert result.ret == USAGE_ERROR
        result.stderr.fnmatch_lines(
            [f"*--jarvis-compare {selector}: nothing to compare with: *{why}store a run first: *--jarvis-save {name}"]
        )
        result.stdout.no_fnmatch_line("*collected*")
    assert [run.name for run in saved.stored()] == ["main"]


def test_an_empty_store_has_nothing_to_compare_with(project: Project):
    result = project.run("--jarvis-compare=latest")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jarvis-compare latest: nothing to compare with: * holds no runs; *"])


def test_a_store_that_cannot_be_read_ends_the_run_before_anything_is_measured(project: Project):
    project.write("kept/runs", "a file, not a folder")
    for words in ((), ("--jarvis-save=main",)):
        result = project.run("--jarvis-compare=main", "--jarvis-store=kept", *words)
        assert result.ret == USAGE_ERROR
        result.stderr.fnmatch_lines(["*--jarvis-compare main: the store cannot be read: *"])


def test_stored_runs_that_all_are_damaged_end_the_run_before_anything_is_measured(saved: Project):
    (stored,) = (saved.root / ".jarvisperf").rglob("*.run")
    stored.write_bytes(stored.read_bytes()[:-9])
    result = saved.run("--jarvis-compare=main")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines(["*nothing to compare with: 1 stored run found, but none can be read (*"])


def test_runs_of_another_machine_are_compared_with_a_warning_at_the_start(saved: Project):
    opened = open_store(".jarvisperf", saved.root)
    (entry,) = opened.entries()
    run = opened.load(entry)
    opened.delete(entry)
    machine = msgspec.structs.replace(run.machine, cpu="another one")
    opened.save(msgspec.structs.replace(run, machine=machine), "main")
    result = saved.run("--jarvis-compare=main", CLEAR)
    assert result.ret == 0
    lines = result.stdout.lines
    (first, *_) = [number for number, line in enumerate(lines) if "no run from a machine like this one" in line]
    assert first < next(number for number, line in enumerate(lines) if line.startswith("collected "))


def test_listing_the_tests_needs_no_stored_run(project: Project):
    assert project.run("--jarvis-compare=main", "--collect-only", "-q").ret == 0


def test_a_damaged_run_is_skipped_with_a_warning(saved: Project):
    (stored,) = (saved.root / ".jarvisperf").rglob("*.run")
    assert saved.run("--jarvis-save=main").ret == 0
    stored.write_bytes(stored.read_bytes()[:-9])
    result = saved.run("--jarvis-compare=main", CLEAR)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["jarvisperf: skipped: *"])


def test_a_commit_names_its_runs(saved: Project):
    commit = saved.git("rev-parse", "HEAD")
    assert saved.run(f"--jarvis-compare={commit[:8]}", CLEAR).ret == 0
    assert saved.report["base"]["commit"] == commit


def test_the_markers_threshold_counts(saved: Project):
    saved.write(
        "benchmarks/test_bench.py",
        BENCH.replace("def", "import pytest\n@pytest.mark.jarvis_threshold(time='off')\ndef"),
    )
    saved.write("pkg.py", SLOWER)
    assert saved.run("--jarvis-compare=main", "--jarvis-threshold=1%").ret == 0
    assert saved.verdicts == {"test_work": ("unchanged", "screening")}


@pytest.mark.parametrize("words", [(), ("--jarvis-compare=main", CLEAR)], ids=["record", "compare"])
def test_an_absolute_limit_holds_in_every_mode(saved: Project, words: tuple[str, ...]):
    limited = "import pytest\n@pytest.mark.jarvis_threshold(max_time='1ns')\ndef"
    saved.write("benchmarks/test_bench.py", BENCH.replace("def", limited))
    result = saved.run(*words)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["time: * is over the limit of 1.000 ns"])
    assert saved.verdicts["test_work"][0] == "regressed"


def test_an_absolute_limit_of_a_metric_that_the_test_does_not_measure_is_not_silent(project: Project):
    limited = "import pytest\n@pytest.mark.jarvis_threshold(max_memory='1B')\ndef"
    project.write("benchmarks/test_bench.py", BENCH.replace("def", limited))
    result = project.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_work: max_memory was not checked: the test measured only time"])


def test_a_lockstep_run_is_saved_with_heads_figures_and_the_command_line_goes_before_the_ini_file(saved: Project):
    saved.write("pytest.ini", "[pytest]\njarvis_compare = nightly\n")  # the two options exclude each other
    result = saved.run("--jarvis-against=HEAD", *BRIEFLY, "--jarvis-save=lockstep")
    assert result.ret == 0
    assert saved.report["mode"] == "lockstep"
    result.stdout.fnmatch_lines(["saved as lockstep (r*"])
    lockstep, _ = saved.stored()
    assert lockstep.name == "lockstep"
    assert lockstep.benchmarks[0].metrics["time"].method.endswith("lockstep")
    assert saved.verdicts["test_work"][1] == "lockstep"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--jarvis-save=latest",), "--jarvis-save: 'latest' is not a valid name for a run; use letters"),
        (("--jarvis-save=a b",), "--jarvis-save: 'a b' is not a valid name for a run"),
        (("--jarvis-compare=../main",), "--jarvis-compare: '../main' is not allowed; give a commit"),
        (("--jarvis-confirm=maybe",), "--jarvis-confirm: 'maybe' is not allowed; give auto or never"),
        (("--jarvis-store=",), "--jarvis-store: an empty name is not allowed"),
        (("--jarvis-save=main", "--jarvis-store=tape://runs"), "--jarvis-store: "),
        (
            ("--jarvis-compare=main", "--jarvis-against=HEAD"),
            "--jarvis-against and --jarvis-compare cannot be combined",
        ),
    ],
    ids=["latest", "blank", "parent", "confirm", "no-store", "scheme", "both"],
)
def test_what_is_not_allowed_is_a_usage_error(pytester: pytest.Pytester, words: tuple[str, ...], complaint: str):
    result = pytester.runpytest_inprocess("--jarvis-bench", *words)
    assert result.ret == USAGE_ERROR
    assert complaint in result.stderr.str()


@pytest.mark.parametrize("option", ["save", "compare"])
def test_without_measuring_there_is_nothing_to_save_or_compare(pytester: pytest.Pytester, option: str):
    result = pytester.runpytest_inprocess(f"--jarvis-{option}=main")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--jarvis-{option} needs --jarvis-bench: only a run that measures can do that*"])


def test_the_ini_file_names_the_runs_and_ordinary_runs_do_not_mind(project: Project):
    project.write("pytest.ini", "[pytest]\njarvis_save = nightly\njarvis_store = kept\njarvis_compare = nightly\n")
    assert project.run().ret == 1  # nothing to compare with yet
    assert [run.name for run in project.stored("kept")] == ["nightly"]
    project.rewrite(0.1, "kept")
    assert project.run(*BRIEFLY).ret == 0
    assert project.verdicts["test_work"][1] == "lockstep"  # its workers read the same ini file
    assert project.pytester.runpytest_subprocess("-p", "no:asyncio").ret == 0
    assert len(project.stored("kept")) == 2
