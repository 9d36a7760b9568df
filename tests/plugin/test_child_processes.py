"""Tests that an arm's child processes run the arm's code; otherwise the benchmark is an error."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from git_project import GitProject
from waiting import wait_until

from jarvisperf.gate.processes.child_imports import find_python, observe
from jarvisperf.gate.processes.living import living_commands
from jarvisperf.gate.processes.shell_lines import plain_command
from jarvisperf.measure.startup import Command
from pytest_jarvisperf.arms.child_processes import ChildProcesses, ForeignChildError, with_arms_path
from pytest_jarvisperf.arms.foreign_modules import ForeignModules
from pytest_jarvisperf.arms.process_starts import ProcessStarts


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Create a working tree with a package, and an arm with a copy of it."""
    for root in ("tree", "arm"):
        (tmp_path / root / "pkg").mkdir(parents=True)
        (tmp_path / root / "pkg/__init__.py").write_text("VALUE = 1\n")
        (tmp_path / root / "pkg/__main__.py").write_text("")
        (tmp_path / root / "script.py").write_text("import pkg\n")
    return tmp_path / "tree"


@pytest.fixture
def children(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildProcesses]:
    monkeypatch.setenv("PYTHONPATH", str(tree.parent / "arm"))
    monkeypatch.chdir(tree.parent / "arm")
    # A busy machine takes its time.
    monkeypatch.setattr("pytest_jarvisperf.arms.child_processes.MOST_SECONDS_ASIDE", 60.0)
    monkeypatch.setattr("pytest_jarvisperf.arms.child_processes.MOST_SECONDS_OWN", 180.0)
    starts = ProcessStarts(tree.parent / "starts")
    with starts.installed():
        yield ChildProcesses(ForeignModules([tree.parent / "arm"], ["pkg"], tree), starts, tree.parent / "checked")


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def evading(tree: Path) -> dict[str, list[str]]:
    """Commands that import the package from the working tree, whatever the environment says."""
    python, search = sys.executable, f"import sys; sys.path.insert(0, {str(tree)!r}); import pkg"
    code = search.replace("; ", "\n")
    folder = tree.parent / "commands"
    folder.mkdir()
    return {
        "-I": [python, "-I", "-c", search],
        "-E": [python, "-Ec", search],
        "env": ["env", "-i", "A=1", python, "-c", search],
        "timeout": ["timeout", "600", python, "-c", search],
        "a script of the working tree": [python, str(tree / "script.py")],
        "a command": [script(folder / "one", f"#!{python}\n{code}\n")],
        "a command with options": [script(folder / "two", f"#!{python} -I\n{code}\n")],
        "a command with a long path": [
            script(folder / "three", f"#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n{code}\n")
        ],
        "one that ends badly": [python, "-I", "-c", f"{search}; import os; os._exit(3)"],
    }


KINDS = [
    "-I",
    "-E",
    "env",
    "timeout",
    "a script of the working tree",
    "a command",
    "a command with options",
    "a command with a long path",
    "one that ends badly",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_that_imports_the_working_trees_package_is_named_with_what_to_do(
    kind: str, tree: Path, children: ChildProcesses
):
    with pytest.raises(ForeignChildError) as error:
        children.check(Command(tuple(evading(tree)[kind])))
    assert str(tree) in str(error.value)
    assert "not from this arm's checkout" in str(error.value)
    assert "no -I or -E" in str(error.value)


@pytest.mark.parametrize(
    "words",
    [
        [sys.executable, "-c", "import pkg"],
        [sys.executable, "-m", "pkg"],
        ["env", "A=1", sys.executable, "-c", "import pkg"],
        [sys.executable, "-I", "-c", "import json"],
        [sys.executable, "-c", "raise SystemExit(3)"],
    ],
)
def test_a_child_that_imports_the_arms_or_nothing_of_the_project_is_fine(words: list[str], children: ChildProcesses):
    assert children.check(Command(tuple(words))) is None


def test_a_program_that_is_not_python_is_noted_and_one_of_the_working_tree_is_an_error(
    tree: Path, children: ChildProcesses
):
    note = children.check(Command(("sh", "-c", "true")))
    assert note.startswith("'sh' is not a Python program, so which code its processes run cannot be verified")
    (tree / "built").write_bytes(b"\x7fELF")
    with pytest.raises(ForeignChildError, match=r"runs .*built, not from this arm's"):
        children.check(Command((str(tree / "built"),)))
    assert children.check(Command((script(tree.parent / "arm/built", "#!/bin/sh\n"),))) is None


def test_a_command_that_cannot_be_started_once_more_is_noted(tmp_path: Path, children: ChildProcesses):
    note = children.check(Command((sys.executable, "-c", "pass"), cwd=str(tmp_path / "removed")))
    assert "could not be started again (No such file or directory), so its code cannot be verified" in note


def test_a_command_of_an_environment_in_the_working_tree_is_judged_by_what_it_imports(
    tree: Path, children: ChildProcesses
):
    (tree / ".venv/bin").mkdir(parents=True)
    (tree / ".venv/pyvenv.cfg").write_text("")
    children.check(Command((script(tree / ".venv/bin/tool", f"#!{sys.executable}\nimport pkg\n"),)))


def test_the_arms_folders_come_first_in_an_environment_of_the_callers_own(children: ChildProcesses, tree: Path):
    arm = os.environ["PYTHONPATH"]
    given = Command(("x",), {"A": "1", "PYTHONPATH": f"/other:{arm}"}, "/")
    assert with_arms_path(given) == Command(("x",), {"A": "1", "PYTHONPATH": f"{arm}:/other"}, "/")
    assert with_arms_path(Command(("x",))) == Command(("x",))
    children.check(with_arms_path(Command((sys.executable, "-c", "import pkg"), {"PATH": os.environ["PATH"]})))


def imports_the_tree(tree: Path) -> str:
    return f"import sys; sys.path.insert(0, {str(tree)!r}); import pkg"


def test_processes_are_checked_that_were_started_before_the_first_check(tree: Path, children: ChildProcesses):
    search = imports_the_tree(tree)
    children.watch()
    subprocess.run([sys.executable, "-c", search], check=True)  # of a fixture: it sees the arm, so it is not run again
    children.watch_call()
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
    assert children.check_started() == []
    subprocess.run([sys.executable, "-I", "-c", search], check=True)  # only the first ones are checked
    assert children.check_started() == []


@pytest.mark.parametrize(
    "evades", [{"env": {}, "cwd": "/"}, {"env": {"PYTHONPATH": ""}, "cwd": "/"}, {"cwd": "the tree"}]
)
def test_a_fixtures_process_is_checked_where_it_may_evade_the_arm(
    evades: dict[str, Any], tree: Path, children: ChildProcesses
):
    where = {**evades, "cwd": tree} if evades.get("cwd") == "the tree" else evades
    children.watch()
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(tree)!r}); import pkg"], check=True, **where
    )
    children.watch_call()
    with pytest.raises(ForeignChildError):
        children.check_started()


def by_asyncio(words: list[str]) -> None:
    async def start() -> None:
        process = await asyncio.create_subprocess_exec(*words)
        await process.wait()

    asyncio.run(start())


def by_asyncios_shell(words: list[str]) -> None:
    async def start() -> None:
        process = await asyncio.create_subprocess_shell(shlex.join(words))
        await process.wait()

    asyncio.run(start())


def by_fork_and_exec(words: list[str]) -> None:
    child = os.fork()
    if child == 0:
        os.execv(words[0], words)
    os.waitpid(child, 0)


WAYS: dict[str, Callable[[list[str]], object]] = {
    "subprocess.run": subprocess.run,
    "a shell": lambda words: subprocess.run(shlex.join(words), shell=True, check=True),
    "os.system": lambda words: os.system(shlex.join(words)),
    "os.system with variables and redirections": lambda words: os.system(
        f"A=1 exec {shlex.join(words)} >/dev/null 2>&1"
    ),
    "os.popen": lambda words: os.popen(shlex.join(words)).close(),
    "os.posix_spawn": lambda words: os.waitpid(os.posix_spawn(words[0], words, os.environ), 0),
    "os.posix_spawnp": lambda words: os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0),
    "os.spawnv": lambda words: os.spawnv(os.P_WAIT, words[0], words),
    "os.spawnlpe": lambda words: os.spawnlpe(os.P_WAIT, words[0], *words, dict(os.environ)),
    "fork and exec": by_fork_and_exec,
    "pty.spawn": lambda words: pty.spawn(words, lambda file: os.read(file, 1024)),
    "asyncio": by_asyncio,
    "asyncio's shell": by_asyncios_shell,
    "a child's child": lambda words: subprocess.run(
        [sys.executable, "-c", f"import subprocess; subprocess.run({words!r})"], check=True
    ),
    "a child that becomes it": lambda words: subprocess.run(
        [sys.executable, "-c", f"import os; os.execv({words[0]!r}, {words!r})"], check=True
    ),
    "a shell of a child": lambda words: subprocess.run(
        [sys.executable, "-c", f"import os; os.system({'cd / && ' + shlex.join(words)!r})"], check=True
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_child_that_evades_the_arm_is_found_however_it_is_started(way: str, tree: Path, children: ChildProcesses):
    children.watch()
    children.watch_call()
    WAYS[way]([sys.executable, "-I", "-c", imports_the_tree(tree)])
    with pytest.raises(ForeignChildError, match=r"imported pkg from .*tree/pkg/__init__\.py"):
        children.check_started()


@pytest.mark.parametrize("way", ["a child's child", "a shell of a child"])
def test_a_child_that_ended_before_anybody_looked_is_found_when_it_runs_again(
    way: str, tree: Path, children: ChildProcesses, monkeypatch: pytest.MonkeyPatch
):
    observed: set[int] = set()

    def too_late(of: int) -> dict[tuple[int, tuple[str, ...]], Command]:
        observed.add(of)
        if len(observed) <= 2 and of != os.getpid():
            wait_until(lambda: has_ended(of))
            return {}
        return living_commands(of)

    monkeypatch.setattr("jarvisperf.gate.processes.child_imports.living_commands", too_late)
    children.watch()
    children.watch_call()
    WAYS[way]([sys.executable, "-I", "-c", imports_the_tree(tree)])
    with pytest.raises(ForeignChildError):
        children.check_started()
    assert len(observed) > 2


def has_ended(number: int) -> bool:
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("way", WAYS)
def test_a_child_that_runs_nothing_of_the_project_is_fine_however_it_is_started(way: str, children: ChildProcesses):
    children.watch()
    children.watch_call()
    WAYS[way]([sys.executable, "-I", "-c", "import json"])
    assert children.check_started() == []


def test_a_child_that_still_runs_is_looked_at_though_it_was_started_unseen(tree: Path, children: ChildProcesses):
    code = f"{imports_the_tree(tree)}; print(1, flush=True); sys.stdin.read()"
    words = [sys.executable, "-I", "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        for _ in range(2):  # a session fixture's server serves all tests
            children.watch()
            children.watch_call()
            with pytest.raises(ForeignChildError):
                children.check_started()
        server.kill()


@pytest.mark.parametrize(
    ("start", "program"),
    [
        (lambda: subprocess.run(["git", "--version"], check=True), "'git'"),
        (lambda: subprocess.run(["ls"], check=True), "'ls'"),
        (lambda: os.spawnlp(os.P_WAIT, "git", "git", "--version"), repr(shutil.which("git"))),
        (lambda: os.system("cd / && python -I -c pass"), "the shell line 'cd / && python -I -c pass'"),
        (lambda: subprocess.run("echo 1 | cat", shell=True, check=True), "the shell line 'echo 1 | cat'"),
    ],
)
def test_a_program_that_a_test_starts_is_noted_and_a_fixtures_is_not(
    start: Callable[[], object], program: str, children: ChildProcesses
):
    children.watch()
    start()
    children.watch_call()
    assert children.check_started() == []
    children.watch()
    children.watch_call()
    start()
    start()
    (note,) = children.check_started()
    assert note.startswith(f"{program} is not a Python program, so which code its processes run cannot be verified")


def test_processes_that_no_function_of_pythons_started_are_noted(children: ChildProcesses):
    import ctypes

    children.watch()
    children.watch_call()
    ctypes.CDLL(None).system(b"true")
    (note,) = children.check_started()
    assert "started processes in a way that cannot be traced" in note


def test_forks_and_process_pools_run_the_arms_code_and_are_not_noted(children: ChildProcesses):
    children.watch()
    children.watch_call()
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(len, "abc").result() == 3
    assert children.check_started() == []


def test_what_has_passed_is_not_started_again_in_this_process_nor_in_a_copy(tmp_path: Path, children: ChildProcesses):
    counted = tmp_path / "counted"

    def check_a_call() -> None:
        children.watch()
        children.watch_call()
        subprocess.run([sys.executable, "-I", "-c", f"open({str(counted)!r}, 'a').write('x')"], check=True)
        assert children.check_started() == []

    copy = os.fork()
    if copy == 0:
        try:
            check_a_call()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(copy, 0)[1] == 0
    check_a_call()
    check_a_call()
    assert counted.read_text() == "xxxx"  # the three calls, and the check of the first


def test_a_command_that_goes_on_is_ended_and_what_it_starts_later_is_said_to_be_unknown(children: ChildProcesses):
    note = children.check(Command((sys.executable, "-c", "import time; time.sleep(60)")), most_seconds=0.3)
    assert "what it starts later cannot be verified" in note


def test_the_functions_that_start_processes_are_put_back(tmp_path: Path):
    before = (os.system, os.execv, os.posix_spawn, subprocess.Popen.__init__)
    with ProcessStarts(tmp_path / "starts").installed():
        assert os.system is not before[0]
    assert (os.system, os.execv, os.posix_spawn, subprocess.Popen.__init__) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python -c 'import a; import b'", ("python", "-c", "import a; import b")),
        ('exec python -m tool "a b" > log.txt 2>&1', ("python", "-m", "tool", "a b")),
        ("python x.py < in.txt", ("python", "x.py")),
        ("python x.py | cat", None),
        ("cd / && python x.py", None),
        ("python $FILE", None),
        ('python "$FILE"', None),
        ("python *.py", None),
        ("python x.py &", None),
        ("python `which x`", None),
        ("python 'x", None),
        ("A=1", None),
        ("", None),
    ],
)
def test_a_shells_line_is_read_where_it_is_one_plain_command(line: str, words: tuple[str, ...] | None):
    found = plain_command(Command(("/bin/sh", "-c", line)))
    assert (found.words if found else None) == words


def test_what_a_child_imports_is_known_by_name_and_file(tree: Path):
    command = Command((sys.executable, "-c", "import pkg, json.decoder"), {"PYTHONPATH": str(tree)})
    found = dict(observe(command, find_python(command)).imports)
    assert found["pkg"] == tree / "pkg/__init__.py"
    assert found["json.decoder"].name == "decoder.py"


NOTES_ITS_IMPORT = """
import os, sys

with open({log!r}, "a") as file:
    file.write(f"{{os.environ.get('IMPORTED_BY') or sys.argv[-1]}} {version}\\n")
"""


@pytest.fixture
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which the project's package notes who imported which version of it."""
    return tmp_path_factory.mktemp("log") / "imports"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, log: Path) -> GitProject:
    made = GitProject(pytester)
    made.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2")
    made.words += ("-p", "no:asyncio")
    made.write("src/pkg/__init__.py", NOTES_ITS_IMPORT.format(log=str(log), version="base"))
    made.write("pyproject.toml", "[project]\nname = 'pkg'\nversion = '1'\n")
    monkeypatch.setenv("PYTHONPATH", str(made.root / "src"), prepend=os.pathsep)
    return made


def entries(project: GitProject) -> dict[str, Any]:
    report = json.loads((project.root / "reports/report.json").read_text())
    return {entry["id"].rpartition("::")[2]: entry for entry in report["benchmarks"]}


def test_in_lockstep_a_child_of_elsewhere_is_an_error_of_its_benchmark_and_the_rest_is_compared(
    project: GitProject, log: Path
):
    source = str(project.root / "src")
    project.write(
        "benchmarks/test_bench.py",
        f"""
import concurrent.futures, multiprocessing, os, shlex, subprocess, sys
from os import system

import pytest

EVADES = [sys.executable, "-I", "-c", "import sys; sys.path.append({source!r}); import pkg"]
IMPORTS = [sys.executable, "-c", "import pkg"]
ELSEWHERE = {{"PATH": os.environ["PATH"], "PYTHONPATH": {source!r}}}
PARENT = [sys.executable, "-c", f"import subprocess; subprocess.run({{EVADES!r}})"]

def fork_and_exec():
    child = os.fork()
    if child == 0:
        os.execv(EVADES[0], EVADES)
    os.waitpid(child, 0)

def pool():
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        workers.submit(__import__, "pkg")

def test_evades(jarvis_bench): jarvis_bench.startup(EVADES)
def test_evades_by_a_child(jarvis_bench): jarvis_bench.startup(PARENT)

CALLS = {{
    "run": lambda: subprocess.run(EVADES, check=True),
    "system": lambda: system(shlex.join(EVADES)),
    "exec": fork_and_exec,
    "child": lambda: subprocess.run(PARENT, check=True),
}}

@pytest.mark.parametrize("call", CALLS)
def test_evades_in_a_call(jarvis_bench, call): jarvis_bench(CALLS[call])
def test_evades_in_rounds(jarvis_bench): jarvis_bench.pedantic(CALLS["system"], rounds=3)
def test_inherits(jarvis_bench): jarvis_bench.startup([*IMPORTS, "a child"])
def test_inherits_in_a_pool(jarvis_bench, monkeypatch):
    monkeypatch.setenv("IMPORTED_BY", "a pool")
    jarvis_bench(pool)
def test_own_environment(jarvis_bench, tmp_path):
    jarvis_bench.startup([*IMPORTS, "a child with its own environment"], env=ELSEWHERE, cwd=tmp_path)
def test_shell(jarvis_bench): jarvis_bench.startup(["sh", "-c", "exit 0"])
def test_git(jarvis_bench): jarvis_bench(subprocess.run, ["git", "--version"], check=True)
""",
    )
    project.commit()
    project.write("src/pkg/__init__.py", NOTES_ITS_IMPORT.format(log=str(log), version="head"))
    result = project.run()
    found = entries(project)
    evading = [name for name in found if name.startswith("test_evades")]
    assert len(evading) == 7
    for name in evading:
        assert f"imported pkg from {source}/pkg/__init__.py, not from this arm's checkout" in found[name]["error"]
    for name in ("test_inherits", "test_own_environment"):
        assert found[name]["metrics"]["startup"]["ratio"] > 0
    assert found["test_inherits_in_a_pool"]["metrics"]["time"]["ratio"] > 0
    imported = {tuple(line.rsplit(" ", 1)) for line in log.read_text().splitlines()}
    for child in ("a child", "a pool", "a child with its own environment"):
        assert {version for name, version in imported if name == child} == {"base", "head"}
    for name in ("test_shell", "test_git"):
        assert found[name]["error"] is None
    for name, program in (("test_shell", "sh"), ("test_git", "git")):
        note = f"'{program}' is not a Python program, so which code its processes run cannot be verified"
        result.stdout.fnmatch_lines([f"*{name}: {note}*"])
        assert [text.startswith(note) for text in found[name]["notes"]] == [True]
