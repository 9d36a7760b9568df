"""Tests links to commits and source lines, wherever the repository is hosted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from report import screens

from jarvisperf.report import Report
from jarvisperf.report.findings.model import Findings
from jarvisperf.report.formats.markdown import markdown
from jarvisperf.report.html.report import render
from jarvisperf.runs.origin import repository_address, web_address

SOURCE = "X = 1\n" * 8 + "def work():\n    b = 2\n    b += sum(range(b))\n    return b\n"
IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_WORKSPACE", "CI_PROJECT_URL", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "core.py").write_text(SOURCE)
    return tmp_path


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def hosted(repository: str | None, *, dirty: bool = False) -> Findings:
    head = msgspec.structs.replace(screens.HEAD, dirty=dirty)
    return msgspec.structs.replace(screens.lockstep(), head=head, repository=repository)


@pytest.mark.parametrize(
    ("repository", "lines", "commit"),
    [
        ("https://github.com/o/r", "/blob/{}/pkg/core.py#L9-L12", "/commit/{}"),
        ("https://gitlab.example.org/o/r", "/-/blob/{}/pkg/core.py#L9-12", "/-/commit/{}"),
        ("https://bitbucket.org/o/r", "/src/{}/pkg/core.py#lines-9:12", "/commits/{}"),
        ("https://codeberg.org/o/r", "/src/commit/{}/pkg/core.py#L9-L12", "/commit/{}"),
    ],
)
def test_comment_and_page_link_to_lines_and_commits_in_the_style_of_the_host(
    workspace: Path, repository: str, lines: str, commit: str
):
    report = Report(hosted(repository))
    page = render(report)["report.html"].decode()
    head = repository + lines.format("b" * 40)
    assert f"({head})" in markdown(report, environ={})
    assert f'<td><a href="{head}">pkg/core.py:12</a></td>' in page
    assert f'<a href="{repository}{commit.format("a" * 40)}">' in page
    assert f'<a href="{repository}{commit.format("b" * 40)}">' in page


@pytest.mark.parametrize("repository", [None, "javascript:alert(1)", "ftp://example.org/o/r"])
def test_without_an_address_of_the_web_there_are_no_links(workspace: Path, repository: str | None):
    page = render(Report(hosted(repository)))["report.html"].decode()
    assert 'href="#benchmarks"' in page
    assert "/commit/" not in page
    assert "javascript:" not in page


def test_lines_of_files_with_uncommitted_changes_are_not_linked(workspace: Path):
    page = render(Report(hosted("https://github.com/o/r", dirty=True)))["report.html"].decode()
    assert "/blob/" not in page


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:ada/project.git", "https://github.com/ada/project"),
        ("https://ada:secret@github.com/ada/project.git", "https://github.com/ada/project"),
        ("ssh://git@gitlab.example.org:2222/team/sub/project.git", "https://gitlab.example.org/team/sub/project"),
        ("https://codeberg.org/ada/project/", "https://codeberg.org/ada/project"),
        ("git@server:repos/project.git", None),
        ("/srv/git/github/project.git", None),
        ("file:///srv/git/project", None),
        ("", None),
    ],
)
def test_a_remote_on_a_known_host_has_a_web_address(remote: str, address: str | None):
    assert web_address(remote) == address


def test_the_address_is_known_only_where_paths_in_the_report_are_those_of_the_repository(tmp_path: Path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "git@github.com:ada/project.git")
    (tmp_path / "backend").mkdir()
    assert repository_address(tmp_path, {}) == "https://github.com/ada/project"
    assert repository_address(tmp_path / "backend", {}) is None
    ci = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "fork/project"}
    assert repository_address(tmp_path, ci) == "https://github.com/fork/project"
    assert repository_address(tmp_path, {"CI_PROJECT_URL": "https://gitlab.com/o/r"}) == "https://gitlab.com/o/r"
