"""Tests that what was decided before a signal, a crash or a full disk is reported and stored."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from stranger import WORK, Stranger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The work advances a clock of its own, so that a busy machine cannot change a verdict. The second benchmark behaves
# differently in each launch, so it stays undecided to the end.
TESTS = """
    import os

    import pkg
    import pytest
    import trouble

    pytestmark = pytest.mark.benchmark(timer=lambda: pkg.seconds)


    def test_slower(benchmark):
        benchmark(pkg.work, 300)


    def test_undecided(benchmark):
        trouble.come()
        is_odd = int(os.environ["PYTHONHASHSEED"]) // 1_000 % 2
        benchmark(pkg.work, 3_000 if is_odd and pkg.IS_HEAD else 30)
"""
CLOCKED = """
    IS_HEAD = {is_head}
    seconds = 0.0


    def work(n):
        global seconds
        seconds += {nanoseconds} * n / 1e9
"""
LAUNCHES_BEFORE = 6  # the first verdicts are reached after 4
SIGNAL = f"""
    import os
    import pathlib

    os.environ.setdefault("MAIN_PROCESS", str(os.getpid()))


    def come():
        seen = pathlib.Path(os.environ["SEEN"])
        (seen / os.environ["PYTHONHASHSEED"]).touch()
        if len(list(seen.iterdir())) >= {LAUNCHES_BEFORE}:
            os.kill(int(os.environ["MAIN_PROCESS"]), int(os.environ["SIGNAL"]))
"""
CRASH = """
    from jarvisperf.gate.lockstep.control import Control

    rotate = Control.rotate
    calls = []


    def come():
        pass


    def rotate_and_fail(self, names, count):
        calls.append(count)
        if len(calls) > 2:
            raise {error}
        return rotate(self, names, count)


    Control.rotate = rotate_and_fail
"""


def project_with(folder: Path, trouble: str) -> Stranger:
    (folder / "project").mkdir()
    project = Stranger(
        folder / "project",
        {
            "pkg/__init__.py": CLOCKED.format(is_head=False, nanoseconds=40),
            "benchmarks/trouble.py": trouble,
            "benchmarks/test_b.py": TESTS,
            "benchmarks/conftest.py": "import trouble",
        },
    )
    project.write({"pkg/__init__.py": CLOCKED.format(is_head=True, nanoseconds=120)})
    return project


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_what_was_decided(tmp_path: Path, number: signal.Signals):
    project = project_with(tmp_path, SIGNAL)
    (tmp_path / "seen").mkdir()
    env = {"SEEN": str(tmp_path / "seen"), "SIGNAL": str(int(number))}
    assert project.against("--jarvis-save=main", launches=12, env=env) == pytest.ExitCode.INTERRUPTED, project.output
    assert project.report["interrupted"]
    assert project.verdicts == {"test_slower": "regressed", "test_undecided": "inconclusive"}
    assert "the comparison was not finished: the run was interrupted" in project.output
    assert "run NOT finished" in project.output
    # It is stored and marked as interrupted, because comparing with half a run would say nothing about the other half.
    assert "saved as main" in project.output
    project.write({"benchmarks/trouble.py": "def come(): pass"})
    assert project.bench("--jarvis-compare=main", "--jarvis-budget=0.05") != 0
    assert "1 stored run found, but none was finished" in project.output


KILL = f"""
    import os
    import pathlib
    import signal

    os.environ.setdefault("MAIN_PROCESS", str(os.getpid()))


    def come():
        seen = pathlib.Path(os.environ["SEEN"])
        (seen / os.environ["PYTHONHASHSEED"]).touch()
        if len(list(seen.iterdir())) >= {LAUNCHES_BEFORE} and not (seen / "let it live").exists():
            os.kill(int(os.environ["MAIN_PROCESS"]), signal.SIGKILL)
"""


def test_a_killed_run_is_offered_to_the_next_one_which_takes_over_what_was_decided(tmp_path: Path):
    project = project_with(tmp_path, KILL)
    seen = tmp_path / "seen"
    seen.mkdir()
    env = {"SEEN": str(seen)}
    assert project.against(launches=6, env=env) == -signal.SIGKILL, project.output
    offer = "1 of 2 benchmarks were decided by an interrupted run of this comparison ("
    assert offer not in project.output
    assert project.against(launches=6, env=env) == -signal.SIGKILL, project.output  # before it decides anything
    assert offer in project.output
    (seen / "let it live").touch()
    assert project.against("--jarvis-resume", launches=6, env=env) == pytest.ExitCode.TESTS_FAILED, project.output
    assert "1 of 2 benchmarks taken over from the run of " in project.output
    assert project.verdicts == {"test_slower": "regressed", "test_undecided": "inconclusive"}
    slower, undecided = project.entries["test_slower"], project.entries["test_undecided"]
    assert len(slower["metrics"]["time"]["launches"]) == 4
    assert [note.partition(" by the run of ")[0] for note in slower["notes"]] == ["decided"]
    assert undecided["notes"] == []
    assert not (project.root / ".jarvisperf" / "unfinished").exists()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ZeroDivisionError('by us')", "internal error of jarvisperf: ZeroDivisionError: by us"),
        ("OSError(28, 'No space left on device')", "[Errno 28] No space left on device"),
    ],
)
def test_a_failure_of_ours_and_a_full_disk_cost_what_was_not_decided(tmp_path: Path, error: str, told: str):
    project = project_with(tmp_path, CRASH.format(error=error))
    assert project.against(launches=12) == 1, project.output
    assert project.verdicts == {"test_slower": "regressed", "test_undecided": "inconclusive"}
    assert project.report["interrupted"]
    assert f"the comparison was not finished: {told}" in " ".join(project.output.split())
    assert "INTERNALERROR" not in project.output


@pytest.fixture
def hangup_ends_processes() -> Iterator[None]:
    """Restore the default for SIGHUP, which processes inherit as ignored if this pytest was started by nohup."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, inherited)


@pytest.mark.usefixtures("hangup_ends_processes")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_recording_that_is_interrupted_keeps_what_was_measured(tmp_path: Path, name: str):
    tests = "import os, signal\ndef test_first(jarvis_bench): jarvis_bench(len, [])\n"
    tests += f"def test_second(jarvis_bench): jarvis_bench(os.kill, os.getpid(), signal.{name})\n"
    project = Stranger(tmp_path, {"test_b.py": tests})
    assert project.bench("--jarvis-budget=0.05", "--jarvis-save=main") == pytest.ExitCode.INTERRUPTED, project.output
    assert project.report["interrupted"]
    assert project.verdicts["test_first"] == "new"
    assert "saved as main" in project.output


# A project's limit on each test's time covers what happens inside of that test's protocol.
OUTSIDE = """
    import pytest

    from jarvisperf.gate.lockstep.campaign import Lockstep

    run = Lockstep.run
    running = []


    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        running.append(item)
        try:
            return (yield)
        finally:
            running.pop()


    def run_outside(self):
        assert not running, f"all is measured inside of {running[0].nodeid}"
        return run(self)


    Lockstep.run = run_outside
"""


def test_a_time_limit_for_each_test_is_not_one_for_the_whole_comparison(tmp_path: Path):
    tests = "import pkg, pytest\n@pytest.mark.parametrize('n', range(3))\n"
    tests += "def test_work(jarvis_bench, n): jarvis_bench(pkg.work, 300)\n"
    project = Stranger(tmp_path, {"pkg/__init__.py": WORK, "test_b.py": tests, "conftest.py": OUTSIDE})
    project.against()
    assert "INTERNALERROR" not in project.output
    assert len(project.verdicts) == 3
    assert "error" not in project.verdicts.values()
