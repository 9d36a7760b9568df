"""Tests the facts about the commit and the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jarvisperf.runs.commit import read_commit
from jarvisperf.runs.machine import read_machine


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True, env=environ)
    return done.stdout.strip()


def test_a_clean_commit_is_read(repository: Path):
    commit = read_commit(repository)
    assert commit is not None
    assert commit.id == git(repository, "rev-parse", "HEAD")
    assert commit.branch == "trunk"
    assert not commit.dirty


def test_a_changed_file_makes_it_dirty(repository: Path):
    (repository / "file").write_text("two")
    assert read_commit(repository).dirty


def test_an_untracked_file_makes_it_dirty_and_an_ignored_one_does_not(repository: Path):
    (repository / ".git" / "info" / "exclude").write_text("*.log\n")
    (repository / "a.log").write_text("")
    assert not read_commit(repository).dirty
    (repository / "new.py").write_text("")
    assert read_commit(repository).dirty


def test_a_name_beyond_the_locale_is_read_all_the_same(repository: Path):
    git(repository, "checkout", "-q", "-b", "größer")
    (repository / "größe").write_text("")
    ask = "from jarvisperf.runs.commit import read_commit; print(ascii(read_commit('.')))"
    in_ascii = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-c", ask]
    done = subprocess.run(words, cwd=repository, check=False, capture_output=True, text=True, env=in_ascii)
    assert "branch='gr\\xf6\\xdfer', dirty=True" in done.stdout, done.stderr


def test_a_git_hook_of_another_repository_does_not_change_which_one_is_read(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert read_commit(repository).branch == "trunk"


def test_a_detached_head_has_no_branch(repository: Path):
    git(repository, "checkout", "-q", "--detach")
    assert read_commit(repository).branch is None


def test_reading_does_not_change_the_repository(repository: Path):
    index = repository / ".git" / "index"
    before = index.read_bytes(), index.stat().st_mtime_ns
    os.utime(repository / "file")
    read_commit(repository)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


def test_no_repository_no_commit_yet_and_no_git_are_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert read_commit(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert read_commit(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert read_commit(tmp_path) is None


def test_the_machine_is_described():
    machine = read_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.python.split()[-1].count(".") == 2
    assert machine.packages["pytest"] == pytest.__version__


def test_the_fingerprint_ignores_what_changes_from_minute_to_minute():
    machine = read_machine()
    assert msgspec.structs.replace(machine, load=99.0).fingerprint == machine.fingerprint
    assert msgspec.structs.replace(machine, cpu="other").fingerprint != machine.fingerprint
