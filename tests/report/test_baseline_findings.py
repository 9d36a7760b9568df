"""Tests the findings from stored runs and lockstep together: the verdict in the report, and how it was reached."""

from __future__ import annotations

import msgspec
import pytest
from builders import metric, run_of

from jarvisperf.gate.screening.screen import Screened, ScreenedMetric
from jarvisperf.report import Report
from jarvisperf.report.findings.baseline import baseline_findings
from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding
from jarvisperf.report.terminal import summary as terminal
from jarvisperf.runs.model import Benchmark

ID = "benchmarks/bench_a.py::test_a"
TIME = metric(1.0, 1.1, 1.2)
RUN = run_of(Benchmark(id=ID, metrics={"time": TIME}))
STORED = msgspec.structs.replace(RUN, name="main")


def said(verdict: str, interval: tuple[float, float] | None = (0.9, 1.1)) -> dict[str, Screened]:
    head, base = (None if verdict == "missing" else TIME.summary), (None if verdict == "new" else TIME.summary)
    one = ScreenedMetric(verdict, 1.0 if interval else None, interval, 0.05, base, head)
    return {ID: Screened(ID, {"time": one})}


def judged(verdict: str, ratio: float | None = 1.2, error: str | None = None) -> dict[str, BenchmarkFinding]:
    one = MetricFinding(
        "s",
        "lower",
        "lockstep",
        TIME.summary,
        TIME.summary,
        ratio,
        (1.1, 1.3) if ratio else None,
        0.05,
        verdict,
        "lockstep",
    )
    return {ID: BenchmarkFinding(ID, None, {}, {} if error else {"time": one}, error=error)}


def findings(screened: dict[str, Screened], lockstep: dict[str, BenchmarkFinding] | None = None) -> Findings:
    return baseline_findings(RUN, STORED, screened, lockstep or {}, trusted=True)


def word(found: Findings) -> tuple[str, str | None]:
    time = found.benchmarks[0].metrics["time"]
    return time.verdict, time.via


@pytest.mark.parametrize(
    ("verdict", "interval", "expected"),
    [
        ("unchanged", (0.97, 1.03), "unchanged"),
        ("unchanged", (0.80, 1.00), "unchanged"),
        ("improved?", (0.80, 0.90), "inconclusive"),
        ("suspicious", (1.10, 1.30), "inconclusive"),
        ("inconclusive", (0.90, 1.10), "inconclusive"),
        ("inconclusive", None, "inconclusive"),
    ],
)
def test_screening_alone_says_neither_regressed_nor_improved(
    verdict: str, interval: tuple[float, float] | None, expected: str
):
    assert word(findings(said(verdict, interval))) == (expected, "screening")


def test_where_nothing_was_compared_there_was_no_way():
    assert word(findings(said("new", None))) == ("new", None)


@pytest.mark.parametrize("verdict", ["regressed", "improved", "unchanged", "inconclusive"])
def test_what_screening_cannot_tell_lockstep_decides(verdict: str):
    assert word(findings(said("suspicious"), judged(verdict))) == (verdict, "lockstep")


def test_lockstep_that_cannot_tell_takes_nothing_back_that_screening_passed():
    assert word(findings(said("unchanged"), judged("inconclusive"))) == ("unchanged", "screening")
    assert word(findings(said("unchanged"), judged("regressed"))) == ("regressed", "lockstep")


def test_a_commit_that_lacks_what_the_stored_run_has_decides_nothing():
    assert word(findings(said("suspicious"), judged("new", ratio=None))) == ("inconclusive", "screening")


def test_an_error_in_lockstep_is_an_error():
    found = findings(said("suspicious"), judged("new", error="base: ValueError: no"))
    assert found.benchmarks[0].error == "in lockstep: base: ValueError: no"
    assert word(found)[0] == "error"


def test_a_missing_benchmark_stands_behind_those_that_were_measured_with_the_figures_of_the_stored_run():
    other = Benchmark(id="b.py::test_b", group="sums", metrics={"time": TIME})
    stored = msgspec.structs.replace(STORED, benchmarks=(other, *STORED.benchmarks))
    missing = Screened(other.id, {"time": ScreenedMetric("missing", None, None, 0.05, TIME.summary, None)})
    found = baseline_findings(RUN, stored, {other.id: missing, **said("unchanged")}, {}, trusted=True)
    last = found.benchmarks[-1]
    assert (last.id, last.group, last.metrics["time"].verdict) == (other.id, "sums", "missing")
    assert last.metrics["time"].base == TIME.summary
    assert last.metrics["time"].head is None


def test_the_table_says_by_which_way():
    found = findings(said("suspicious"), judged("regressed"))
    assert Report(found).columns[-1] == "via"
    assert Report(found).rows[0].texts["via"] == "lockstep"
    assert "1 measured again in lockstep" in Report(found).summary
    assert (found.base.name, found.base.commit) == ("main", STORED.commit.id)


def test_a_table_too_narrow_for_the_way_is_followed_by_what_was_measured_again():
    shown = terminal.render(findings(said("suspicious"), judged("regressed")), colour=False, columns=40)
    assert "via" not in shown.splitlines()[0]
    assert "Measured again in lockstep: test_a." in shown
