"""The tools under test, through their command lines: JarvisPerf, and pytest-benchmark's save and compare-fail."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.gate_lab.repository import git, kind_of
from benchmarks.gate_lab.results import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.gate_lab.suites import Case, Suite

JARVISPERF, PYTEST_BENCHMARK = "jarvisperf", "pytest-benchmark"
STATISTICS = ("median", "min", "mean")
SHOWN_CHARACTERS = 2_000
DROPPED_VARIABLES = ("PYTEST_ADDOPTS", "PYTHONHASHSEED")


class Bench(NamedTuple):
    """A suite to compare, and where it is.

    Attributes:
        suite: The suite.
        folder: Its repository, which stands at the head.
        base: The commit of the base.
        head: The commit of the head.
        neighbour: Whether a neighbour keeps all cores busy.
        budget: Seconds of measuring per benchmark; None: the gate's default.
    """

    suite: Suite
    folder: Path
    base: str
    head: str
    neighbour: bool
    budget: float | None = None

    def comparison(self, tool: str, case: Case, **found: Any) -> Comparison:
        """Record a tool's verdict on one function."""
        return Comparison(
            suite=self.suite.name,
            scenario=self.suite.scenario,
            tool=tool,
            neighbour=self.neighbour,
            threshold=self.suite.threshold,
            budget=self.budget,
            kind=case.kind,
            scale=case.scale,
            factor=case.factor,
            **found,
        )


def with_jarvisperf(bench: Bench, script: Sequence[str] = ("-m", "pytest")) -> list[Comparison]:
    """Compare with the gate, as its users do.

    Args:
        bench: What to compare.
        script: What Python runs; the probe, where more than the report is to be seen.
    """
    words = [
        "--jarvis-bench",
        f"--jarvis-against={bench.base}",
        f"--jarvis-threshold={bench.suite.threshold:.1%}",
        "--jarvis-report=reports",
    ]
    if bench.budget is not None:
        words.append(f"--jarvis-budget={bench.budget}")
    seconds, output = _run(bench.folder, [*script, *words])
    report = bench.folder / "reports" / "report.json"
    found: dict[str, dict[str, Any]] = {}
    trusted = True
    if report.exists():
        data = json.loads(report.read_bytes())
        trusted = data["trusted"]
        found = {kind_of(benchmark["id"]): benchmark for benchmark in data["benchmarks"]}
    comparisons = []
    for case in bench.suite.cases:
        metric = found.get(case.kind, {}).get("metrics", {}).get("time", {})
        missing = found.get(case.kind, {}).get("error") or output[-SHOWN_CHARACTERS:]
        comparisons.append(
            bench.comparison(
                JARVISPERF,
                case,
                verdict=metric.get("verdict", "error"),
                ratio=metric.get("ratio"),
                interval=metric.get("interval"),
                suite_seconds=seconds,
                trusted=trusted,
                message="" if metric else missing,
            )
        )
    return comparisons


def with_pytest_benchmark(bench: Bench) -> list[Comparison]:
    """Compare with pytest-benchmark: save on base, compare on head, with its defaults.

    One pair of runs serves all statistics: the alarm of each is worked out from the two saved files as
    `--benchmark-compare-fail` does it.
    """
    storage = bench.folder.with_name(f"{bench.folder.name}-storage")
    usual = ["-m", "pytest", "-p", "no:jarvisperf", "-p", "no:cacheprovider", f"--benchmark-storage={storage}"]
    whole_per_cent = math.ceil(bench.suite.threshold * 100)  # pytest-benchmark takes no fraction
    compare = ["--benchmark-compare=0001", f"--benchmark-compare-fail=median:{whole_per_cent}%"]
    git(bench.folder, "checkout", "--quiet", bench.base)
    base_seconds, base_output = _run(bench.folder, [*usual, "--benchmark-save=base"])
    git(bench.folder, "checkout", "--quiet", bench.head)
    head_seconds, head_output = _run(bench.folder, [*usual, *compare, "--benchmark-save=head"])
    base, head = (_saved(storage, name) for name in ("base", "head"))
    comparisons = []
    for statistic in STATISTICS:
        for case in bench.suite.cases:
            ratio = head[case.kind][statistic] / base[case.kind][statistic] if case.kind in head else None
            comparisons.append(
                bench.comparison(
                    f"{PYTEST_BENCHMARK} {statistic}",
                    case,
                    verdict=_word(ratio, bench.suite.threshold),
                    ratio=ratio,
                    suite_seconds=base_seconds + head_seconds,
                    message="" if ratio else (base_output + head_output)[-SHOWN_CHARACTERS:],
                )
            )
    return comparisons


TOOLS: dict[str, Callable[[Bench], list[Comparison]]] = {
    JARVISPERF: with_jarvisperf,
    PYTEST_BENCHMARK: with_pytest_benchmark,
}


def _word(ratio: float | None, threshold: float) -> str:
    if ratio is None:
        return "error"
    return "regressed" if ratio > 1 + threshold else "improved" if ratio < 1 - threshold else "unchanged"


def _saved(storage: Path, name: str) -> dict[str, dict[str, float]]:
    paths = list(storage.glob(f"*/*_{name}.json"))
    if not paths:
        return {}
    return {kind_of(found["fullname"]): found["stats"] for found in json.loads(paths[0].read_bytes())["benchmarks"]}


def _run(folder: Path, words: Sequence[str]) -> tuple[float, str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED_VARIABLES and not name.startswith("PYTEST_XDIST_")
    }
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return time.perf_counter() - start, done.stdout + done.stderr
