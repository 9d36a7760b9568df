"""Tests `pytest --jarvis-bench --jarvis-against REV` on small repositories, in real subprocesses.

Launches take most of the time of these tests. Most request two, with a threshold that equal code meets on any machine;
those about a verdict request as many as they need (JUDGED). Changes are large there (twice the work), so that a busy
machine cannot affect the verdict; the gate lab measures how the gate judges small ones.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from git_project import GitProject

AGAINST = (
    "--jarvis-bench",
    "--jarvis-against=HEAD",
    "--jarvis-budget=0.1",
    "--jarvis-launches=2",
    "--jarvis-threshold=300%",
    "-p",
    "no:asyncio",
)
JUDGED = ("--jarvis-budget=0.3", "--jarvis-launches=12", "--jarvis-threshold=30%")

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


def test_slower_code_is_a_failed_test_with_a_line_of_figures(project: Project):
    project.write("pkg/__init__.py", WORK.replace("range(n)", "range(2 * n)"))
    result = project.run(*JUDGED, "--junitxml=junit.xml")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["jarvisperf: 1 benchmark, at most * s of measuring and the start of 12 pairs *"])
    result.stdout.fnmatch_lines(["time regressed: base * head * ratio * (95% interval *), threshold 30%"])
    report = project.report
    assert report["mode"] == "lockstep"
    assert report["verdicts"] == {"test_work": {"time": "regressed"}}
    metric = report["benchmarks"][0]["metrics"]["time"]
    assert metric["interval"][0] < 2 < metric["interval"][1] or metric["ratio"] == pytest.approx(2, rel=0.15)
    assert metric["threshold"] == 0.3
    assert report["base"]["commit"] == project.git("rev-parse", "HEAD")
    assert report["head"]["dirty"] is True
    case = ET.parse(project.root / "junit.xml").getroot().find(".//testcase")
    assert case.find("failure") is not None
    assert {p.get("name"): p.get("value") for p in case.iter("property")}["jarvis_time_verdict"] == "regressed"


def test_equal_and_faster_code_pass(project: Project):
    project.write("benchmarks/test_more.py", BENCH.replace("work", "quick"))
    project.write("pkg/__init__.py", WORK + WORK.replace("work", "quick"))
    project.commit()
    project.write("pkg/__init__.py", WORK + WORK.replace("work", "quick").replace("range(n)", "range(n // 3)"))
    result = project.run(*JUDGED)
    assert result.ret == 0
    result.assert_outcomes(passed=2)
    assert project.report["verdicts"] == {"test_work": {"time": "unchanged"}, "test_quick": {"time": "improved"}}


def test_a_benchmark_that_never_ends_is_an_error_that_is_waited_for_once(project: Project):
    calls = project.root.parent / "calls"
    project.write(
        "conftest.py",
        "from jarvisperf.gate.lockstep import launch\n\nlaunch.ANSWER_SECONDS = 10.0\n",
    )
    project.write("pkg/__init__.py", WORK + "\ndef wait():\n    pass\n")
    project.write("benchmarks/test_bench.py", BENCH + "\ndef test_wait(jarvis_bench):\n    jarvis_bench(pkg.wait)\n")
    project.commit()
    endless = f"import time\n\ndef wait():\n    open({str(calls)!r}, 'a').write('x')\n    time.sleep(1e6)\n"
    project.write("pkg/__init__.py", WORK + endless)
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the head worker did not answer within 10 s and was ended: *"])
    assert len(calls.read_text()) <= 2  # one for each lane
    assert project.verdicts_of_two_launches["test_work"] == {"time": "unchanged"}


def test_the_users_repository_stays_as_it_was(project: Project):
    project.write("pkg/new.py", "")
    before = (project.git("status", "--porcelain"), project.git("worktree", "list"), project.git("stash", "list"))
    project.run()
    assert (
        project.git("status", "--porcelain"),
        project.git("worktree", "list"),
        project.git("stash", "list"),
    ) == before


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
    result = project.run(*JUDGED, "--jarvis-threshold=300%")
    assert result.ret == 0, result.stdout.str()
    report = project.report
    assert set(report["verdicts"]) == {"test_call[200]", "test_call[400]", "test_pedantic", "test_once"}
    first = report["benchmarks"][0]
    assert first["group"] == "marked"
    assert first["extra_info"] == {"n": "200"}
    assert first["metrics"]["time"]["ratio"] == pytest.approx(1, rel=0.3)


def test_memory_and_startup_are_compared_too(project: Project):
    project.write("pkg/__init__.py", WORK + "\ndef fill(): return bytearray(1 << 20)\n")
    project.write(
        "benchmarks/test_bench.py",
        """
import sys
import pkg

def test_memory(jarvis_bench):
    jarvis_bench.memory(pkg.fill)

def test_startup(jarvis_bench):
    jarvis_bench.startup([sys.executable, "-c", "import pkg; pkg.fill()"])
""",
    )
    project.commit()
    project.write("pkg/__init__.py", WORK + "\nimport time; time.sleep(0.3)\ndef fill(): return bytearray(3 << 20)\n")
    result = project.run(*JUDGED, "--jarvis-threshold=time=30%,memory=10%,startup=30%", "--jarvis-budget=10")
    assert result.ret == 1
    verdicts = project.report["verdicts"]
    assert verdicts["test_memory"] == {"memory": "regressed"}
    assert verdicts["test_startup"]["startup"] == "regressed"


def test_a_benchmark_that_is_gone_fails_unless_allowed(project: Project):
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
    assert max(progress(result)) == 66  # two of three, before the last file begins
    assert project.run("--jarvis-allow-missing").ret == 0


def progress(result: pytest.RunResult) -> list[int]:
    """Read the percentages that pytest shows while it runs."""
    return [int(percent) for percent in re.findall(r"\[ *(\d+)%\]", result.stdout.str())]


def test_an_error_of_the_target_that_the_test_catches_is_named(project: Project):
    bench = """
import pkg, pytest

def test_caught(jarvis_bench):
    with pytest.raises(ValueError):
        jarvis_bench(pkg.work, "seven")

def test_caught_rounds(benchmark):
    with pytest.raises(ValueError):
        benchmark.pedantic(pkg.work, ("seven",), rounds=3)

def test_no_call(jarvis_bench):
    pass
"""
    project.write("pkg/__init__.py", WORK + "work = int\n")
    project.write("benchmarks/test_bench.py", bench)
    project.commit()
    result = project.run()
    result.assert_outcomes(failed=3)
    entries = json.loads((project.root / "reports" / "report.json").read_text())["benchmarks"]
    errors = {entry["id"].partition("::")[2]: entry["error"] for entry in entries}
    for name in ("test_caught", "test_caught_rounds"):
        assert errors[name] == (
            "head: nothing was measured: the target raised ValueError: invalid literal for int() with base 10: "
            "'seven', and the test caught it; catch it inside the target, so that each call returns"
        )
    assert errors["test_no_call"] == "nothing was measured: the test passed without calling jarvis_bench or benchmark"


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
        monkeypatch.setenv("PYTHONPATH", str(project.root / "src"))
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
    deadline = time.monotonic() + 60
    while not list(temporary.rglob("head-*.log")) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = next(temporary.glob("jarvisperf-arms-*")).iterdir()
    folder = next(left)
    running.send_signal(signal.SIGKILL)
    running.wait()
    deadline = time.monotonic() + 20
    while _processes_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes_in(folder) == []
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


def test_calls_that_take_longer_and_longer_are_pointed_out(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        "import pkg\n"
        "def test_grows(jarvis_bench):\n"
        "    seen = []\n"
        "    def grow():\n"
        "        seen.extend(range(10))\n"
        "        return sum(seen)\n"
        "    jarvis_bench(grow)\n",
    )
    project.commit()
    result = project.run(*JUDGED, "--jarvis-budget=2")
    result.stdout.fnmatch_lines(["*test_grows: its last calls took * times as long as its first ones*"])


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
        "        return answered.get(timeout=30)\n"
        "    jarvis_bench(ask)\n",
    )
    project.commit()
    result = project.run("--jarvis-threshold=200%")
    result.assert_outcomes(passed=1)


def test_a_generated_module_that_git_ignores_serves_on_both_arms_and_is_named(project: Project):
    project.write(".gitignore", "reports/\n__pycache__/\n_version.py\n")
    project.write("pkg/__init__.py", f"from pkg._version import version\n{WORK}")
    project.commit()
    project.write("pkg/_version.py", "version = '1.0'")
    result = project.run()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*git ignores pkg/_version.py, so both arms use the working tree's*"])


def test_a_project_that_makes_warnings_errors_is_compared(project: Project):
    project.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    project.run().assert_outcomes(passed=1)


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
    result = project.run("-o", "python_functions=bench_*")
    result.assert_outcomes(passed=1)
    assert project.verdicts_of_two_launches == {"bench_work": {"time": "unchanged"}}


def test_an_arm_that_raises_in_its_turns_does_not_keep_the_other_waiting(project: Project):
    project.write("pkg/__init__.py", "class Source:\n    def take(self): return sum(range(200))\n")
    project.write(
        "benchmarks/test_bench.py",
        "import pkg\ndef test_take(jarvis_bench): jarvis_bench(pkg.Source().take)\n",
    )
    project.commit()
    project.write(
        "pkg/__init__.py",
        "class Source:\n"
        "    left = 500\n"
        "    def take(self):\n"
        "        self.left -= 1\n"
        "        if not self.left: raise LookupError('used up')\n"
        "        return sum(range(200))\n",
    )
    result = project.run(*JUDGED)
    result.assert_outcomes(failed=1)
    (entry,) = project.report["benchmarks"]
    assert entry["error"] == "head: LookupError: used up"


def test_what_the_project_does_at_the_end_of_a_session_is_done_once_per_worker(project: Project):
    project.write(
        "conftest.py",
        "import pathlib, tempfile\n"
        "def pytest_configure(config): config.shared = pathlib.Path(tempfile.mkdtemp())\n"
        "def pytest_sessionfinish(session): session.config.shared.rmdir()\n",
    )
    project.write(
        "benchmarks/test_bench.py",
        "import pkg\n"
        "def test_work(jarvis_bench, pytestconfig):\n"
        "    assert pytestconfig.shared.is_dir()\n"
        "    jarvis_bench(pkg.work, 500)\n",
    )
    project.commit()
    project.run().assert_outcomes(passed=1)


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
    monkeypatch.setenv("PYTHONPATH", str(project.root))
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


def test_arms_that_want_the_same_port_are_told_how_to_get_along(project: Project):
    project.write(
        "benchmarks/test_bench.py",
        """
        import pkg, socket

        def test_work(jarvis_bench, unused_port):
            with socket.socket() as server:
                server.bind(("127.0.0.1", unused_port))
                jarvis_bench(pkg.work, 500)
        """.replace("\n        ", "\n"),
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project.write("conftest.py", f"import pytest\n@pytest.fixture\ndef unused_port(): return {port}")
    project.run().stdout.fnmatch_lines(["*: OSError: * in use; base and head are set up at the same time: *"])


def test_what_head_needs_and_git_ignores_is_told_with_what_to_do(project: Project):
    project.write(".gitignore", "data.bin\nreports/\n__pycache__/\n.pytest_cache/\nrunpytest-*\n")
    project.write("benchmarks/test_bench.py", "from pathlib import Path\nPath('data.bin').read_bytes()\n" + BENCH)
    project.commit()
    project.write("data.bin", "made by a build")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["head: FileNotFoundError: *'data.bin'; * in each arm with --jarvis-arm-install*"])


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
