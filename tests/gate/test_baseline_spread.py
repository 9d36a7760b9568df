"""Tests the estimate of the run-to-run deviation from neighbouring runs."""

from __future__ import annotations

import random
import statistics

import pytest

from jarvisperf.gate.screening.spread import successive_spread


def test_equal_runs_have_no_deviation():
    assert successive_spread([1.0, 1.0, 1.0]).deviation == 0


def test_two_runs_give_their_standard_deviation_with_one_degree_of_freedom():
    spread = successive_spread([0.0, 0.1])
    assert spread.deviation == pytest.approx(statistics.stdev([0.0, 0.1]))
    assert spread.freedom == 1


def test_independent_runs_give_their_deviation():
    rng = random.Random(1)
    assert successive_spread([rng.gauss(0, 0.02) for _ in range(5000)]).deviation == pytest.approx(0.02, rel=0.05)


def test_a_lasting_change_of_the_code_counts_once():
    rng = random.Random(2)
    runs = [rng.gauss(0.5 * (place >= 100), 0.01) for place in range(200)]
    assert successive_spread(runs).deviation < 0.03 < statistics.stdev(runs)


def test_the_degrees_of_freedom_are_those_of_the_estimates_variance():
    rng = random.Random(3)
    count = 8
    squares = [successive_spread([rng.gauss(0, 1) for _ in range(count)]).deviation ** 2 for _ in range(20_000)]
    assert 2 / statistics.variance(squares) == pytest.approx(successive_spread([0.0] * count).freedom, rel=0.1)


def test_one_run_has_no_spread():
    with pytest.raises(ValueError, match="1 runs have no spread"):
        successive_spread([1.0])
