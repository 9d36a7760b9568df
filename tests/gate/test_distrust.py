"""Tests which verdicts still count if the control showed a difference between identical code."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.gate.lockstep.control import Control
from jarvisperf.gate.lockstep.distrust import confirmed_by, take_back, to_confirm
from jarvisperf.gate.lockstep.tally import MetricTally, Tally
from jarvisperf.gate.verdict.decide import FourVerdicts, Judgement
from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.report.findings.lockstep import benchmark_finding
from jarvisperf.report.shared.failure_lines import figures


def found(**verdicts: FourVerdicts) -> Tally:
    """Create a decided benchmark with a verdict for each metric."""
    tally = Tally(state="decided")
    for name, verdict in verdicts.items():
        judgement = Judgement(1.0, (0.99, 1.01), (0.98, 1.02), verdict, launches=4)
        kind = BUILT_IN[name]
        tally.metrics[name] = MetricTally(kind, log_ratios=[0.0] * 4, base=[1.0], head=[1.0], judgement=judgement)
    return tally


def verdicts(tally: Tally) -> dict[str, str | None]:
    return {name: metric.judgement and metric.judgement.verdict for name, metric in tally.metrics.items()}


@pytest.mark.parametrize("verdict", ["unchanged", "improved", "regressed", "inconclusive"])
def test_no_verdict_on_seconds_stays_and_memory_does(verdict: FourVerdicts):
    tallies = {"a": found(time=verdict, startup=verdict, memory=verdict)}
    take_back(tallies)
    assert verdicts(tallies["a"]) == {"time": "inconclusive", "startup": "inconclusive", "memory": verdict}


def test_a_regression_stays_where_a_second_set_of_launches_says_so_too():
    tallies = {
        "twice": found(time="regressed", startup="regressed"),
        "once": found(time="regressed"),
        "memory": found(memory="regressed", time="unchanged"),
    }
    assert to_confirm(tallies) == ["twice", "once"]
    again = {"twice": found(time="regressed", startup="unchanged"), "once": found(time="inconclusive")}
    take_back(tallies, confirmed_by(again))
    assert verdicts(tallies["twice"]) == {"time": "regressed", "startup": "inconclusive"}
    assert verdicts(tallies["once"]) == {"time": "inconclusive"}
    assert verdicts(tallies["memory"]) == {"memory": "regressed", "time": "inconclusive"}


def test_a_benchmark_without_a_verdict_gets_none():
    tally = Tally(state="error", metrics={"time": MetricTally(BUILT_IN["time"])})
    take_back({"a": tally})
    assert verdicts(tally) == {"time": None}


def test_the_report_says_why_a_narrow_interval_decides_nothing():
    tallies = {"a": found(time="unchanged", memory="unchanged"), "b": found(time="inconclusive")}
    take_back(tallies)
    metrics = benchmark_finding("a", None, {}, tallies["a"], {"time": 0.05, "memory": 0.1}, {}).metrics
    assert "identical code differed in this run" in figures("time", metrics["time"])
    assert metrics["memory"].doubt is None
    undecided = benchmark_finding("b", None, {}, tallies["b"], {"time": 0.05}, {}).metrics["time"]
    assert undecided.doubt is None


def test_an_absolute_limit_counts_whatever_the_control_says():
    tallies = {"a": found(time="unchanged")}
    take_back(tallies)
    metric = benchmark_finding("a", None, {}, tallies["a"], {"time": 0.05}, {"time": 0.5}).metrics["time"]
    assert (metric.verdict, metric.doubt) == ("regressed", None)


def test_an_untrusted_control_says_what_follows_from_it():
    control = Control()
    for _ in range(8):
        control.add(0.5, [0.0, 0.01, -0.01])
    assert not control.trusted
    assert control.describe() == (
        "identical code differed by +64.9% in the median case (8 controls), so its verdicts on durations are "
        "inconclusive, except for regressions that a second set of launches confirmed"
    )


def test_a_control_whose_launches_all_fail_is_not_trusted_and_says_why():
    control = Control()
    control.failed("a", "same: OSError: no room")
    control.failed("b", "same: OSError: no room")
    assert not control.trusted
    assert control.describe().startswith(
        "identical code could not be measured as a control (a: same: OSError: no room), so its verdicts"
    )


def test_a_control_of_which_some_measurements_fail_counts_the_others():
    control = Control()
    control.failed("a", "same: OSError: no room")
    control.ran()
    control.add(0.0, [0.0, 0.01, -0.01])
    assert control.trusted
    assert control.describe() == "identical code differed by +0.0% in the median case (1 controls, 1 more failed)"


def test_two_launches_of_its_own_are_enough_for_a_control_and_one_is_not():
    wild = Control()
    for _ in range(20):
        wild.add(1.0, [0.0, 0.001])
    assert not wild.trusted
    lonely = Control()
    lonely.add(1.0, [0.0])
    assert lonely.trusted


def test_launches_that_agree_exactly_leave_no_room_for_a_difference():
    for difference in (0.01, -0.01):
        apart = Control()
        apart.add(difference, [0.0, 0.0, 0.0])
        assert not apart.trusted
    alike = Control()
    alike.add(0.0, [0.0, 0.0, 0.0])
    assert alike.trusted


def test_a_difference_counts_in_standard_deviations_of_a_t_distribution():
    """With 2 launches, t has 1 degree of freedom and exceeds 636.6 in 1 of 1,000 cases (table of Student's t)."""
    spread = math.sqrt(0.5)  # of launches at 0 and 1
    for times, trusted in ((630.0, True), (640.0, False)):
        control = Control()
        control.add(times * spread, [0.0, 1.0])
        assert control.trusted is trusted
        opposite = Control()
        opposite.add(-times * spread, [0.0, 1.0])
        assert opposite.trusted is trusted


def test_sound_runs_are_distrusted_in_no_more_than_one_of_a_thousand():
    generator = random.Random(7)
    distrusted = 0
    for _ in range(2_000):
        control = Control()
        for _ in range(6):
            own = [generator.gauss(0, 0.01) for _ in range(8)]
            control.add(generator.gauss(0, 0.01), own)
        distrusted += not control.trusted
    assert distrusted <= 12  # at a true rate of 1 in 1,000, the probability of more than 12 is below one in a million


@given(st.lists(st.tuples(st.floats(-1_500, 1_500), st.lists(st.floats(-1_500, 1_500), max_size=12)), max_size=8))
def test_any_control_can_be_told(pairs: list[tuple[float, list[float]]]):
    control = Control()
    for value, own in pairs:
        control.add(value, own)
    assert control.trusted in {True, False}
    assert control.describe()
