"""Tests the percentiles of call durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache.outage.latency import Latency


def test_without_a_call_they_are_zero():
    assert Latency().percentiles() == (0.0, 0.0, 0.0)


@given(st.lists(st.floats(1e-9, 240.0), min_size=1, max_size=300))
def test_they_are_right_to_a_few_percent(seconds):
    latency = Latency()
    for each in seconds:
        latency.note(each)
    in_order = sorted(seconds)
    for share, found in zip((0.50, 0.95, 0.99), latency.percentiles(), strict=True):
        rank = max(1, -int(-share * len(in_order) // 1))
        assert found == pytest.approx(in_order[rank - 1], rel=0.08)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-300, 1e300])
def test_impossible_durations_do_no_harm(seconds):
    latency = Latency()
    latency.note(seconds)
    assert latency.percentiles().p50_seconds > 0


def test_they_can_be_set_back():
    latency = Latency()
    latency.note(1.0)
    latency.reset()
    assert latency.percentiles().p99_seconds == 0
