"""Tests the division of series into levels, against the package ruptures."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from jarvisperf.history.partitions import LONGEST_PIECE, partitions

FEWEST = 5


def stepped(length: int, steps: int, seed: int) -> np.ndarray:
    source = np.random.default_rng(seed)
    values = source.normal(size=length)
    for _ in range(steps):
        values[int(source.integers(0, length)) :] += source.normal() * 2
    return values


def penalty_of(values: np.ndarray) -> float:
    return 6 * math.log(len(values))


@pytest.mark.parametrize(
    ("length", "steps"), [(40, 1), (300, 3), (LONGEST_PIECE, 4), (LONGEST_PIECE + 1, 4), (3_000, 6)]
)
def test_the_places_are_those_of_pelt(require, length: int, steps: int):
    ruptures = require("ruptures")
    for seed in range(5):
        values = stepped(length, steps, seed)
        search = ruptures.KernelCPD(kernel="linear", min_size=FEWEST).fit(values.reshape(-1, 1))
        assert partitions([values], [penalty_of(values)], FEWEST) == [search.predict(pen=penalty_of(values))[:-1]]


def test_many_series_of_any_lengths_are_divided_as_each_alone():
    series = [stepped(length, 3, length) for length in (10, 60, 60, 61, 700, 60, 1_500)]
    together = partitions(series, list(map(penalty_of, series)), FEWEST)
    assert together == [partitions([one], [penalty_of(one)], FEWEST)[0] for one in series]


def test_levels_are_long_enough_where_a_long_series_is_cut():
    for change in range(LONGEST_PIECE - 7, LONGEST_PIECE + 8):
        values = np.concatenate([np.zeros(change), np.full(2 * LONGEST_PIECE - change, 3.0)])
        (places,) = partitions([values], [penalty_of(values)], FEWEST)
        assert places == [change]
        assert min(b - a for a, b in itertools.pairwise([0, *places, len(values)])) >= FEWEST


@pytest.mark.parametrize("length", [1, FEWEST, 2 * FEWEST - 1])
def test_a_series_that_is_too_short_for_two_levels_has_one(length: int):
    assert partitions([np.arange(length) * 100.0], [1.0], FEWEST) == [[]]
