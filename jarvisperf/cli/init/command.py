"""The command `jarvisperf init`: shows what it would change in a project, asks, and writes it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.cli.common import FAILED, OK, CommandError, add_command, fail
from jarvisperf.cli.init import asv, ci_files, example
from jarvisperf.cli.init.benchmarks import find_benchmarks, pytest_words
from jarvisperf.cli.init.changes import ProposedChange, unified_diff, write
from jarvisperf.cli.init.ci_files import Job
from jarvisperf.cli.init.git import folder_in_repository, ignored_by_git
from jarvisperf.cli.init.own_source import local_source, own_source
from jarvisperf.cli.init.pytest_settings import DEFAULT_THRESHOLD, SETTING, read_pytest_settings, with_threshold
from jarvisperf.cli.init.requirements import read_requirements
from jarvisperf.cli.init.runner import build_command, find_runner, python_version
from jarvisperf.cli.printing import out, out_colored

if TYPE_CHECKING:
    from jarvisperf.cli.common import Subparsers

MOST_CI_SHARDS = 200  # GitLab allows that many parallel jobs, GitHub 256
UNKNOWN_SOURCE = f"set the CI variable {ci_files.SOURCE_VARIABLE} to where pip finds jarvisperf, like "


@dataclass(frozen=True, slots=True)
class Proposal:
    """What init found, would change, and leaves to the user.

    Attributes:
        found: What the project uses, a line each.
        changes: The files to write.
        by_hand: What the user has to do, a line or block each.
        next_steps: The commands to run next.
    """

    found: list[str]
    changes: list[ProposedChange]
    by_hand: list[str]
    next_steps: list[str]


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    init = add_command(
        commands,
        "init",
        _init,
        "add a CI job that compares this project's benchmarks: shows the changes, then asks",
        "jarvisperf init",
        "jarvisperf init --yes --ci gitlab",
        "jarvisperf init path/to/project < /dev/null   # only show the changes",
        failed="nothing was written: the project has no benchmarks, the answer was no, or nobody could be asked",
    )
    init.add_argument("folder", type=Path, nargs="?", default=Path(), help="the project (default: this folder)")
    init.add_argument("--ci", choices=ci_files.SYSTEMS, help="the CI system (default: the one in use, else github)")
    init.add_argument(
        "--shards",
        type=_shards,
        default=1,
        metavar="N",
        help="cut the suite into N parts, each for a machine of its own",
    )
    init.add_argument("--yes", action="store_true", help="write the changes without asking")


def _shards(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CI_SHARDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give a whole number from 1 to {MOST_CI_SHARDS}")
    return int(text)


def _init(words: argparse.Namespace) -> int:
    folder: Path = words.folder
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder; give the project's folder")
    proposal = propose(folder, words.ci, words.shards)
    for line in proposal.found:
        out(line)
    if proposal.changes:
        colour = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
        out_colored(f"\n{unified_diff(proposal.changes, colour=colour)}\n\n")
        status = _agreed_and_written(folder, proposal.changes, yes=words.yes)
        if status != OK:
            return status
    else:
        out("nothing to change")
    for line in proposal.by_hand:
        out(line)
    out("next:")
    for line in proposal.next_steps:
        out(f"  {line}")
    return OK


def propose(root: Path, system: str | None, shards: int = 1) -> Proposal:
    """Find out what a project uses, and propose what adds the gate to it.

    Args:
        root: The project's folder.
        system: The CI system; None: the one in use.
        shards: Into how many parts to cut the suite.

    Raises:
        CommandError: There is nothing to measure, the project allows no Python on which jarvisperf runs, or the CI
            system has no matrix.
    """
    data = _pyproject(root)
    settings = read_pytest_settings(root)
    needed = read_requirements(root, data)
    python = python_version(data)
    runner = find_runner(root, data, needed, python)
    found, files, changes = _suite(root, find_benchmarks(root, settings))
    paths = pytest_words(files, settings)
    found.append(f"tests run with {runner.name}{f' ({runner.evidence})' if runner.evidence else ''}")
    if settings.file is not None:
        found.append(f"pytest is configured in {f'{settings.file} {settings.section}'.rstrip()}")
    options: list[str] = []
    build = build_command(root, data)
    if build is not None:
        found.append("it contains compiled code, so each side is built: --jarvis-arm-install")
        options += ["--jarvis-arm-install", build]
    by_hand = []
    if needed.declares_jarvisperf:
        changes += with_threshold(root, settings)
    elif SETTING not in settings.values:
        # Without the plugin, pytest warns of the setting, and fails with --strict-config.
        options += ["--jarvis-threshold", DEFAULT_THRESHOLD]
    folder = folder_in_repository(root)
    job = Job(runner, own_source(), tuple(paths), runner.python or python, tuple(options), shards, folder)
    systems = ci_files.find_systems(root)
    chosen = system or systems[0]
    _check_matrix(chosen, shards)
    there = ci_files.existing_job(root)
    if there is not None:
        found.append(f"{there.as_posix()} already compares benchmarks")
    elif chosen != "none":
        others = [name for name in systems if name != chosen]
        more = f"; {' and '.join(others)} found, too: --ci {others[0]}" if others and system is None else ""
        found.append(f"CI: {chosen}{more}")
        changes += ci_files.propose(root, chosen, job)
        if job.source is None:
            by_hand.append(f"{UNKNOWN_SOURCE}{ci_files.SOURCE_EXAMPLE}")
    if chosen == "jenkins" and there is None:
        by_hand.append(f"add this stage to the Jenkinsfile:\n{ci_files.jenkins_stage(job)}")
    if chosen == "gitlab" and changes and not _includes(root, changes):
        by_hand.append(f"add to .gitlab-ci.yml, under include: - local: {ci_files.GITLAB_PART}")
    local = local_source()
    adds = [] if needed.declares_jarvisperf or local is None else [f"{runner.add} {shlex.quote(local)}"]
    steps = [*adds, job.measure()]
    return Proposal(found, changes, by_hand, steps)


def _suite(root: Path, existing: list[Path]) -> tuple[list[str], list[Path], list[ProposedChange]]:
    """Return what was found, the files to measure, and those of them to write because there are no pytest benchmarks.

    Raises:
        CommandError: There is nothing to measure, or git ignores it.
    """
    folder = asv.asv_folder(root)
    if existing:
        ignored = ignored_by_git(root, existing)
        files = [file for file in existing if file not in ignored]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        other = f"; the asv suite in {folder.as_posix()} stays as it is" if folder else ""
        found = f"found benchmarks in {files[0].as_posix()}{more}{other}" if files else ""
        changes: list[ProposedChange] = []
    elif folder is not None:
        rest = asv.left_out(root / folder)
        found = f"found asv benchmarks in {folder.as_posix()}; {asv.BRIDGE} lets pytest run them{rest}"
        changes = asv.propose_bridge(root, folder)
        files = [folder / asv.BRIDGE]
    else:
        candidate = example.find_candidate(root)
        none = "; ".join(filter(None, ("found no benchmarks", asv.only_left_out(root))))
        if candidate is None:
            raise CommandError(
                f"{none}, and no function of the project to propose one for; write a test that calls "
                "jarvis_bench(function, arguments), then run jarvisperf init again"
            )
        found = f"{none}; proposing one of {candidate.module}.{candidate.name}"
        changes = example.propose_example(root, candidate)
        files = [change.path for change in changes]
    if ignored_by_git(root, files) or not files:
        ignored_file = (files or existing)[0].as_posix()
        raise CommandError(f"git ignores {ignored_file}, so CI would not have it; adapt .gitignore first")
    return [found], files, changes


def _check_matrix(system: str, shards: int) -> None:
    """Refuse to cut the suite into parts for a CI system whose matrix init does not write.

    Raises:
        CommandError: It is such a system.
    """
    if shards > 1 and system not in ci_files.WITH_SHARDS:
        raise CommandError(f"--shards writes a matrix for {' or '.join(ci_files.WITH_SHARDS)}, not for {system}")


def _agreed_and_written(root: Path, changes: list[ProposedChange], *, yes: bool) -> int:
    names = ", ".join(change.path.as_posix() for change in changes)
    if not yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return fail("nothing written: there is no terminal to ask on; to write these changes, add --yes")
        try:
            answer = input(f"Write {names}? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in {"y", "yes"}:
            out("nothing written")
            return FAILED
    write(root, changes)
    out(f"wrote {names}")
    return OK


def _includes(root: Path, changes: list[ProposedChange]) -> bool:
    """Return whether GitLab would find the job: in its own file, or in a part that this file includes."""
    paths = {change.path for change in changes}
    return ci_files.GITLAB in paths or ci_files.GITLAB_PART not in paths or ci_files.includes_part(root)


def _pyproject(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CommandError(f"{path} is not valid TOML: {error}; correct it first") from None
