"""Tests `pytest --jarvis-bench --jarvis-against REV` on small repositories, in real subprocesses.

Launches are what these tests cost. Most ask for two, with a threshold that equal code stays within on any machine;
tests about verdicts, which take more of them, share a run (`test_lockstep_verdicts.py`).
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from git_project import GitProject
from light_pytest import NO_CONTROL
from waiting import PROCESS_SECONDS, wait_until

AGAINST = (
    "--jarvis-bench",
    "--jarvis-against=HEAD",
    "--jarvis-budget=0.1",
    "--jarvis-launches=2",
    "--jarvis-threshold=300%",
    "-p",
    "no:asyncio",
)

WORK = """
def work(n):
    return sum(i * i for i in range(n))
"""
BENCH = """
import pkg

def test_work(jarvis_bench):
    jarvis_bench(pkg.work, 500)
"""


class Project(GitProject):
    """A repository with a package and its benchmarks."""

    words = AGAINST

    @property
    def report(self) -> dict[str, Any]:
        report = json.loads((self.root / "reports" / "report.json").read_text())
        report["verdicts"] = {
            entry["id"].partition("::")[2]: {name: metric["verdict"] for name, metric in entry["metrics"].items()}
            for entry in report["benchmarks"]
        }
        return report

    @property
    def ratio(self) -> float:
        """The ratio of the only benchmark; far from 1 if each arm ran its own code."""
        (entry,) = self.report["benchmarks"]
        return entry["metrics"]["time"]["ratio"]

    @property
    def verdicts_of_two_launches(self) -> dict[str, dict[str, str]]:
        """Return the verdicts, with `unchanged` for `inconclusive`: two launches decide little on a busy machine."""
        return {
            name: {metric: "unchanged" if word == "inconclusive" else word for metric, word in words.items()}
            for name, words in self.report["verdicts"].items()
        }


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    made = Project(pytester)
    made.write("pkg/__init__.py", WORK)
    made.write("benchmarks/test_bench.py", BENCH)
    made.commit()
    return made


def test_functional_tests_run_as_usual_and_the_selection_holds(project: Project):
    project.write("tests/test_plain.py", "def test_plain(): pass\ndef test_wrong(): assert 0, 'PLAINLY WRONG'")
    result = project.run()
    result.assert_outcomes(passed=2, failed=1)
    assert "PLAINLY WRONG" in result.stdout.str()
    result = project.run("-k", "plain", "tests")
    assert "test_work" not in result.stdout.str()
    assert "no benchmark was measured" in result.stdout.str()


def test_a_pytest_benchmark_suite_is_compared_unchanged(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        """
        import pytest, pkg

        @pytest.mark.benchmark(group="marked")
        @pytest.mark.parametrize("n", [200, 400])
        def test_call(benchmark, n):
            assert benchmark(pkg.work, n) == pkg.work(n)
            assert benchmark.stats.stats.mean > 0
            benchmark.extra_info["n"] = n

        def test_pedantic(benchmark):
            done = []
            assert benchmark.pedantic(
                lambda n: pkg.work(n), setup=lambda: ((300,), {}), teardown=lambda n: done.append(n), rounds=5
            ) == pkg.work(300)
            assert len(done) >= 5

        def test_once(benchmark):
            calls = []
            benchmark.pedantic(lambda: calls.append(pkg.work(300)), rounds=1)
            assert len(calls) == 1
        """.replace("\n        ", "\n"),
    )
    project.commit()
    result = project.run("--jarvis-budget=0.3", "--jarvis-launches=12")
    assert result.ret == 0, result.stdout.str()
    report = project.report
    assert set(report["verdicts"]) == {"test_call[200]", "test_call[400]", "test_pedantic", "test_once"}
    first = report["benchmarks"][0]
    assert first["group"] == "marked"
    assert first["extra_info"] == {"n": "200"}
    assert first["metrics"]["time"]["ratio"] == pytest.approx(1, rel=0.3)


def test_a_benchmark_that_is_gone_fails(project: Project):
    project.write("benchmarks/test_gone.py", BENCH.replace("test_work", "test_gone"))
    project.commit()
    (project.root / "benchmarks/test_gone.py").unlink()
    project.write("benchmarks/test_bench.py", BENCH.replace("test_work", "test_renamed"))
    result = project.run()
    assert result.ret == 1
    assert project.verdicts_of_two_launches == {
        "test_work": {"time": "missing"},
        "test_gone": {"time": "missing"},
        "test_renamed": {"time": "unchanged"},
    }
    result.stdout.fnmatch_lines(["missing: the benchmark exists in base but not in head*"])
    assert progress(result) == [66, 100]  # the missing ones count as tests, so it never exceeds 100


def progress(result: pytest.RunResult) -> list[int]:
    """Read the percentages that pytest shows while it runs."""
    return [int(percent) for percent in re.findall(r"\[ *(\d+)%\]", result.stdout.str())]


def test_code_that_comes_from_elsewhere_is_an_error_that_names_it(project: Project, tmp_path: Path):
    elsewhere = project.root.parent / "elsewhere"
    (elsewhere / "pkg").mkdir(parents=True)
    (elsewhere / "pkg/__init__.py").write_text(WORK)
    project.write("conftest.py", f"import sys; sys.path.insert(0, {str(elsewhere)!r})")
    result = project.run()
    assert result.ret == 1
    assert "imported pkg from" in result.stdout.str()
    assert str(elsewhere) in result.stdout.str()


@pytest.mark.parametrize("layout", ["installed", "pythonpath"])
def test_other_layouts_resolve_to_the_arms_own_checkout(project: Project, layout: str, monkeypatch: pytest.MonkeyPatch):
    (project.root / "src").mkdir()
    project.git("mv", "pkg", "src/pkg")
    if layout == "pythonpath":
        project.write("pytest.ini", "[pytest]\npythonpath = src\n")
    else:  # like an editable installation: the working tree's folder is on the search path
        monkeypatch.setenv("PYTHONPATH", str(project.root / "src"), prepend=":")
    project.commit()
    project.write("src/pkg/__init__.py", WORK.replace("range(n)", "range(3 * n)"))
    project.run()
    assert project.ratio > 1.5


def test_one_arm_that_skips_is_not_compared(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        "import pytest\n" + BENCH.replace("    jarvis", "    pytest.skip('not here')\n    jarvis"),
    )
    result = project.run()
    result.assert_outcomes(skipped=1)
    assert result.ret == 1  # nothing was measured


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--jarvis-against=nothing",), "unknown revision 'nothing'"),
        (("--jarvis-launches=0",), "--jarvis-launches: '0' is not allowed"),
        (("--jarvis-threshold=5",), "--jarvis-threshold: '5' is not allowed"),
        (("--jarvis-inconclusive=maybe",), "--jarvis-inconclusive: 'maybe' is not allowed; give pass or fail"),
    ],
)
def test_wrong_words_are_usage_errors(project: Project, words: tuple[str, ...], complaint: str):
    result = project.run(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in result.stderr.str()


def test_against_without_bench_is_a_usage_error(project: Project):
    result = project.pytester.runpytest_subprocess("--jarvis-against=HEAD")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "needs --jarvis-bench: only a run that measures" in result.stderr.str()


def test_a_folder_without_a_repository_is_a_usage_error(pytester: pytest.Pytester):
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(len, [])")
    result = pytester.runpytest_subprocess(*AGAINST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "is not in a git repository" in result.stderr.str()


def test_a_killed_run_leaves_no_process_and_the_next_removes_its_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    temporary = project.root.parent / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    project.write("benchmarks/test_bench.py", "import time\ndef test_slow(jarvis_bench): jarvis_bench(time.sleep, 0.2)")
    project.commit()
    command = [sys.executable, "-m", "pytest", *AGAINST, "--jarvis-budget=60", "-p", "no:cacheprovider"]
    running = subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(temporary.rglob("head-*.log")), PROCESS_SECONDS)
    left = next(temporary.glob("jarvisperf-arms-*")).iterdir()
    folder = next(left)
    running.send_signal(signal.SIGKILL)
    running.wait()
    wait_until(lambda: _processes_in(folder) == [])
    project.write("benchmarks/test_bench.py", BENCH)
    assert project.run().ret in {0, 1}
    assert not folder.exists()


def _processes_in(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(entry.name)
            except OSError:
                continue
    return found


def test_what_does_not_survive_a_fork_is_measured_without(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        "import os\n"
        "collected_in = os.getpid()\n"
        "def test_tied_to_its_process(jarvis_bench):\n"
        "    assert os.getpid() == collected_in, 'a copy of the process'\n"
        "    jarvis_bench(sum, range(100))\n",
    )
    project.commit()
    result = project.run()
    result.assert_outcomes(passed=1)
    assert project.verdicts_of_two_launches["test_tied_to_its_process"] == {"time": "unchanged"}


def test_a_suite_that_starts_threads_at_import_is_measured_without_forks(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        "import queue, threading\n"
        "asked, answered = queue.Queue(), queue.Queue()\n"
        "def serve():\n"
        "    while True:\n"
        "        answered.put(asked.get())\n"
        "threading.Thread(target=serve, daemon=True).start()\n"
        "def test_asks(jarvis_bench):\n"
        "    def ask():\n"
        "        asked.put(1)\n"
        "        return answered.get(timeout=60)\n"
        "    jarvis_bench(ask)\n",
    )
    project.commit()
    result = project.run("--jarvis-threshold=200%")
    result.assert_outcomes(passed=1)


@pytest.mark.usefixtures("every_plugin")
def test_a_project_that_relies_on_its_plugins_is_compared(project: Project):
    project.write(
        "pytest.ini",
        "[pytest]\n"
        "addopts = --strict-markers --strict-config --cov -n 2 --max-worker-restart=2 --no-cov-on-fail\n"
        "required_plugins = pytest-cov pytest-xdist\n"
        "cache_dir = .cache/pytest\n",
    )
    project.write(
        "conftest.py",
        "import pytest\n"
        "def pytest_configure_node(node): pass\n"
        "@pytest.fixture(scope='session')\n"
        "def place(worker_id, pytestconfig):\n"
        "    assert worker_id == 'master'\n"
        "    return pytestconfig.cache.mkdir('place')\n",
    )
    project.write(
        "benchmarks/test_bench.py",
        "import pkg, pytest\n"
        "@pytest.mark.xdist_group('one')\n"
        "def bench_work(jarvis_bench, place): jarvis_bench(pkg.work, 500)\n",
    )
    project.commit()
    result = project.run("-o", "python_functions=bench_*", *NO_CONTROL)
    result.assert_outcomes(passed=1)
    assert project.verdicts_of_two_launches == {"bench_work": {"time": "unchanged"}}


def test_benchmarks_that_cannot_run_twice_at_a_time_are_measured_one_after_the_other(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        "import os, pathlib, pkg, pytest\n"
        "@pytest.fixture\n"
        "def only_one():\n"
        "    file = pathlib.Path('lock')\n"
        "    file.open('x').close()\n"
        "    yield\n"
        "    file.unlink()\n"
        "def test_work(jarvis_bench, only_one): jarvis_bench(pkg.work, 500)\n",
    )
    project.commit()
    project.run().assert_outcomes(passed=1)


def test_a_base_that_cannot_be_imported_is_an_error_and_nothing_new(project: Project):
    project.write("pkg/__init__.py", f"import a_package_that_nobody_has\n{WORK}")
    project.commit()
    project.write("pkg/__init__.py", WORK)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*base: *No module named 'a_package_that_nobody_has'*"])


def test_a_removed_benchmark_is_missing_where_the_configuration_selects_by_marks(project: Project):
    project.write("pytest.ini", "[pytest]\naddopts = -m 'not slow'\nmarkers = slow\n")
    project.write(
        "benchmarks/test_bench.py",
        f"import pytest\n{BENCH}\n"
        "def test_gone(jarvis_bench): jarvis_bench(len, [])\n"
        "@pytest.mark.slow\ndef test_slow(jarvis_bench): jarvis_bench(len, [])\n",
    )
    project.commit()
    project.write("benchmarks/test_bench.py", BENCH)
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    assert project.report["verdicts"]["test_gone"] == {"time": "missing"}
    assert "test_slow" not in project.report["verdicts"]


def test_a_package_that_the_layout_does_not_show_is_no_silent_comparison_of_head_with_itself(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    (project.root / "lib").mkdir()
    project.git("mv", "pkg", "lib/pkg")
    project.write("conftest.py", f"import sys\nsys.path.insert(0, {str(project.root / 'lib')!r})\n")
    project.commit()
    result = project.run()
    assert result.ret == 1
    assert "imported pkg from" in result.stdout.str()


def test_a_namespace_package_is_taken_from_the_arms_own_checkout(project: Project, monkeypatch: pytest.MonkeyPatch):
    (project.root / "acme").mkdir()
    project.git("mv", "pkg", "acme/core")
    project.write("benchmarks/test_bench.py", BENCH.replace("import pkg", "import acme.core as pkg"))
    monkeypatch.setenv("PYTHONPATH", str(project.root), prepend=":")
    project.commit()
    project.write("acme/core/__init__.py", WORK.replace("range(n)", "range(3 * n)"))
    project.run()
    assert project.ratio > 1.5


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("-c", "ci/pytest.ini", "benchmarks"), "test_bench.py::test_work"),  # pytest's root folder is ci
        (("--rootdir={link}", "{link}/benchmarks"), "benchmarks/test_bench.py::test_work"),
    ],
    ids=["a root folder beside the tests", "a link to the repository"],
)
def test_wherever_pytests_root_folder_is_the_arms_have_the_same_tests(
    project: Project, tmp_path_factory: pytest.TempPathFactory, words: tuple[str, ...], name: str
):
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(project.root)
    project.write("ci/pytest.ini", "[pytest]\n")
    project.write("benchmarks/test_gone.py", BENCH.replace("test_work", "test_gone"))
    project.commit()
    (project.root / "benchmarks/test_gone.py").unlink()
    report = project.root / "reports"
    result = project.run(f"--jarvis-report={report}", *(word.format(link=link) for word in words))
    result.assert_outcomes(passed=1, failed=1)
    gone = name.replace("bench.py", "gone.py").replace("work", "gone")
    assert {entry["id"]: set(entry["metrics"]) for entry in project.report["benchmarks"]} == {
        name: {"time"},
        gone: {"time"},
    }
    result.stdout.fnmatch_lines([f"FAILED *{gone.rpartition('/')[2]} - missing: *"])


@pytest.mark.parametrize("what", ["file", "root"])
def test_a_benchmark_that_no_arm_can_have_is_an_error_that_says_so(
    project: Project, tmp_path_factory: pytest.TempPathFactory, what: str
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    if what == "file":
        (elsewhere / "outside.py").write_text(BENCH)
        (project.root / "benchmarks/test_link.py").symlink_to(elsewhere / "outside.py")
        result = project.run("benchmarks/test_link.py")
        complaint = "*test_link.py (a link to *outside.py) lies outside the git repository*"
    else:
        (elsewhere / "link").symlink_to(project.root)
        result = project.run(f"--rootdir={elsewhere / 'link'}", "benchmarks")
        complaint = f"*only through a link*give both as they are: --rootdir={project.root} *"
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"jarvisperf: nothing was compared: {complaint}"])


def test_a_filter_of_warnings_that_the_base_does_not_know_is_heads_alone(project: Project):
    project.write("pytest.ini", "[pytest]\nfilterwarnings =\n    error\n    ignore::pkg.NewWarning\n")
    project.write("pkg/__init__.py", WORK + "\nclass NewWarning(UserWarning): pass\n")
    project.write(
        "benchmarks/test_bench.py",
        """
        import pkg, warnings

        def test_work(jarvis_bench):
            if hasattr(pkg, "NewWarning"):
                warnings.warn("WARNED", pkg.NewWarning)
            jarvis_bench(pkg.work, 500)
        """.replace("\n        ", "\n"),
    )
    result = project.run()
    assert result.ret == 0, result.stdout.str()
    assert project.report["verdicts"]["test_work"]["time"] in {"unchanged", "inconclusive"}
