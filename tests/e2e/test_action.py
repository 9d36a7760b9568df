"""Runs the GitHub action's shell steps as GitHub does: in a checkout, with inputs and events in the environment."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from git_project import GitProject

ACTION = Path(__file__).parents[2] / "action.yml"
SHELL = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]  # the way GitHub starts it
NOTHING = dict.fromkeys(("AGAINST", "BEFORE", "GITHUB_BASE_REF", "THRESHOLD", "BUDGET", "SHARD", "PYTEST_WORDS"), "")


def step(name: str) -> dict[str, Any]:
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    found: dict[str, Any] = next(step for step in steps if step.get("name") == name)
    return found


@pytest.fixture
def project(pytester: pytest.Pytester) -> GitProject:
    """A checkout with a branch `main` and its remote counterpart."""
    made = GitProject(pytester)
    made.write("a.txt", "1")
    made.commit()
    made.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return made


def run(project: GitProject, name: str, tool: str, says: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script with a stand-in for the real tool, which records its arguments."""
    tools = project.root.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / tool).write_text(f"#!/bin/sh\n{says}\n")
    (tools / tool).chmod(0o755)
    environ = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "HOME": str(project.root), **given}
    return subprocess.run(
        [*SHELL, step(name)["run"]], cwd=project.root, env=environ, capture_output=True, text=True, check=False
    )


def measured(project: GitProject, **given: str) -> list[str]:
    """Return the arguments that pytest received, one per line."""
    usual = {**NOTHING, "DEFAULT_BRANCH": "main", "PATHS": "benchmarks", "REPORT": str(project.root / "report")}
    done = run(project, "Measure", "python", 'printf "%s\\n" "$@"', **{**usual, **given})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_pull_request_is_compared_with_what_it_is_merged_into(project: GitProject):
    project.git("checkout", "-q", "-b", "change")
    project.write("b.txt", "2")
    project.commit()
    project.git("checkout", "-q", "main")
    project.write("c.txt", "3")
    base = project.commit()
    project.git("merge", "-q", "--no-ff", "-m", "merged", "change")
    assert f"--jarvis-against={base}" in measured(project, GITHUB_BASE_REF="main", BEFORE="1" * 40)


def test_a_branch_that_is_not_merged_is_compared_with_its_target(project: GitProject):
    assert "--jarvis-against=origin/main" in measured(project, GITHUB_BASE_REF="main")


def test_a_push_is_compared_with_the_commit_before_where_that_is_there(project: GitProject):
    before = project.git("rev-parse", "HEAD")
    assert f"--jarvis-against={before}" in measured(project, BEFORE=before)
    for gone in ("0" * 40, "1" * 40, ""):  # a new branch, a forced push, a schedule
        assert "--jarvis-against=origin/main" in measured(project, BEFORE=gone)


def test_inputs_stay_values_whatever_is_in_them(project: GitProject):
    words = measured(project, AGAINST='v1 "$(touch hacked)"', THRESHOLD="5%; touch hacked", PYTEST_WORDS="-k fast")
    assert '--jarvis-against=v1 "$(touch hacked)"' in words
    assert "--jarvis-threshold=5%; touch hacked" in words
    assert words[-2:] == ["-k", "fast"]
    assert not (project.root / "hacked").exists()


def test_an_old_report_is_gone_before_anything_is_measured(project: GitProject):
    project.write("report/report.md", "of another day")
    measured(project)
    assert not (project.root / "report").exists()


@pytest.mark.parametrize(
    ("known", "expected"), [("41", "PATCH repos/o/r/issues/comments/41"), ("", "POST repos/o/r/issues/7/comments")]
)
def test_one_comment_is_written_and_then_updated(project: GitProject, known: str, expected: str):
    project.write("report/report.md", "# Benchmarks")
    says = f'case "$*" in *paginate*) echo "{known}";; *) echo "$@" >> calls;; esac'
    given = {"REPORT": str(project.root / "report"), "PULL": "7", "NAME": "job all", "GITHUB_REPOSITORY": "o/r"}
    done = run(project, "Comment", "gh", says, **given)
    assert done.returncode == 0, done.stderr
    assert expected in (project.root / "calls").read_text()
    assert (project.root / "report" / "comment.md").read_text().startswith("<!-- jarvisperf job all -->\n# Benchmarks")


def test_a_token_that_may_not_write_is_a_warning(project: GitProject):
    project.write("report/report.md", "# Benchmarks")
    given = {"REPORT": str(project.root / "report"), "PULL": "7", "NAME": "job all", "GITHUB_REPOSITORY": "o/r"}
    done = run(project, "Comment", "gh", "exit 1", **given)
    assert done.returncode == 0
    assert done.stdout.startswith("::warning::jarvisperf could not write its comment")


def test_without_a_report_there_is_no_comment(project: GitProject):
    given = {"REPORT": str(project.root / "none"), "PULL": "7", "NAME": "job all", "GITHUB_REPOSITORY": "o/r"}
    assert run(project, "Comment", "gh", "touch called", **given).returncode == 0
    assert not (project.root / "called").exists()


def test_a_name_with_quotes_still_finds_its_comment(project: GitProject):
    project.write("report/report.md", "# Benchmarks")
    says = 'case "$*" in *paginate*) echo "$@" >> calls; echo "$MARK" >> calls;; esac'
    given = {"REPORT": str(project.root / "report"), "PULL": "7", "NAME": 'a "b" all', "GITHUB_REPOSITORY": "o/r"}
    assert run(project, "Comment", "gh", says, **given).returncode == 0
    calls = (project.root / "calls").read_text()
    assert "startswith(env.MARK)" in calls
    assert '<!-- jarvisperf a "b" all -->' in calls


# GitHub: "Metadata syntax for GitHub Actions" and "Contexts", table "Context availability".
STEP_KEYS = {"name", "id", "if", "uses", "with", "run", "shell", "env", "working-directory", "continue-on-error"}
CONTEXTS = {"github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env"}


def test_the_metadata_are_those_of_a_composite_action():
    action = yaml.safe_load(ACTION.read_text())
    assert set(action) <= {"name", "author", "description", "inputs", "outputs", "runs", "branding"}
    assert set(action["runs"]) == {"using", "steps"}
    assert action["runs"]["using"] == "composite"
    assert all(
        set(one) <= {"description", "required", "default", "deprecationMessage"} for one in action["inputs"].values()
    )
    assert all(set(one) == {"description", "value"} for one in action["outputs"].values())
    for found in action["runs"]["steps"]:
        assert set(found) <= STEP_KEYS
        assert ("run" in found) != ("uses" in found)
        assert ("shell" in found) == ("run" in found)


def test_expressions_use_what_a_composite_action_knows():
    text = ACTION.read_text()
    action = yaml.safe_load(text)
    conditions = [str(found.get("if", "")) for found in action["runs"]["steps"]]
    expressions = [*re.findall(r"\$\{\{(.*?)\}\}", text), *conditions]
    used = [
        place
        for one in expressions
        for place in re.findall(r"(?<![.\w])([a-z]+)\.([a-z_-]+)", re.sub("'[^']*'", "", one))
    ]
    assert {context for context, _ in used} <= CONTEXTS
    assert {name for context, name in used if context == "inputs"} == set(action["inputs"])
    ids = {found.get("id") for found in action["runs"]["steps"]}
    assert {name for context, name in used if context == "steps"} <= ids


def test_every_value_that_a_script_uses_is_in_its_environment():
    for name in ("Measure", "Comment"):
        found = step(name)
        used = set(re.findall(r"\$\{?([A-Z_]+)", found["run"]))
        assert used - {"GITHUB_BASE_REF", "GITHUB_REPOSITORY", "MARK"} <= set(found["env"])
        assert "${{" not in found["run"]
