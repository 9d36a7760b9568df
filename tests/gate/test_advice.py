"""Tests that errors caused by how arms are set up say what to do."""

from __future__ import annotations

import errno
import os
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from jarvisperf.gate.arms.advice import Advisor
from jarvisperf.gate.processes.workers import ArmPlace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Create a working tree with ignored and untracked files, and two arms: head has the files that git does not
    ignore."""
    tree, head, base = (tmp_path / name for name in ("tree", "head", "base"))
    for name in ("data/deep/size.txt", "src/pkg/_core.cpython-311.so", "src/pkg/_made.py", "cases.db", "new.txt"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("")
    (tree / ".gitignore").write_text("data/\n*.so\n_made.py\n*.db\n")
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    for arm in (head, base):
        (arm / "src/pkg").mkdir(parents=True)
        (arm / "tests").mkdir()
    (head / "new.txt").write_text("")
    return tmp_path


def advise(folders: Path, arm: str, message: str, traceback: str = "") -> str:
    places = {
        name: ArmPlace(name, (folders / name,), folders / name, (str(folders / name / "src"),), {})
        for name in ("head", "base")
    }
    return Advisor(folders / "tree", places).advise(arm, message.format(arm=folders / arm), traceback)


@pytest.mark.parametrize(
    ("message", "traceback", "name"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: '{arm}/data/deep/size.txt'", "", "data"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data/deep/size.txt'", "", "data"),
        ("ValueError: cannot read {arm}/data/deep/size.txt.", "", "data"),
        ("RuntimeError: unable to open the file", ">   open_it('data/deep/size.txt')", "data"),
        ("ModuleNotFoundError: No module named 'pkg._made'", "", "src/pkg/_made.py"),
        ("sqlite3.OperationalError: no such table: cases", "", "cases.db"),
    ],
)
def test_a_file_that_git_ignores_is_named_with_the_option(folders: Path, message: str, traceback: str, name: str):
    for arm in ("head", "base"):
        told = advise(folders, arm, message, traceback)
        assert f"git ignores {name!r}, so the arms lack it; list it in jarvis_shared" in told


@pytest.mark.parametrize(
    "message", ["ImportError: cannot import name '_core' from 'pkg' (x.py)", "No module named 'pkg._core'"]
)
def test_a_compiled_module_is_better_built_in_each_arm(folders: Path, message: str):
    told = advise(folders, "head", message)
    assert "git ignores 'src/pkg/_core.cpython-311.so', so the arms lack it; build it with --jarvis-arm-install" in told


def test_a_file_of_head_alone_is_named_where_the_base_looks_for_it(folders: Path):
    message = "FileNotFoundError: [Errno 2] No such file or directory: 'new.txt'"
    assert advise(folders, "base", message).endswith(
        "only head has 'new.txt'; list it in jarvis_shared to give it to both arms"
    )
    assert advise(folders, "head", message) == message


@pytest.mark.parametrize(
    "message",
    [
        "ValueError: 'data' is not a number",
        "AssertionError: assert 1 == 2",
        "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/data'",
        "FileNotFoundError: [Errno 2] No such file or directory: 'tests'",
        "ModuleNotFoundError: No module named 'a_package_that_nobody_has'",
        "KeyError: 'src'",
    ],
)
def test_other_errors_stay_as_they_are(folders: Path, message: str):
    (folders / "head/data").mkdir()
    assert advise(folders, "head", message) == message


@pytest.mark.parametrize(
    "message",
    [
        f"OSError: [Errno 98] {os.strerror(errno.EADDRINUSE)}",
        "RuntimeError: port 8080 is already in use",
        "sqlite3.OperationalError: database is locked",
        "BlockingIOError: [Errno 11] Resource temporarily unavailable",
        "FileExistsError: [Errno 17] File exists: 'run.lock'",
        "filelock._error.Timeout: The file lock '/tmp/x.lock' could not be acquired.",
        "RuntimeError: storage folder is already accessed by another instance",
        "duckdb.IOException: Could not set lock on file: Conflicting lock is held in PID 1",
    ],
)
def test_arms_that_want_the_same_thing_are_told_that_they_run_at_the_same_time(folders: Path, message: str):
    assert "; base and head are set up at the same time: " in advise(folders, "head", message)


def test_code_in_a_folder_that_is_mounted_noexec_is_told_to_move(folders: Path, monkeypatch: pytest.MonkeyPatch):
    error = "ImportError: /tmp/arms/head/pkg/_core.so: failed to map segment from shared object"
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    assert "mounted noexec, so nothing compiled can run there; set TMPDIR" in advise(folders, "head", error)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=0))
    assert "noexec" not in advise(folders, "head", error)
