"""Tests what instruction counts settle where time cannot tell, and what they leave open."""

from __future__ import annotations

import pytest

from jarvisperf.gate.lockstep.tally import LaunchFigures, MetricTally, Tally
from jarvisperf.gate.lockstep.witness import LAUNCHES, MOST_BENCHMARKS, add_testimony, to_count_again, to_witness
from jarvisperf.gate.verdict.decide import FourVerdicts, Judgement
from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.measure.metrics.time import CLOCK
from jarvisperf.report.findings.lockstep import benchmark_finding
from jarvisperf.report.shared.failure_lines import figures, witness_words

EQUAL = (0.0,) * LAUNCHES


def timed(
    verdict: FourVerdicts = "inconclusive",
    *,
    sure: tuple[float, float] = (0.97, 1.08),
    method: str = "process CPU clock",
    doubted: bool = False,
) -> Tally:
    """Create a benchmark with this verdict on its time."""
    judgement = Judgement(1.02, (0.99, 1.06), sure, verdict, launches=12, doubted=doubted)
    time = MetricTally(
        BUILT_IN["time"], log_ratios=[0.02] * 12, base=[1.0], head=[1.0], method=method, judgement=judgement
    )
    return Tally(state="decided", metrics={"time": time})


def counted(*log_ratios: float, base: float = 1_000.0) -> Tally:
    """Create the counts of launches with these log ratios."""
    launches = [LaunchFigures(base, base * (1 + value), value) for value in log_ratios]
    found = MetricTally(BUILT_IN["instructions"], log_ratios=list(log_ratios), launches=launches, method="valgrind")
    return Tally(metrics={"instructions": found})


def verdict_after(tally: Tally, counts: Tally) -> str:
    add_testimony(tally, counts)
    judgement = tally.metrics["time"].judgement
    assert judgement is not None
    return judgement.verdict


def test_equal_counts_turn_inconclusive_into_unchanged_and_say_so():
    tally = timed()
    assert verdict_after(tally, counted(*EQUAL)) == "unchanged"
    witness = tally.metrics["time"].witness
    assert witness is not None
    assert witness.settles
    assert (witness.base, witness.head, witness.launches, witness.method) == (1_000, 1_000, LAUNCHES, "valgrind")
    assert witness_words(witness) == "both arms execute the same instructions (1,000 instructions per call)"


@pytest.mark.parametrize(
    ("ratios", "settles"),
    [((0.0004,) * LAUNCHES, True), ((0.0006,) * LAUNCHES, False), ((0.0, 0.0, 0.0, 0.002), False)],
    ids=["within 0.05 %", "beyond 0.05 %", "one launch differs"],
)
def test_equal_means_within_a_twentieth_of_a_per_cent_in_every_launch(ratios: tuple[float, ...], settles: bool):
    assert verdict_after(timed(), counted(*ratios)) == ("unchanged" if settles else "inconclusive")


def test_different_counts_are_shown_next_to_the_verdict():
    tally = timed()
    assert verdict_after(tally, counted(0.05, 0.05, 0.04, 0.05)) == "inconclusive"
    finding = benchmark_finding("a", None, {}, tally, {"time": 0.05}, {})
    assert "; instructions: 5.1% more (4.1 to 5.1%)" in figures("time", finding.metrics["time"])


@pytest.mark.parametrize(
    "tally",
    [timed(method=CLOCK), timed(sure=(1.01, 1.08)), timed(sure=(0.9, 0.99))],
    ids=["it waits", "time shows that it is slower", "time shows that it is faster"],
)
def test_time_stays_the_judge_of_what_instructions_cannot_see(tally: Tally):
    assert verdict_after(tally, counted(*EQUAL)) == "inconclusive"
    assert tally.metrics["time"].witness is not None


def test_equal_counts_settle_what_a_run_without_trust_left_open():
    tally = timed(sure=(1.01, 1.08), doubted=True)
    assert verdict_after(tally, counted(*EQUAL)) == "unchanged"
    judgement = tally.metrics["time"].judgement
    assert judgement is not None
    assert not judgement.doubted


@pytest.mark.parametrize("verdict", ["regressed", "improved", "unchanged"])
def test_counts_overrule_no_verdict(verdict: FourVerdicts):
    assert verdict_after(timed(verdict), counted(*EQUAL)) == verdict


def test_too_few_counts_settle_nothing():
    tally = timed()
    assert verdict_after(tally, counted(0.0, 0.0)) == "inconclusive"
    assert verdict_after(tally, Tally(state="error")) == "inconclusive"
    assert tally.metrics["time"].witness is None


def test_one_launch_that_differs_is_shown_and_not_counted_again():
    tally, counts = timed(), counted(0.05)
    counts.state = "open"
    assert to_count_again(["a"], {"a": counts}) == []
    assert verdict_after(tally, counts) == "inconclusive"
    witness = tally.metrics["time"].witness
    assert witness is not None
    assert (witness.launches, witness.settles) == (1, False)


def test_equal_counts_are_counted_until_the_last_launch():
    assert to_count_again(["a", "b", "c"], {"a": counted(0.0), "b": Tally(state="error"), "c": counted(0.01)}) == ["a"]


def test_what_is_inconclusive_is_counted_and_regressions_if_the_run_is_not_trusted():
    tallies = {name: timed(name) for name in ("inconclusive", "regressed", "improved", "unchanged")}  # type: ignore[arg-type]
    tallies["failed"] = Tally(state="error")
    assert to_witness(tallies, trusted=True) == ["inconclusive"]
    assert to_witness(tallies, trusted=False) == ["inconclusive", "regressed"]


def test_the_cost_is_bounded():
    assert len(to_witness({str(number): timed() for number in range(50)}, trusted=True)) == MOST_BENCHMARKS
