"""What a reviewer sees on a pull request: the comment, and annotations of source lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from report import screens
from report.golden_files import expect_golden

from jarvisperf.report import Report
from jarvisperf.report.formats.markdown import markdown
from jarvisperf.report.terminal.github import workflow_commands

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "X = 1\n" * 9 + "def work():\n    a = 1\n    return a\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "core.py").write_text(SOURCE)
    return tmp_path


def clean() -> Report:
    head = msgspec.structs.replace(screens.HEAD, dirty=False)
    return Report(msgspec.structs.replace(screens.lockstep(), head=head))


def test_the_comment_is_as_it_was_accepted():
    expect_golden("comment.md", markdown(clean()))


@pytest.mark.parametrize(
    ("environ", "lines", "page"),
    [
        (
            {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "5"},
            f"https://github.com/o/r/blob/{'b' * 40}/pkg/core.py#L10-L12",
            "https://github.com/o/r/actions/runs/5#artifacts",
        ),
        (
            {"CI_PROJECT_URL": "https://gitlab.com/o/r", "CI_JOB_URL": "https://gitlab.com/o/r/-/jobs/5"},
            f"https://gitlab.com/o/r/-/blob/{'b' * 40}/pkg/core.py#L10-12",
            "https://gitlab.com/o/r/-/jobs/5/artifacts/browse",
        ),
    ],
)
def test_the_guilty_function_links_to_its_lines(workspace: Path, environ: dict[str, str], lines: str, page: str):
    places = {"GITHUB_WORKSPACE": str(workspace), "CI_PROJECT_DIR": str(workspace)}
    text = markdown(clean(), environ=environ | places)
    assert f"[work (pkg/core.py:12)]({lines}) changed (calls parse 3x as often) and explains 93% of the change" in text
    assert f"[The whole report]({page})" in text


def test_lines_of_uncommitted_files_are_not_linked(workspace: Path):
    environ = {"GITHUB_SERVER_URL": "https://x", "GITHUB_REPOSITORY": "o/r", "GITHUB_WORKSPACE": str(workspace)}
    assert "/blob/" not in markdown(Report(screens.lockstep()), environ=environ)


def test_every_benchmark_is_in_the_comment():
    report = clean()
    text = markdown(report).replace("\\", "")
    rows = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    without_figures = ["test_broken", "test_fast", "test_insert", "test_select"]
    assert len(rows) - 2 + len(without_figures) == len(report.findings.benchmarks)
    assert all(name in text for name in without_figures)


@pytest.mark.parametrize(
    ("verdict", "titles"), [("new", "verdict | benchmark | base → head"), ("missing", "verdict | benchmark")]
)
def test_no_column_has_nothing_to_tell(verdict: str, titles: str):
    whole = screens.lockstep()
    found = tuple(one for one in whole.benchmarks if any(each.verdict == verdict for each in one.metrics.values()))
    rows = [
        line
        for line in markdown(Report(msgspec.structs.replace(whole, benchmarks=found))).splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == f"| {titles} |"
    assert len({line.count("|") for line in rows}) == 1


def test_a_regression_is_annotated_at_the_function_that_explains_it():
    first, *_ = workflow_commands(screens.lockstep(), "sub/")
    assert first.startswith("::error file=sub/pkg/core.py,line=12,title=test_parse_document[utf8-small] regressed::")
    assert first.endswith("and explains 93%25 of the change (88 to 97%25)")


def test_no_ratio_is_left_in_what_people_read():
    for text in (markdown(clean()), *workflow_commands(screens.lockstep())):
        assert not re.search(r"\bratio\b", text)
