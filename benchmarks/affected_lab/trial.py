"""One trial: a commit and its parent, what --jarvis-affected decides, and what the trace says about each decision."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec

from jarvisperf.gate.affected import Side, Watched, read_change, reasons_to_run
from jarvisperf.gate.arms.git import git
from jarvisperf.gate.arms.revision import Repository
from jarvisperf.gate.processes.workers import ArmPlace
from pytest_jarvisperf.affected import watching
from pytest_jarvisperf.explaining.processes import answer_of, start

HERE = Path(__file__).parent
SECONDS = 300.0
WORDS = ("-p", "no:terminalreporter", "-p", "no:cacheprovider", "-o", "addopts=", "--continue-on-collection-errors")


class Suite(NamedTuple):
    """A project's tests.

    Attributes:
        repository: A clone with its history.
        source: The folder with its packages, relative to the repository.
        plugins: The pytest plugins that its tests need.
        ids: The tests.
    """

    repository: Path
    source: str
    plugins: tuple[str, ...]
    ids: tuple[str, ...]


class TrialError(Exception):
    """The commit's tests could not be watched; the message says why."""


class Trial(msgspec.Struct, frozen=True):
    """The result for one commit.

    Attributes:
        project: The project's name.
        commit: The commit, compared with its first parent.
        changed: The number of files that differ.
        run: The number of tests that have to run.
        left_out: The number of tests that were left out.
        verified: The number of these whose code is the same in both versions by the trace.
        untraced: The tests left out that the trace could not run.
        wrong: The tests left out although their code differs, with the first difference.
        reasons: How many tests have to run for which reason.
    """

    project: str
    commit: str
    changed: int
    run: int
    left_out: int
    verified: int
    untraced: tuple[str, ...]
    wrong: dict[str, str]
    reasons: dict[str, int]


def trial(suite: Suite, commit: str) -> Trial:
    """Decide which tests a commit can affect, and verify the decision for each that is left out."""
    parent = git(suite.repository, "rev-parse", f"{commit}^").strip()
    with tempfile.TemporaryDirectory(prefix="affected-lab-") as name:
        folder = Path(name).resolve()
        roots = {"base": folder / "base", "head": folder / "head"}
        for root, revision in zip(roots.values(), (parent, commit), strict=True):
            git(suite.repository, "clone", "-q", "--shared", "--no-checkout", str(suite.repository), str(root))
            git(root, "checkout", "-q", "--detach", revision)
        ids = [one for one in suite.ids if (roots["head"] / _file(one)).is_file()]
        repository = Repository(roots["head"], parent, commit)
        reasons = _decide(suite, repository, roots, ids, folder)
        left_out = [one for one in ids if one not in reasons]
        traces = {arm: _trace(suite, root, left_out, folder / f"{arm}.trace") for arm, root in roots.items()}
        untraced = tuple(one for one in left_out if any(trace.get(one) is None for trace in traces.values()))
        wrong = {
            one: difference
            for one in left_out
            if one not in untraced and (difference := _difference(one, traces["base"][one], traces["head"][one]))
        }
        counts: dict[str, int] = {}
        for reason in reasons.values():
            counts[reason] = counts.get(reason, 0) + 1
        changed = git(suite.repository, "diff", "--name-only", parent, commit).splitlines()
        return Trial(
            project=suite.repository.name,
            commit=commit[:12],
            changed=len(changed),
            run=len(reasons),
            left_out=len(left_out),
            verified=len(left_out) - len(untraced) - len(wrong),
            untraced=untraced,
            wrong=wrong,
            reasons=counts,
        )


def _decide(
    suite: Suite, repository: Repository, roots: dict[str, Path], ids: list[str], folder: Path
) -> dict[str, str]:
    change = read_change(repository)
    if change.for_everything is not None:
        return dict.fromkeys(ids, change.for_everything)
    words = [*WORDS, *(word for one in suite.plugins for word in ("-p", one)), "-p", "pytest_jarvisperf.plugin"]
    words += ["-p", "benchmarks.affected_lab.whole_tests"]
    running = []
    for name, root in roots.items():
        files = [file for file in dict.fromkeys(map(_file, ids)) if (root / file).is_file()]
        place = ArmPlace(name, (root,), root, (str(root / suite.source),), _environment(suite, root))
        running.append(
            start(place, [*words, *files], ids, folder, entry=watching.__name__, repository=str(suite.repository))
        )
    problems: list[str] = []
    watched = [answer_of(one, Watched, SECONDS, "watching", problems) for one in running]
    if problems:
        raise TrialError("; ".join(problems))
    sides = [Side(root, one) for root, one in zip(roots.values(), watched, strict=True)]
    return reasons_to_run(change, sides, {one: _file(one) for one in ids})


def _trace(suite: Suite, root: Path, ids: list[str], answer: Path) -> dict[str, dict[str, list[str]] | None]:
    files = [file for file in dict.fromkeys(map(_file, ids)) if (root / file).is_file()]
    if not files:
        return {}
    words = [*WORDS, "-p", "trace", *(word for one in suite.plugins for word in ("-p", one))]
    env = _environment(suite, root) | {
        "AFFECTED_LAB_ROOT": str(root),
        "AFFECTED_LAB_ANSWER": str(answer),
        "AFFECTED_LAB_IDS": json.dumps(ids),
        "PYTHONHASHSEED": "0",
    }
    env["PYTHONPATH"] += f"{os.pathsep}{HERE}"
    command = [sys.executable, "-m", "pytest", *words, f"--rootdir={root}", *files]
    subprocess.run(command, cwd=root, env=env, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    if not answer.is_file():
        return {}
    found: dict[str, dict[str, list[str]] | None] = json.loads(answer.read_bytes())
    return found


def _environment(suite: Suite, root: Path) -> dict[str, str]:
    path = os.pathsep.join([str(root / suite.source), str(root), str(HERE.parents[1])])
    own = {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **own}


def _difference(test: str, base: dict[str, list[str]] | None, head: dict[str, list[str]] | None) -> str:
    """Return the first code that differs, without what other test files do on import; empty if none does."""
    names = sorted({*(base or {}), *(head or {})})
    own = _file(test)
    for name in names:
        file = _file(name)
        is_another_test = file != own and file.rpartition("/")[2].startswith("test_")
        if not is_another_test and (base or {}).get(name) != (head or {}).get(name):
            return name
    return ""


def _file(name: str) -> str:
    return name.partition("::")[0]
