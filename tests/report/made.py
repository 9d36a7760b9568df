"""Creates findings and histories of any size for reports."""

from __future__ import annotations

import datetime

from builders import MACHINE, metric

from jarvisperf.history.model import History, Occasion, Point, Series
from jarvisperf.history.reading import with_changes
from jarvisperf.profiles.model import Frame, Profile, profile_of
from jarvisperf.report import Report, builtin_formats
from jarvisperf.report.findings.model import Arm, BenchmarkFinding, Findings, LaunchFinding, MetricFinding
from jarvisperf.suspects.model import Explanation, Suspect

VERDICTS = {0: ("regressed", 1.20), 1: ("improved", 0.80), 2: ("inconclusive", 1.05)}
EXPLANATION = Explanation(
    (
        Suspect(
            "work", "pkg/core.py", 12, "changed", ("calls parse 3x as often",),
            ("- return parse(rows)", "+ return [parse(row) for row in rows]"), 1, 1, 0, False, 0.93, (0.88, 0.97),
        ),
        Suspect("Rows.limit", "pkg/rows.py", 40, "changed", (), (), 1, 1, 1, False, 0.0, (0.0, 0.04)),
    )
)  # fmt: skip
HOSTILE = "benchmarks/bench_0.py::test_x[<script>alert(1)</script><img src=x onerror=alert(2)>]"


def profile(work_seconds: float) -> Profile:
    test = Frame("test_x", "benchmarks/bench_0.py", 7, True)
    work = Frame("work", "pkg/core.py", 12, True)
    dumps = Frame("dumps", "json/__init__.py", 183, False)
    weights = {(test,): 1e-5, (test, work): work_seconds / 2, (test, work, dumps): work_seconds / 2}
    return profile_of("pyinstrument", "s", weights, iterations=10, samples=400)


def compared(count: int, *, first: str = HOSTILE) -> Findings:
    """Create a comparison: the first three benchmarks are regressed, improved and inconclusive, the rest unchanged."""
    benchmarks = []
    for number in range(count):
        verdict, ratio = VERDICTS.get(number, ("unchanged", 1.0 + (number % 9 - 4) / 1000))
        base = metric(*(1e-3 * (1 + number % 7) * (1 + step / 100) for step in range(20)))
        head = metric(*(1e-3 * (1 + number % 7) * ratio * (1 + step / 100) for step in range(20)))
        found = MetricFinding(
            "s", "lower", "perf_counter, lockstep", base.summary, head.summary, ratio,
            (ratio - 0.01, ratio + 0.01), 0.05, verdict, "lockstep",
            launches=tuple(LaunchFinding(1.1e-3, 1.1e-3 * ratio, ratio + step / 500) for step in range(-2, 3)),
        )  # fmt: skip
        name = first if number == 0 else f"benchmarks/bench_{number % 20}.py::test_work_{number}[n={number}]"
        profiles = {"profile": profile(1.2e-3), "base_profile": profile(1e-3)} if number == 0 else {}
        profiles |= {"explanation": EXPLANATION} if number == 0 else {}
        benchmarks.append(
            BenchmarkFinding(name, f"group {number % 20}", {"n": str(number)}, {"time": found}, line=7, **profiles)
        )
    return Findings(
        "lockstep", "2026-01-02T03:04:05+00:00", 61.0, True, MACHINE,
        Arm("a" * 40, "origin/main", False), Arm("b" * 40, "topic", True), tuple(benchmarks),
    )  # fmt: skip


def history_of(findings: Findings, runs: int = 40, step: float = 1.5) -> History:
    """Create stored runs in which the first benchmark changed at the middle run."""
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    occasions = tuple(
        Occasion(f"r{place:010x}", start + datetime.timedelta(days=place), f"{place:012x}", False, "main")
        for place in range(runs)
    )
    series: dict[str, dict[str, Series]] = {}
    for number, finding in enumerate(findings.benchmarks):
        levels = [1e-3 * (step if number == 0 and place >= runs // 2 else 1) for place in range(runs)]
        values = [level * (1 + (place * 7 % 5) / 100) for place, level in enumerate(levels)]
        points = tuple(Point(place, value, value * 0.99, value * 1.02) for place, value in enumerate(values))
        series[finding.id] = {"time": with_changes([Series(finding.id, "time", "s", points)])[0]}
    return History(occasions, series)


def rendered(findings: Findings, name: str, history: History | None = None) -> dict[str, bytes]:
    """Render a report in one of the built-in formats."""
    formats = {one.name: one for one in builtin_formats()}
    files = frozenset(file for one in formats.values() for file in one.files)
    return dict(formats[name].render(Report(findings, history, files)))


def text_of(findings: Findings, name: str, history: History | None = None) -> str:
    """Render a report in a format of one text file."""
    (content,) = rendered(findings, name, history).values()
    return content.decode()
