"""Proposes the CI job that compares a change's benchmarks with its base."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from jarvisperf.cli.common import CommandError
from jarvisperf.cli.init.changes import ProposedChange, changed, read_text
from jarvisperf.cli.init.git import folder_in_repository, remote_url
from jarvisperf.cli.init.runner import PIP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jarvisperf.cli.init.runner import Runner

SYSTEMS = ("github", "gitlab", "jenkins", "none")
WITH_SHARDS = ("github", "gitlab")
WORKFLOWS = Path(".github/workflows")
GITHUB_NAMES = ("benchmarks", "jarvisperf")
GITLAB, GITLAB_PART = Path(".gitlab-ci.yml"), Path(".gitlab-ci-benchmarks.yml")
SOURCE_VARIABLE = "JARVISPERF"
SOURCE_EXAMPLE = "git+https://HOST/OWNER/jarvisperf"
OURS = "--jarvis-against"
TOP = PurePosixPath()
MEASURING_PART = re.compile(r"bench|perf|test")


@dataclass(frozen=True, slots=True)
class Job:
    """What the CI job does.

    Attributes:
        runner: How the project is installed and pytest started.
        source: What pip installs jarvisperf from; None: a CI variable says it.
        paths: The benchmarks, as arguments for pytest.
        python: The version of Python.
        options: Further options for pytest.
        shards: Into how many parts to cut the suite, each for a machine of its own.
        folder: The project's folder in its repository.
    """

    runner: Runner
    source: str | None
    paths: tuple[str, ...]
    python: str
    options: tuple[str, ...] = ()
    shards: int = 1
    folder: PurePosixPath = TOP

    @property
    def install(self) -> tuple[str, ...]:
        """The shell commands that install the project and jarvisperf."""
        return (*self.runner.install, f"{self.runner.add} {self._place}")

    @property
    def install_merge(self) -> str:
        """The shell command that installs jarvisperf alone, to merge the parts' reports."""
        return f"{PIP} {self._place}"

    @property
    def _place(self) -> str:
        if self.source is not None:
            return shlex.quote(self.source)
        return f'"${{{SOURCE_VARIABLE}:?is not set; set this CI variable to what pip should install}}"'

    def measure(self, *more: str) -> str:
        """Return the shell command that measures, with further words that are already quoted."""
        return " ".join((self.runner.pytest, shlex.join(self.paths), "--jarvis-bench", *more, *self._options()))

    def _options(self) -> Iterable[str]:
        return (shlex.quote(option) for option in self.options)


def find_systems(root: Path) -> list[str]:
    """Return the CI systems that a project uses, by their files or else by the host of its repository."""
    top = root / _to_top(folder_in_repository(root))
    found = []
    if (top / WORKFLOWS).is_dir():
        found.append("github")
    if (top / GITLAB).is_file():
        found.append("gitlab")
    if (top / "Jenkinsfile").is_file():
        found.append("jenkins")
    if not found:
        found.append("gitlab" if "gitlab" in remote_url(root) else "github")
    return found


def propose(root: Path, system: str, job: Job) -> list[ProposedChange]:
    """Return the changes that add the job; empty if the project has such a job, or for a system without such files.

    Raises:
        CommandError: The project is a folder of a repository whose CI file init cannot write.
    """
    if job.folder != TOP and system != "github":
        raise CommandError(
            f"{job.folder} is a folder of a git repository, and {system} reads its file at the top of the repository "
            "only; add the job there yourself: --ci none shows the command that measures"
        )
    if system == "github":
        return _github(root, job)
    return _gitlab(root, job) if system == "gitlab" else []


def jenkins_stage(job: Job) -> str:
    """Return the stage to add to a Jenkinsfile, whose own structure cannot be edited safely."""
    lines = [*job.install, job.measure("--jarvis-against", '"origin/${CHANGE_TARGET:-main}"')]
    commands = "".join(f"            {line}\n" for line in lines)
    return (
        "stage('Benchmarks') {\n    steps {\n        sh '''\n"
        f"{commands}        '''\n    }}\n"
        "    post { always { archiveArtifacts artifacts: 'reports/**', allowEmptyArchive: true } }\n}"
    )


def existing_job(root: Path) -> Path | None:
    """Return the CI file that already compares the project's benchmarks with jarvisperf, relative to the project."""
    folder = folder_in_repository(root)
    up = _to_top(folder)
    top = root / up
    files = [*sorted((top / WORKFLOWS).glob("*.y*ml")), *sorted(top.glob(".gitlab-ci*.yml")), top / "Jenkinsfile"]
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if OURS in text and (folder == TOP or re.search(rf"(?<![\w./-]){re.escape(str(folder))}(?![\w-])", text)):
            return up / path.relative_to(top)
    return None


def _to_top(folder: PurePosixPath) -> Path:
    """Return the way from a project's folder to the top of its repository."""
    return Path(*(".." for _ in folder.parts))


def _github(root: Path, job: Job) -> list[ProposedChange]:
    source = {SOURCE_VARIABLE: f"${{{{ vars.{SOURCE_VARIABLE} }}}}"} if job.source is None else {}
    shard = {"SHARD": f"${{{{ matrix.shard }}}}/{job.shards}"} if job.shards > 1 else {}
    numbers = ", ".join(map(str, range(1, job.shards + 1)))
    matrix = f"    strategy:\n      fail-fast: false\n      matrix:\n        shard: [{numbers}]\n"
    words = ("--jarvis-against HEAD^1", *(('--jarvis-shard "$SHARD"',) if shard else ()))
    up = _to_top(job.folder)
    suffix = "".join(f"-{part}" for part in re.findall(r"[A-Za-z0-9_]+", str(job.folder)))
    text = _filled(
        "github.yml",
        {
            "WORKFLOW": f"benchmarks{suffix}",
            "WORKING_DIRECTORY": ""
            if job.folder == TOP
            else f"    defaults:\n      run:\n        working-directory: {json.dumps(str(job.folder))}\n",
            "REPORTS": json.dumps(str(job.folder / "reports")) if suffix else "reports",
            "MATRIX": matrix if shard else "",
            "ENVIRONMENT": _environment({**dict(job.runner.variables), **source, **shard}),
            "CHECKOUT": "          submodules: recursive\n" if (root / up / ".gitmodules").exists() else "",
            "PYTHON_VERSION": job.python,
            "INSTALL": "\n".join(f"          {line}" for line in job.install),
            "MEASURE": f"          {job.measure(*words)}",
            "ARTIFACT": "benchmarks-part-${{ matrix.shard }}" if shard else "benchmarks",
        },
    )
    if shard:
        text += _filled(
            "github-merge.yml",
            {
                "ENVIRONMENT": _environment(source),
                "PYTHON_VERSION": job.python,
                "INSTALL": f"          {job.install_merge}",
            },
        )
    # A workflow of that name that is not ours stays as it is.
    files = [up / WORKFLOWS / f"{name}{suffix}.yml" for name in GITHUB_NAMES]
    return changed(root, next((file for file in files if not (root / file).exists()), files[-1]), text)


def _environment(variables: Mapping[str, str]) -> str:
    """Return the variables of a GitHub job; a value in double quotes is the same in JSON and YAML."""
    lines = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in variables.items())
    return f"    env:\n{lines}" if lines else ""


def _gitlab(root: Path, job: Job) -> list[ProposedChange]:
    main = read_text(root / GITLAB) if (root / GITLAB).exists() else None
    stage = _stage(main or "")
    variables = list(job.runner.variables)
    if (root / ".gitmodules").exists():
        variables.append(("GIT_SUBMODULE_STRATEGY", "recursive"))
    words = ["--jarvis-against FETCH_HEAD", "--junitxml=reports/junit.xml"]
    if job.shards > 1:
        words += ['--jarvis-shard "$CI_NODE_INDEX/$CI_NODE_TOTAL"', '--jarvis-report "reports/part-$CI_NODE_INDEX"']
    text = _filled(
        "gitlab.yml",
        {
            "STAGE": f"  stage: {stage}\n" if stage else "",
            "PARALLEL": f"  parallel: {job.shards}\n" if job.shards > 1 else "",
            "PYTHON_VERSION": job.python,
            "VARIABLES": "".join(f"    {name}: {json.dumps(value)}\n" for name, value in variables),
            "INSTALL": "\n".join(f"    - {_scalar(line)}" for line in job.install),
            "MEASURE": f"    - {_scalar(job.measure(*words))}",
            "METRICS": "" if job.shards > 1 else "      metrics: reports/metrics.txt\n",
        },
    )
    if job.shards > 1:
        text += _filled(
            "gitlab-merge.yml",
            {
                "STAGE": f"  stage: {stage}\n" if stage else "",
                "PYTHON_VERSION": job.python,
                "INSTALL": f"    - {_scalar(job.install_merge)}",
            },
        )
    if main is None:
        return changed(root, GITLAB, text)
    part = changed(root, GITLAB_PART, text)
    included = _with_include(main)
    return part + (changed(root, GITLAB, included) if included is not None else [])


def includes_part(root: Path) -> bool:
    """Return whether the project's GitLab configuration already includes the file with the job."""
    return GITLAB_PART.name in read_text(root / GITLAB)


def _with_include(text: str) -> str | None:
    """Return GitLab's configuration with an include of the job's file; None if only a person can tell where."""
    entry = f"  - local: {GITLAB_PART.as_posix()}\n"
    if GITLAB_PART.name in text:
        return text
    block = re.search(r"^include:[ \t]*(?:#.*)?\n(?=[ \t]*-)", text, flags=re.MULTILINE)
    if block:
        rest = text[block.end() :]
        indent = rest[: len(rest) - len(rest.lstrip(" \t"))]
        return f"{text[: block.end()]}{indent}{entry.lstrip()}{rest}"
    if re.search(r"^include:", text, flags=re.MULTILINE):
        return None
    return f"{text.rstrip()}\n\ninclude:\n{entry}"


def _stage(text: str) -> str | None:
    """Return the stage for the job; None: GitLab's default, ``test``, which exists unless the project names others."""
    match = re.search(r"^stages:[ \t]*(\[[^\]]*\]|(?:#.*)?(?:\n[ \t]*-[^\n]*)+)", text, flags=re.MULTILINE)
    if match is None:
        return None
    listed = re.sub(r"#.*", "", match[1]).strip("[] \n")
    parts = (part.strip().removeprefix("- ") for part in re.split(r"[,\n]", listed))
    names: list[str] = [name for part in parts if (name := part.strip("\"' "))]
    if "test" in names or not names:
        return None
    return next((name for name in names if MEASURING_PART.search(name)), names[-1])


def _scalar(line: str) -> str:
    """Return a shell command as a YAML scalar."""
    return line if not re.search(r": |[#&*!|>%@`{}\[\]]|^['\"-]", line) else "'" + line.replace("'", "''") + "'"


def _filled(template: str, texts: dict[str, str]) -> str:
    text = (resources.files("jarvisperf.cli.init") / "templates" / template).read_text(encoding="utf-8")
    pattern = re.compile("|".join(texts))  # in one pass: a replacement may contain another's name
    return pattern.sub(lambda match: texts[match[0]], text)
