"""Runs trials on random commits of a project and appends them to a file: `python -m benchmarks.affected_lab --help`."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import msgspec

from benchmarks.affected_lab.trial import Suite, Trial, TrialError, trial
from jarvisperf.gate.arms.git import GitError, git

RESULTS = Path(__file__).parent / "trials.jsonl"


def main() -> None:
    """Run the trials that the command line asks for, or summarize all results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path, nargs="?", help="a clone with its history; none: only summarize")
    parser.add_argument("--ids", type=Path, help="a file with the tests' ids, one a line")
    parser.add_argument("--source", default=".", help="the folder with the packages")
    parser.add_argument("--plugin", action="append", default=[], help="a pytest plugin that the tests need")
    parser.add_argument("--tests", type=int, default=10, help="how many of the tests")
    parser.add_argument("--commits", type=int, default=50, help="how many commits")
    parser.add_argument("--among", type=int, default=400, help="of the newest so many, without merges")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    words = parser.parse_args()
    if words.repository is not None:
        _run(words)
    sys.stdout.write(f"{summary(_read(words.out))}\n")


def _run(words: argparse.Namespace) -> None:
    draw = random.Random(words.seed)  # noqa: S311  # the same trials for the same seed
    every = words.ids.read_text(encoding="utf-8").splitlines()
    ids = tuple(sorted(draw.sample(every, min(words.tests, len(every)))))
    suite = Suite(words.repository.resolve(), words.source, tuple(words.plugin), ids)
    commits = git(suite.repository, "log", "--no-merges", f"-{words.among}", "--format=%H").splitlines()
    done = {(one.project, one.commit) for one in _read(words.out)}
    for commit in draw.sample(commits, min(words.commits, len(commits))):
        if (suite.repository.name, commit[:12]) in done:
            continue
        try:
            found = trial(suite, commit)
        except (GitError, TrialError) as error:  # the first commit has no parent; an old one may not run today
            sys.stdout.write(f"{commit[:12]}: {error}\n")
            continue
        with words.out.open("ab") as file:
            file.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.write(
            f"{found.commit}: {found.run} run, {found.left_out} left out, wrong: {found.wrong or 'none'}\n"
        )
        sys.stdout.flush()


def _read(file: Path) -> list[Trial]:
    lines = file.read_bytes().splitlines() if file.is_file() else []
    return [msgspec.json.decode(line, type=Trial) for line in lines]


def summary(trials: list[Trial]) -> str:
    """Summarize trials by project, as a table in Markdown."""
    lines = ["| project | commits | decisions | left out | verified | not traced | wrong |", "| --- |" + " ---: |" * 6]
    projects = sorted({one.project for one in trials})
    for project in [*projects, "all"]:
        own = [one for one in trials if project in {one.project, "all"}]
        decisions = sum(one.run + one.left_out for one in own)
        left_out = sum(one.left_out for one in own)
        share = f"{left_out} ({left_out / decisions:.0%})" if decisions else "0"
        untraced, wrong = (sum(len(getattr(one, name)) for one in own) for name in ("untraced", "wrong"))
        cells = (project, len(own), decisions, share, sum(one.verified for one in own), untraced, wrong)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
