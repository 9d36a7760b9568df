"""Tests that processes started in an arm end with it, and that exit handlers run where they were registered."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest
from git_project import GitProject
from waiting import PROCESS_SECONDS, wait_until

from jarvisperf.gate.processes import descendants

AGAINST = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2", "-p", "no:asyncio")
# A textbook daemon, which also ignores SIGTERM.
DAEMON = """
import os, signal, sys, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        open(sys.argv[1], "a").close()
        time.sleep(1e4)
    os._exit(0)
os.wait()
"""
STARTS = """
import concurrent.futures, functools, multiprocessing, os, subprocess, sys, time

@functools.cache
def pool():
    return concurrent.futures.ProcessPoolExecutor(1)

def in_pool(n):
    return pool().submit(sum, range(n)).result()

def start_all(folder):
    subprocess.run([sys.executable, "-c", os.environ["DAEMON"], folder + "/daemon"], check=True)
    subprocess.Popen(["sleep", "10000"])
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(1e4,), daemon=True).start()
"""
BENCH = """
import pathlib

import pkg, pytest

@pytest.fixture(scope="session")
def started(tmp_path_factory):
    pkg.start_all(str(tmp_path_factory.mktemp("started")))

def test_pool(jarvis_bench): jarvis_bench(pkg.in_pool, 100)
def test_work(jarvis_bench, started): jarvis_bench(sum, range(100))
"""


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    name = secrets.token_hex(8)
    monkeypatch.setenv("LEFTOVER_MARK", name)
    monkeypatch.setenv("DAEMON", DAEMON)
    return f"LEFTOVER_MARK={name}"


@pytest.fixture
def project(pytester: pytest.Pytester) -> GitProject:
    made = GitProject(pytester)
    made.words = AGAINST
    made.write("pkg/__init__.py", STARTS)
    made.write("benchmarks/test_bench.py", BENCH)
    made.commit()
    return made


def marked(mark: str) -> list[str]:
    """Return the command lines of the processes that have a variable in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes().split(b"\0") and int(place.name) != os.getpid():
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_pools_children_and_daemons_end_with_the_run(project: GitProject, mark: str):
    result = project.run("--jarvis-threshold=500%")
    result.assert_outcomes(passed=2)
    wait_until(lambda: marked(mark) == [])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_they_end_with_a_run_that_is_interrupted_or_killed_too(project: GitProject, mark: str, how: signal.Signals):
    # So many that the run does not end by itself, and each so short that a worker soon sees that it is to end.
    many = BENCH.replace("def test_work(", "@pytest.mark.parametrize('number', range(500))\ndef test_work(number, ")
    project.write("benchmarks/test_bench.py", many.replace("sum, range(100)", "__import__('time').sleep, 0.05"))
    project.commit()
    command = [sys.executable, "-m", "pytest", *AGAINST, "-k", "test_work"]
    running = subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: sum(line.startswith("sleep ") for line in marked(mark)) >= 2, PROCESS_SECONDS)
    running.send_signal(how)
    running.wait(PROCESS_SECONDS)
    wait_until(lambda: marked(mark) == [])


# Only the answers of head's endless benchmark are waited for briefly, once its call has begun: with all others, a busy
# machine may be slow.
IMPATIENT = """
from pathlib import Path

from jarvisperf.gate.processes.workers import NoAnswerError, RunTest, Worker

CALLS = Path({calls!r})
tell, hear = Worker.tell, Worker.hear


def tell_and_note(self, message):
    if isinstance(message, RunTest):
        self.may_hang = self.name == "head" and message.id.endswith("::test_work")
    tell(self, message)


def hear_briefly(self, seconds):
    may_hang = getattr(self, "may_hang", False)
    while may_hang and not CALLS.exists():
        try:
            return hear(self, 0.1)
        except NoAnswerError:
            pass
    return hear(self, 1.0 if may_hang else seconds)


Worker.tell, Worker.hear = tell_and_note, hear_briefly
"""


def test_a_benchmark_that_never_ends_is_an_error_that_is_waited_for_once_and_leaves_nothing(
    project: GitProject, mark: str
):
    calls = project.root.parent / "calls"
    project.write("conftest.py", IMPATIENT.format(calls=str(calls)))
    bench = BENCH.replace("sum, range(100)", "pkg.wait") + "\ndef test_fine(jarvis_bench): jarvis_bench(len, [])\n"
    project.write("benchmarks/test_bench.py", bench)
    project.write("pkg/__init__.py", f"{STARTS}\ndef wait(): pass\n")
    project.commit()
    endless = f"\ndef wait():\n    open({str(calls)!r}, 'a').write('x')\n    time.sleep(1e6)\n"
    project.write("pkg/__init__.py", STARTS + endless)
    result = project.run("-k", "test_work or test_fine", "--jarvis-threshold=500%")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the head worker did not answer within 1 s and was ended: *"])
    assert len(calls.read_text()) <= 2  # one for each lane
    wait_until(lambda: marked(mark) == [])
    report = json.loads((project.root / "reports" / "report.json").read_text())
    verdicts = [metric["verdict"] for entry in report["benchmarks"] for metric in entry["metrics"].values()]
    assert verdicts in (["unchanged"], ["inconclusive"])


HANDLERS = """
import atexit, os, tempfile, weakref

LOG = {log!r}
folder = tempfile.TemporaryDirectory()

def note(what):
    with open(LOG, "a") as file:
        file.write(f"{{what}} {{os.getpid()}} {{os.path.isdir(folder.name)}}\\n")

class Held: pass

held = Held()
weakref.finalize(held, note, "finalized")
atexit.register(note, "original")
"""
USES_HANDLERS = """
import atexit, os, weakref

import pkg

class Held: pass

@__import__("pytest").fixture
def registers():
    atexit.register(pkg.note, "copy")
    pkg.held_by_copy = Held()
    weakref.finalize(pkg.held_by_copy, pkg.note, "finalized in copy")

def test_work(jarvis_bench, registers):
    jarvis_bench(sum, range(100))
"""


def test_each_exit_handler_runs_once_in_the_process_that_registered_it(project: GitProject, tmp_path: Path):
    log = tmp_path / "log"
    project.write("pkg/__init__.py", HANDLERS.format(log=str(log)))
    project.write("benchmarks/test_bench.py", USES_HANDLERS)
    project.commit()
    project.run("--jarvis-threshold=500%").assert_outcomes(passed=1)
    lines = [line.split() for line in log.read_text().splitlines()]
    notes = [(" ".join(words[:-2]), words[-2]) for words in lines]
    assert set(Counter(notes).values()) == {1}
    processes = {what: {process for name, process in notes if name == what} for what, _ in notes}
    assert set(processes) == {"original", "finalized", "copy", "finalized in copy"}
    assert processes["copy"] == processes["finalized in copy"]
    assert not processes["copy"] & processes["original"]
    assert not processes["copy"] & processes["finalized"]
    # The folder that the original created still exists after a copy has ended.
    assert all(words[-1] == "True" for words in lines if words[0] == "copy")


def test_an_exit_handler_that_never_ends_does_not_hang_the_run(project: GitProject, mark: str):
    project.write(
        "conftest.py",
        "from pytest_jarvisperf.arms import exit_handlers\n\nexit_handlers.EXIT_SECONDS = 0.5\n",
    )
    hangs = "import atexit, threading\nlock = threading.Lock()\nlock.acquire()\n"
    hangs += "if 'jarvisperf-arms-' in __file__: atexit.register(lock.acquire)\n"  # this pytest would hang by itself
    project.write("pkg/__init__.py", hangs)
    project.write(
        "benchmarks/test_bench.py",
        "import atexit, pkg\n"
        "def test_work(jarvis_bench):\n"
        "    atexit.register(pkg.lock.acquire)\n"
        "    jarvis_bench(sum, range(100))\n",
    )
    project.commit()
    project.run("--jarvis-threshold=500%").assert_outcomes(passed=1)
    wait_until(lambda: marked(mark) == [])


def test_exit_handlers_run_even_where_no_more_threads_can_be_started():
    code = """
import atexit, threading
from pytest_jarvisperf.arms.exit_handlers import end_process

def refuse(self): raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
atexit.register(print, "handled")
end_process(7)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PROCESS_SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (7, "handled\n", "")


def test_orphans_are_adopted_and_ended_and_other_children_spared(tmp_path: Path):
    started = tmp_path / "started"
    code = f"""
import os, subprocess, sys, time
from jarvisperf.gate import descendants

descendants.adopt_orphans()
spared = subprocess.Popen(["sleep", "1000"])
subprocess.run([sys.executable, "-c", {DAEMON!r}, {str(started)!r}], check=True)
while not __import__("os").path.exists({str(started)!r}): time.sleep(0.01)
assert len(descendants.children()) == 2 == len(descendants._children_by_scan(os.getpid()))
descendants.end_orphans(spared={{spared.pid}})
assert descendants.children() == {{spared.pid}} and spared.poll() is None
descendants.end_orphans()
assert not descendants.children()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PROCESS_SECONDS)
    assert descendants.children() == descendants._children_by_scan(os.getpid())


def test_which_processes_are_children_does_not_depend_on_what_a_test_replaces():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with (
            mock.patch("builtins.open", mock.mock_open(read_data=b"1")),
            mock.patch("os.listdir", return_value=["1"]),
            mock.patch("os.getpid", return_value=1),
        ):
            found = descendants.children()
        child.communicate(b"\n")
    assert child.pid in found
    assert 1 not in found
