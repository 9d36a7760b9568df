"""Children of an arm run the arm's code, or the benchmark is an error: head must not be compared with itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from git_project import GitProject

from jarvisperf.gate.processes.child_imports import find_python, imported_files
from jarvisperf.measure.startup import Command
from pytest_jarvisperf.arms.child_processes import ChildProcesses, ForeignChildError, with_arms_path
from pytest_jarvisperf.arms.foreign_modules import ForeignModules


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a working tree with a package, and an arm with a copy of it."""
    for root in ("tree", "arm"):
        (tmp_path / root / "pkg").mkdir(parents=True)
        (tmp_path / root / "pkg/__init__.py").write_text("VALUE = 1\n")
        (tmp_path / root / "pkg/__main__.py").write_text("")
        (tmp_path / root / "script.py").write_text("import pkg\n")
    return tmp_path / "tree"


@pytest.fixture
def children(tree: Path, monkeypatch: pytest.MonkeyPatch) -> ChildProcesses:
    monkeypatch.setenv("PYTHONPATH", str(tree.parent / "arm"))
    return ChildProcesses(ForeignModules([tree.parent / "arm"], ["pkg"], tree))


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
        "timeout": ["timeout", "50", python, "-c", search],
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
    (tree.parent / "arm/built").write_bytes(b"\x7fELF")
    assert children.check(Command((str(tree.parent / "arm/built"),))) is None


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


def test_processes_that_a_target_starts_are_checked_where_they_may_evade_the_arm(tree: Path, children: ChildProcesses):
    import asyncio
    import subprocess

    search = f"import sys; sys.path.append({str(tree)!r}); import pkg"
    with children.watched():
        subprocess.run([sys.executable, "-c", search], check=True)
        subprocess.run("true", shell=True, check=True)
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
        children.check_started()
        subprocess.run([sys.executable, "-I", "-c", search], check=True)  # no more than the first ones are looked at
        children.check_started()
    for evades in ({"env": {}}, {"env": {"PYTHONPATH": ""}, "cwd": "/"}):
        with children.watched():
            subprocess.run([sys.executable, "-c", search], check=True, **evades)
            with pytest.raises(ForeignChildError):
                children.check_started()

    async def start() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", search)
        await process.wait()

    with children.watched():
        asyncio.run(start())
        with pytest.raises(ForeignChildError):
            children.check_started()
    original = subprocess.Popen.__init__
    with pytest.raises(ZeroDivisionError), children.watched():
        raise ZeroDivisionError
    assert subprocess.Popen.__init__ is original


def test_what_a_child_imports_is_known_by_name_and_file(tree: Path):
    command = Command((sys.executable, "-c", "import pkg, json.decoder"), {"PYTHONPATH": str(tree)})
    python = find_python(command)
    assert python is not None
    found = dict(imported_files(command, python))
    assert found["pkg"] == tree / "pkg/__init__.py"
    assert found["json.decoder"].name == "decoder.py"


WORK = "def work(n): return sum(i * i for i in range(n))\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> GitProject:
    made = GitProject(pytester)
    made.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.5", "--jarvis-launches=2")
    made.words += ("-p", "no:asyncio")
    made.write("src/pkg/__init__.py", WORK)
    made.write("tools/start.py", "import pkg\n")
    made.write("pyproject.toml", "[project]\nname = 'pkg'\nversion = '1'\n")
    monkeypatch.setenv("PYTHONPATH", str(made.root / "src"))
    return made


def entries(project: GitProject) -> dict[str, Any]:
    report = json.loads((project.root / "reports/report.json").read_text())
    return {entry["id"].rpartition("::")[2]: entry for entry in report["benchmarks"]}


def test_in_lockstep_a_child_of_elsewhere_is_an_error_of_its_benchmark_and_the_rest_is_compared(project: GitProject):
    source = str(project.root / "src")
    project.write(
        "benchmarks/test_bench.py",
        f"""
import os, subprocess, sys

EVADES = [sys.executable, "-I", "-c", "import sys; sys.path.append({source!r}); import pkg"]
IMPORTS = [sys.executable, "-c", "import pkg"]

def test_evades(jarvis_bench): jarvis_bench.startup(EVADES)
def test_evades_in_a_call(jarvis_bench): jarvis_bench(subprocess.run, EVADES, check=True)
def test_inherits(jarvis_bench): jarvis_bench.startup(IMPORTS)
def test_own_environment(jarvis_bench, tmp_path):
    jarvis_bench.startup(IMPORTS, env={{"PATH": os.environ["PATH"], "PYTHONPATH": {source!r}}}, cwd=tmp_path)
def test_shell(jarvis_bench): jarvis_bench.startup(["sh", "-c", "exit 0"])
""",
    )
    project.commit()
    project.write("src/pkg/__init__.py", f"import time\ntime.sleep(0.3)\n{WORK}")
    result = project.run()
    found = entries(project)
    for name in ("test_evades", "test_evades_in_a_call"):
        assert f"imported pkg from {source}/pkg/__init__.py, not from this arm's checkout" in found[name]["error"]
    for name in ("test_inherits", "test_own_environment"):
        assert found[name]["metrics"]["startup"]["ratio"] > 1.5, found[name]
    assert found["test_shell"]["error"] is None
    result.stdout.fnmatch_lines(["*'sh' is not a Python program, so which code its processes run cannot be verified*"])
