"""`jarvisperf bisect`: finds the commit that made a benchmark slower, measuring in lockstep at each step."""

from __future__ import annotations

import math
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jarvisperf.cli.common import FAILED, FAILURE, OK, PYTEST_FILES, CommandError, add_command, positive
from jarvisperf.cli.printing import err, out, out_json

if TYPE_CHECKING:
    import argparse

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.history.bisection import Culprit, Step
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding

Side = Literal["slow", "fast"]

LONGEST_STEP_SECONDS = 3_600.0
RETRY_FACTOR = 3.0
SMALLEST_THRESHOLD = 0.01


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    bisect = add_command(
        commands,
        "bisect",
        _bisect,
        "find the commit that made a benchmark slower, comparing each step in lockstep with the good commit",
        "jarvisperf bisect benchmarks/bench_a.py::test_a --good v1.0 --bad HEAD",
        "jarvisperf bisect benchmarks/bench_a.py::test_a --good v1.0 --bad main --pytest-args='-p no:randomly'",
        failed=f"no commit was proven to be the cause; or {FAILURE}",
    )
    bisect.add_argument("benchmark", metavar="BENCHMARK", help="the pytest node id in the working tree")
    bisect.add_argument("--good", required=True, metavar="REV", help="a fast revision")
    bisect.add_argument("--bad", default="HEAD", metavar="REV", help="a slow revision (default: HEAD)")
    bisect.add_argument("--metric", default="time", help="a metric, like time, memory or allocations (default: time)")
    bisect.add_argument(
        "--budget", type=_seconds, default=4.0, metavar="SECONDS", help="measuring time per step (default: 4)"
    )
    bisect.add_argument("--json", action="store_true", help="print JSON")
    bisect.add_argument(
        "--pytest-args", type=shlex.split, default=[], metavar="WORDS", help="further arguments for pytest"
    )


def _seconds(text: str) -> float:
    return positive(text, "a number of seconds above 0")


def _bisect(words: argparse.Namespace) -> int:
    from jarvisperf.history.bisection import bisect

    with tempfile.TemporaryDirectory(prefix="jarvisperf-bisect-") as folder:
        judge = _CommitJudge(words, Path(folder))
        commits = judge.commits(words.good, words.bad)
        whole = judge.measure(commits[-1], judge.good)
        say = err if words.json else out
        say(f"{len(commits)} commits; {_short(commits[-1])} against {_short(judge.good)}: {_figures(whole)}")
        if whole is None:
            raise CommandError(f"{words.bad} cannot be compared with {words.good}: {judge.problem}")
        if whole.ratio is None or _side(whole, 0.0) != "slow":
            raise CommandError(f"{words.bad} was not measurably slower than {words.good}, so there is nothing to find")
        # The threshold is the geometric middle of the slowdown, as far from both sides as possible.
        judge.threshold = max(math.sqrt(whole.ratio) - 1, SMALLEST_THRESHOLD)

        def step_of(commit: str) -> Step:
            step = judge.step(commit)
            say(f"{_short(commit)} {step.word:8} {step.note}  {judge.subject(commit)}")
            return step

        found = bisect(judge.good, commits, step_of)
        proof = judge.measure(found.suspects[-1], found.before)
        proven = proof is not None and _side(proof, 0.0) == "slow" and len(found.suspects) == 1
        if words.json:
            out_json(_json(found, proof, proven=proven))
        else:
            out(*_conclusion(found, proof, judge, proven=proven))
    return OK if proven else FAILED


class _CommitJudge:
    """Measures commits in a clone that shares the repository's objects; the working tree is not touched."""

    def __init__(self, words: argparse.Namespace, folder: Path) -> None:
        from jarvisperf.gate.arms.git import git
        from jarvisperf.gate.arms.prepare import shared_files

        self._git = git
        self._words = words
        self._folder = folder
        here = Path.cwd()
        self._root = Path(git(here, "rev-parse", "--show-toplevel").rstrip("\n"))
        self._inside = here.resolve().relative_to(self._root.resolve())
        self._clone = folder / "clone"
        git(self._root, "clone", "--quiet", "--shared", "--no-checkout", str(self._root), str(self._clone))
        file = (here / words.benchmark.partition("::")[0]).resolve()
        if not file.is_file():
            raise CommandError(f"{words.benchmark}: the file does not exist; give the benchmark's pytest node id")
        config = next((here / name for name in PYTEST_FILES if (here / name).is_file()), None)
        self._shared = shared_files(self._root.resolve(), [file], config, ())
        self._generated = self._generated_files()
        self.problem = ""
        self.good = self._commit(words.good)
        self.threshold = SMALLEST_THRESHOLD

    def commits(self, good: str, bad: str) -> list[str]:
        """List the commits after good up to bad, along first parents, oldest first."""
        first, last = self._commit(good), self._commit(bad)
        listed = self._git(self._root, "rev-list", "--first-parent", "--reverse", f"{first}..{last}").split()
        if not listed:
            raise CommandError(f"there are no commits between {good} and {bad}")
        if self._git(self._root, "merge-base", first, last).strip() != first:
            raise CommandError(
                f"{good} is not an ancestor of {bad}: give a good revision that the bad one descends from"
            )
        return listed

    def subject(self, commit: str) -> str:
        """Return the subject of a commit."""
        return self._git(self._root, "log", "-1", "--format=%s", commit).strip()

    def step(self, commit: str) -> Step:
        """Judge a commit against the good one; if inconclusive, measure longer, then go by the ratio alone."""
        from jarvisperf.history.bisection import Step

        border = self.threshold
        found = self.measure(commit, self.good, threshold=border)
        if found is not None and _side(found, border) is None:
            found = self.measure(commit, self.good, threshold=border, factor=RETRY_FACTOR)
        if found is None or found.ratio is None:
            return Step(commit, "unknown", note=self.problem or "no figures")
        side = _side(found, border)
        note = _figures(found) + ("" if side else " (by its ratio alone)")
        by_ratio: Side = "slow" if found.ratio > 1 + border else "fast"
        return Step(commit, side or by_ratio, found.ratio, found.interval, note)

    def measure(
        self, commit: str, base: str, *, threshold: float | None = None, factor: float = 1.0
    ) -> MetricFinding | None:
        """Measure a commit in lockstep against a base.

        Args:
            commit: The commit to judge.
            base: The commit to compare it with.
            threshold: The threshold of the comparison, which also affects how long it measures; None: the project's.
            factor: Multiple of the budget to allow.
        """
        from jarvisperf.gate.arms.copying import copy_files, lacking

        self._git(self._clone, "checkout", "--quiet", "--force", "--detach", commit)
        self._git(self._clone, "clean", "--quiet", "-fdx")
        self._shared.copy(self._root, self._clone)
        copy_files(self._root, self._clone, lacking(self._clone, self._generated))
        report = self._folder / "report"
        (report / "report.json").unlink(missing_ok=True)
        limit = [f"--jarvis-threshold={self._words.metric}={threshold * 100:.4g}%"] if threshold else []
        command = [
            sys.executable,
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--jarvis-bench", "--jarvis-against-exact"),
            f"--jarvis-against={base}",
            f"--jarvis-budget={self._words.budget * factor:g}",
            f"--jarvis-report={report}",
            *limit,
            *self._words.pytest_args,
            self._words.benchmark,
        ]
        try:
            done = subprocess.run(  # noqa: S603  # this interpreter, the user's own benchmark
                command,
                cwd=self._clone / self._inside,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LONGEST_STEP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.problem = f"it took longer than {LONGEST_STEP_SECONDS:.0f} s"
            return None
        return self._metric(report / "report.json", f"{done.stdout}\n{done.stderr}")

    def _metric(self, file: Path, output: str) -> MetricFinding | None:
        from jarvisperf.report.formats.json import decode_findings

        if not file.is_file():
            lines = [line for line in output.splitlines() if "jarvisperf:" in line or line.startswith("E ")]
            self.problem = (lines or output.strip().splitlines() or ["pytest printed nothing"])[-1].strip()
            return None
        findings: Findings = decode_findings(file.read_bytes())
        metric = self._words.metric
        measured = [finding for finding in findings.benchmarks if metric in finding.metrics and _is_measured(finding)]
        if len(measured) > 1:
            shown = ", ".join(finding.id for finding in measured[:3])
            raise CommandError(f"{self._words.benchmark} matches {len(measured)} benchmarks; give one of them: {shown}")
        if measured:
            return measured[0].metrics[metric]
        errors = [finding.error for finding in findings.benchmarks if finding.error]
        self.problem = next(iter(errors), f"it does not measure {metric}")
        return None

    def _generated_files(self) -> list[str]:
        """List ignored files that a build wrote next to tracked ones, which a checkout lacks."""
        from jarvisperf.gate.arms.copying import ignored_modules

        tracked = {Path(name).parent for name in self._git(self._root, "ls-files", "-z").split("\0")}
        return [name for name in ignored_modules(self._root) if Path(name).parent in tracked]

    def _commit(self, revision: str) -> str:
        from jarvisperf.gate.arms.git import GitError

        try:
            return self._git(self._root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()
        except GitError:
            raise CommandError(f"unknown revision {revision!r}; git log lists the commits") from None


def _side(metric: MetricFinding, border: float) -> Side | None:
    """Return the side of the border on which the interval lies, ignoring the test's limits; None if on neither."""
    if metric.interval is None:
        return None
    low, high = metric.interval
    return "slow" if low > 1 + border else "fast" if high < 1 + border else None


def _is_measured(finding: BenchmarkFinding) -> bool:
    return any(metric.verdict != "missing" for metric in finding.metrics.values())


def _short(commit: str) -> str:
    return commit[:12]


def _figures(metric: MetricFinding | None) -> str:
    from jarvisperf.report.shared import units

    if metric is None or metric.ratio is None or metric.interval is None:
        return "no figures"
    return f"{metric.verdict}, ratio {units.ratio(metric.ratio)} ({units.interval(metric.interval)})"


def _conclusion(found: Culprit, proof: MetricFinding | None, judge: _CommitJudge, *, proven: bool) -> list[str]:
    lines = []
    if len(found.suspects) > 1:
        lines.append(
            f"the first slow commit is one of {len(found.suspects)}; those before the last could not be measured:"
        )
    else:
        lines.append("the first slow commit is")
    lines += [f"  {commit} {judge.subject(commit)}" for commit in found.suspects]
    lines.append(f"proof: {_short(found.suspects[-1])} against {_short(found.before)} in lockstep: {_figures(proof)}")
    if not proven:
        lines.append("this is not proof: the slowdown may be spread over several commits, or too small for the budget")
    return lines


def _json(found: Culprit, proof: MetricFinding | None, *, proven: bool) -> str:
    import msgspec

    data = {"schema": "jarvisperf.bisect/1", "proven": proven, "found": found, "proof": proof}
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode()
