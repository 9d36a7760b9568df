"""Runs the GitHub action's shell steps as GitHub does: in a checkout, with inputs and events in the environment."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from git_project import GitProject

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
COMMENT = ROOT / "comment" / "action.yml"
SHELL = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]  # the way GitHub starts it
NOTHING = dict.fromkeys(("AGAINST", "BEFORE", "GITHUB_BASE_REF", "THRESHOLD", "BUDGET", "SHARD", "PYTEST_WORDS"), "")


def step(name: str, action: Path = ACTION) -> dict[str, Any]:
    steps = yaml.safe_load(action.read_text())["runs"]["steps"]
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


def run(
    project: GitProject, name: str, tool: str, says: str, *, action: Path = ACTION, **given: str
) -> subprocess.CompletedProcess[str]:
    """Run a step's script with a stand-in for the real tool, which records its arguments."""
    tools = project.root / ".tools"
    tools.mkdir(exist_ok=True)
    (tools / tool).write_text(f"#!/bin/sh\n{says}\n")
    (tools / tool).chmod(0o755)
    environ = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "HOME": str(project.root), **given}
    return subprocess.run(
        [*SHELL, step(name, action)["run"]], cwd=project.root, env=environ, capture_output=True, text=True, check=False
    )


def measured(project: GitProject, **given: str) -> list[str]:
    """Return the arguments that pytest received, one per line."""
    usual = {**NOTHING, "DEFAULT_BRANCH": "main", "PATHS": "benchmarks", "REPORT": str(project.root / "report")}
    done = run(project, "Measure", "python", 'printf "%s\\n" "$@"', **{**usual, **given})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_one_line_proves_the_gate_instead_of_comparing(project: GitProject):
    words = measured(project, PROVE="10", GITHUB_BASE_REF="main")
    assert "--jarvis-prove=10" in words
    assert not any(word.startswith("--jarvis-against") for word in words)


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


class Comments:
    """A stand-in for `gh` that knows a pull request's comments, evaluates --jq by jq, and records what is written."""

    SAYS = """
import json, os, pathlib, subprocess, sys
words = sys.argv[1:]
here = pathlib.Path(os.environ["HERE"])
answers = json.loads((here / "answers.json").read_text())
path = next((word for word in words if word == "user" or word.startswith("repos/")), "")
if "--jq" in words:
    kind = "user" if path == "user" else path.rpartition("/")[2]
    if kind not in answers:
        sys.exit("HTTP 403")
    program = words[words.index("--jq") + 1]
    sys.exit(subprocess.run(["jq", "-r", program], input=json.dumps(answers[kind]), text=True).returncode)
if answers.get("read_only"):
    sys.exit("HTTP 403")
body = pathlib.Path(next(word for word in words if word.startswith("body=@")).removeprefix("body=@"))
with (here / "written.jsonl").open("a") as file:
    file.write(json.dumps([words[2], path, body.read_text(errors="replace")]) + "\\n")
"""

    def __init__(self, project: GitProject, action: Path = ACTION) -> None:
        self._project = project
        self._action = action
        self._here = project.root / ".gh"
        self._here.mkdir()

    def step(self, name: str = "Comment", *, comments=(), pulls=(), user=None, read_only=False, **given: str):
        answers = {"comments": list(comments), "pulls": list(pulls), "read_only": read_only}
        answers |= {"user": user} if user else {}
        (self._here / "answers.json").write_text(json.dumps(answers))
        usual = {
            "HERE": str(self._here),
            "REPORT": str(self._project.root / "report"),
            "REPORTS": str(self._project.root / "reports"),
            "PULL": "7",
            "NAME": "job all",
            "GITHUB_REPOSITORY": "o/r",
            "GH_TOKEN": "the token",
        }
        says = f'exec {sys.executable} -c {shlex.quote(self.SAYS)} "$@"'
        done = run(self._project, name, "gh", says, action=self._action, **usual | given)
        assert done.returncode == 0, done.stderr
        return done

    @property
    def written(self) -> list[list[str]]:
        path = self._here / "written.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


BOT = {"login": "github-actions[bot]", "type": "Bot"}
MARKED = "<!-- jarvisperf job all -->\n# Of yesterday"


@pytest.fixture
def comments(project: GitProject) -> Comments:
    project.write("report/report.md", "# Benchmarks")
    return Comments(project)


def test_the_first_report_is_a_new_comment(comments: Comments):
    comments.step()
    assert comments.written == [["POST", "repos/o/r/issues/7/comments", "<!-- jarvisperf job all -->\n# Benchmarks"]]


def test_later_reports_update_that_comment(comments: Comments):
    others = {"id": 40, "user": BOT, "body": "<!-- jarvisperf other all -->"}
    comments.step(comments=[others, {"id": 41, "user": BOT, "body": MARKED}])
    assert [one[:2] for one in comments.written] == [["PATCH", "repos/o/r/issues/comments/41"]]


def test_a_comment_that_somebody_else_has_marked_is_left_alone(comments: Comments):
    hers = {"id": 40, "user": {"login": "mallory", "type": "User"}, "body": MARKED}
    comments.step(comments=[hers])
    assert [one[0] for one in comments.written] == ["POST"]


def test_a_token_of_a_person_updates_that_persons_comment(comments: Comments):
    theirs = {"id": 41, "user": {"login": "team-bot", "type": "User"}, "body": MARKED}
    comments.step(comments=[{"id": 40, "user": BOT, "body": MARKED}, theirs], user={"login": "team-bot"})
    assert [one[:2] for one in comments.written] == [["PATCH", "repos/o/r/issues/comments/41"]]


def test_a_token_that_may_not_write_is_a_warning(comments: Comments):
    done = comments.step(read_only=True)
    assert done.stdout.startswith("::warning::jarvisperf could not write its comment")


def test_without_a_report_there_is_no_comment(comments: Comments, project: GitProject):
    comments.step(REPORT=str(project.root / "none"))
    assert comments.written == []


def test_no_link_is_followed(comments: Comments, project: GitProject):
    report = project.root / "report" / "report.md"
    report.unlink()
    report.symlink_to("/proc/self/environ")
    comments.step()
    (project.root / "linked").symlink_to(project.root / "report")
    comments.step(REPORT=str(project.root / "linked"))
    assert comments.written == []


def test_a_planted_comment_file_is_not_written_through(comments: Comments, project: GitProject):
    (project.root / "report" / "comment.md").symlink_to(project.root / "a.txt")
    comments.step()
    assert (project.root / "a.txt").read_text() == "1"


def test_a_report_of_any_size_is_cut(comments: Comments, project: GitProject):
    project.write("report/report.md", "x" * 1_000_000)
    comments.step()
    assert len(comments.written[0][2]) < 65_536


def test_a_name_with_quotes_still_finds_its_comment(comments: Comments):
    body = '<!-- jarvisperf a "b" all -->\n'
    comments.step(comments=[{"id": 41, "user": BOT, "body": body}], NAME='a "b" all')
    assert [one[0] for one in comments.written] == ["PATCH"]


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run"])
def test_a_pull_requests_code_is_not_run_where_tokens_may_write(project: GitProject, event: str):
    usual = {**NOTHING, "DEFAULT_BRANCH": "main", "PATHS": "benchmarks", "REPORT": str(project.root / "report")}
    done = run(project, "Measure", "python", "touch ran", **usual, GITHUB_EVENT_NAME=event)
    assert done.returncode == 1
    assert done.stdout.startswith(f"::error::jarvisperf runs the pull request's code, which must not happen on {event}")
    assert not (project.root / "ran").exists()


@pytest.mark.parametrize("name", ["Install", "Measure"])
def test_tested_code_sets_nothing_for_later_steps(project: GitProject, name: str):
    files = {one: project.root / one for one in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE")}
    for file in files.values():
        file.touch()
    # The code of a pull request finds the files although no variable names them.
    says = f'test -z "$GITHUB_ENV$GITHUB_PATH" && echo BASH_ENV=evil >> {files["GITHUB_ENV"]}; exit 3'
    given = {**NOTHING, "DEFAULT_BRANCH": "main", "PATHS": "benchmarks", "REPORT": str(project.root / "report")}
    done = run(
        project, name, "python", says, **given, INSTALL="python", **{key: str(path) for key, path in files.items()}
    )
    assert done.returncode == 3
    if name == "Measure":
        assert all(file.read_text() == "" for file in files.values())


FORKS_EVENT = {"GITHUB_EVENT_NAME": "workflow_run", "OWNER": "fork", "BRANCH": "topic", "HEAD": "a" * 40}


def test_the_second_workflow_finds_the_pull_request_by_its_commit(project: GitProject):
    pulls = [{"number": 8, "head": {"sha": "b" * 40}}, {"number": 9, "head": {"sha": "a" * 40}}]
    output = project.root / "output"
    comments = Comments(project, COMMENT)
    comments.step("Pull request", pulls=pulls, GITHUB_OUTPUT=str(output), **FORKS_EVENT)
    assert output.read_text() == "number=9\n"
    output.unlink()
    comments.step("Pull request", pulls=pulls[:1], GITHUB_OUTPUT=str(output), **FORKS_EVENT)
    assert output.read_text() == "number=\n"


def test_the_second_workflow_writes_a_comment_for_each_artifact(project: GitProject):
    for name in ("jarvisperf-one-0", "jarvisperf-two-0", "jarvisperf-$(touch hacked)", "others"):
        project.write(f"reports/{name}/report.md", f"# {name}")
    (project.root / "reports" / "jarvisperf-link-0").symlink_to(project.root / "reports" / "others")
    comments = Comments(project, COMMENT)
    comments.step()
    assert [one[2] for one in comments.written] == [
        "<!-- jarvisperf one-0 -->\n# jarvisperf-one-0",
        "<!-- jarvisperf two-0 -->\n# jarvisperf-two-0",
    ]
    assert not (project.root / "hacked").exists()


def test_both_actions_write_comments_by_the_same_script():
    alone, loop = step("Comment")["run"], step("Comment", COMMENT)["run"]
    assert textwrap.dedent(loop.partition("write() (\n")[2].partition("\n)\n")[0]).rstrip() == alone.rstrip()


# GitHub: "Metadata syntax for GitHub Actions" and "Contexts", table "Context availability".
STEP_KEYS = {"name", "id", "if", "uses", "with", "run", "shell", "env", "working-directory", "continue-on-error"}
CONTEXTS = {"github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env"}


@pytest.mark.parametrize("file", [ACTION, COMMENT], ids=["measure", "comment"])
def test_the_metadata_are_those_of_a_composite_action(file: Path):
    action = yaml.safe_load(file.read_text())
    assert set(action) <= {"name", "author", "description", "inputs", "outputs", "runs", "branding"}
    assert set(action["runs"]) == {"using", "steps"}
    assert action["runs"]["using"] == "composite"
    assert all(
        set(one) <= {"description", "required", "default", "deprecationMessage"} for one in action["inputs"].values()
    )
    assert all(set(one) == {"description", "value"} for one in action.get("outputs", {}).values())
    for found in action["runs"]["steps"]:
        assert set(found) <= STEP_KEYS
        assert ("run" in found) != ("uses" in found)
        assert ("shell" in found) == ("run" in found)


@pytest.mark.parametrize("file", [ACTION, COMMENT], ids=["measure", "comment"])
def test_expressions_use_what_a_composite_action_knows(file: Path):
    text = file.read_text()
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
    githubs = {"GITHUB_BASE_REF", "GITHUB_REPOSITORY", "GITHUB_EVENT_NAME", "GITHUB_ENV", "GITHUB_PATH"}
    githubs |= {"GITHUB_OUTPUT", "GITHUB_STATE"}
    scripts = [
        step("Install"),
        step("Measure"),
        step("Comment"),
        step("Pull request", COMMENT),
        step("Comment", COMMENT),
    ]
    for found in scripts:
        used = set(re.findall(r"\$\{?([A-Z_]+)", found["run"])) - set(re.findall(r"\b([A-Z]+)=", found["run"]))
        assert used - githubs <= set(found["env"])
        assert "${{" not in found["run"]
