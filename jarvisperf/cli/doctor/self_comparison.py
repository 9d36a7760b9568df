"""Compares identical code with itself in lockstep, to learn which threshold this machine supports.

A scratch repository with three small benchmarks is compared with its own commit, by the same command that a user runs.
To save time, only the first look's launches are made, each as long as in a full run of the given budget. A full run has
three times as many, so its intervals are narrower: by the quotient of `gate.verdict`'s quantiles, between 0.34 (if the
variance of 4 launches was all that was known) and 0.58 (if it was known exactly).
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

LAUNCHES, FULL_LAUNCHES = 4, 12
NARROWER_AT_BEST, NARROWER_AT_LEAST = 0.34, 0.58
SMALLEST_THRESHOLD = "0.01%"  # no verdict is reached early, so every launch is made
LONGEST_SECONDS = 60.0
USER = ("-c", "user.name=jarvisperf", "-c", "user.email=doctor@localhost", "-c", "commit.gpgsign=false")
PLUGINS = ("-p", "pytest_benchmark.plugin", "-p", "pytest_jarvisperf.plugin", "-p", "no:cacheprovider")
OUTSIDE = ("PYTEST_", "GIT_", "GITHUB_", "JARVISPERF_")  # variables that would change what is run
BENCHMARKS = '''"""Three kinds of work: arithmetic, allocation, comparisons."""

NUMBERS = [number * 7_919 % 1_000 for number in range(1_000)]


def test_arithmetic(jarvis_bench):
    jarvis_bench(lambda: sum(number * number for number in range(300)))


def test_allocation(jarvis_bench):
    jarvis_bench(lambda: [bytes(17 + number % 600) for number in range(500)])


def test_sorting(jarvis_bench):
    jarvis_bench(sorted, NUMBERS)
'''


class SelfComparison(msgspec.Struct, frozen=True):
    """What the comparison of identical code showed; shares: 0.01 is 1%.

    Attributes:
        budget_seconds: The measuring time per benchmark that the threshold is for.
        threshold: The smallest threshold that a full run probably supports.
        surely: The threshold that the short measurement itself reached: a full run supports at least this.
        at_best: The threshold of a full run if the short measurement overestimated the noise.
        difference: The largest difference found between the two sides, which are identical.
        trusted: Whether the run's own control showed no difference.
        seconds: How long it took.
    """

    budget_seconds: float
    threshold: float
    surely: float
    at_best: float
    difference: float
    trusted: bool
    seconds: float


class SelfComparisonError(Exception):
    """Identical code could not be compared; the message is one line."""


def compare_with_itself(budget_seconds: float) -> SelfComparison:
    """Compare identical code with itself.

    Args:
        budget_seconds: The measuring time per benchmark of a full run; a third of it is spent on each here.

    Raises:
        SelfComparisonError: git or the plugin cannot run, or it took too long; the message says what happened.
    """
    from jarvisperf.report.formats.json import decode_findings

    with tempfile.TemporaryDirectory(prefix="jarvisperf-doctor-") as name:
        folder = Path(name)
        (folder / "test_reference.py").write_text(BENCHMARKS, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        for words in (["init", "--quiet"], ["add", "--all"], [*USER, "commit", "--quiet", "--message", "reference"]):
            _run(["git", *words], folder)
        _run(
            [
                *(sys.executable, "-m", "pytest", "-q", *PLUGINS, "--jarvis-bench", "--jarvis-against", "HEAD"),
                *("--jarvis-budget", f"{budget_seconds * LAUNCHES / FULL_LAUNCHES:g}"),
                *("--jarvis-launches", str(LAUNCHES), "--jarvis-threshold", SMALLEST_THRESHOLD),
                *("--jarvis-inconclusive", "pass", "--jarvis-report-formats", "json"),
                *("--jarvis-witness", "never"),  # counting instructions takes long and changes no interval
            ],
            folder,
            allowed=(0, 1),  # 1: a verdict was wrong, which the figures show
        )
        report = folder / "reports" / "report.json"
        if not report.is_file():
            raise SelfComparisonError("the comparison of identical code wrote no report")
        findings = decode_findings(report.read_bytes())
    times = [finding.metrics["time"] for finding in findings.benchmarks if "time" in finding.metrics]
    intervals = [time.interval for time in times if time.interval is not None]
    ratios = [time.ratio for time in times if time.ratio is not None]
    if not intervals or len(intervals) < len(findings.benchmarks):
        raise SelfComparisonError("the comparison of identical code measured nothing")
    return summarize_self_comparison(
        budget_seconds, ratios, intervals, trusted=findings.trusted, seconds=findings.seconds
    )


def summarize_self_comparison(
    budget_seconds: float,
    ratios: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    *,
    trusted: bool,
    seconds: float,
) -> SelfComparison:
    """Compute which threshold a full run supports.

    A threshold is supported if the interval of identical code lies within it: only then can the verdict be `unchanged`.

    Args:
        budget_seconds: The budget of a full run.
        ratios: Head / base of each benchmark.
        intervals: Their 95% intervals.
        trusted: Whether the run's own control showed no difference.
        seconds: How long it took.
    """
    reaches = [math.log(high / low) / 2 if 0 < low <= high < math.inf else math.inf for low, high in intervals]
    widest = max(reaches)
    return SelfComparison(
        budget_seconds=budget_seconds,
        threshold=math.expm1(widest * NARROWER_AT_LEAST),
        surely=math.expm1(widest),
        at_best=math.expm1(min(reaches) * NARROWER_AT_BEST),
        difference=max(abs(ratio - 1) for ratio in ratios),
        trusted=trusted,
        seconds=seconds,
    )


def _run(command: list[str], folder: Path, allowed: tuple[int, ...] = (0,)) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OUTSIDE)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LONGEST_SECONDS,
        )
    except FileNotFoundError:
        raise SelfComparisonError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise SelfComparisonError(f"{LONGEST_SECONDS:g} s were not enough, because the machine is too busy") from None
    if done.returncode not in allowed:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"]
        raise SelfComparisonError(f"{Path(command[0]).name} failed: {lines[-1]}")
