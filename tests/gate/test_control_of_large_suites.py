"""Tests the control with many benchmarks in a launch, which share the launch's random effects."""

from __future__ import annotations

import itertools
import random

import pytest

from jarvisperf.gate.lockstep.control import Control

BENCHMARKS, LAUNCHES, CONTROL_LAUNCHES = 120, 12, 3


def control_of(generator: random.Random, *, shared: float, own: float, bias: float = 0.0) -> Control:
    """Simulate a run: each launch shifts all of its benchmarks equally, and each benchmark individually."""
    control = Control()
    common = [generator.gauss(0, shared) for _ in range(LAUNCHES)]
    launches = [[c + generator.gauss(0, own) for c in common] for _ in range(BENCHMARKS)]
    moves = [bias + generator.gauss(0, shared) for _ in range(CONTROL_LAUNCHES)]
    for mine, launch in zip(launches, itertools.cycle(range(CONTROL_LAUNCHES)), strict=False):
        control.add(moves[launch] + generator.gauss(0, own), mine, launch=launch)
    return control


@pytest.mark.parametrize("shared", [0.0, 0.002, 0.01])
def test_identical_code_in_a_large_suite_is_trusted_however_much_a_launch_moves_all_of_it(shared: float):
    generator = random.Random(11)
    distrusted = sum(not control_of(generator, shared=shared, own=0.005).trusted for _ in range(150))
    assert distrusted <= 4  # at a true rate of 1 in 1,000, the probability of more than 4 is below one in a million


def test_a_difference_beyond_what_launches_share_is_seen():
    generator = random.Random(12)
    for shared, bias in ((0.0, 0.005), (0.002, 0.02), (0.002, -0.02)):
        seen = sum(not control_of(generator, shared=shared, own=0.005, bias=bias).trusted for _ in range(20))
        assert seen >= 18


def test_benchmarks_of_different_launches_count_each_for_itself():
    generator = random.Random(13)
    control = Control()
    for _ in range(40):
        control.add(0.005, [generator.gauss(0, 0.005) for _ in range(8)])
    assert not control.trusted
