"""Thresholds and limits as people write them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jarvisperf.gate.thresholds import (
    DEFAULT_THRESHOLDS,
    parse_bytes_limit,
    parse_seconds_limit,
    parse_share,
    parse_thresholds,
)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("5.5%", 0.055), (" 0.5 % ", 0.005), ("off", math.inf)])
def test_shares(text: str, share: float):
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["5", "0%", "-5%", "%", "five%", "", "nan%", "inf%", 5, None, 0.05])
def test_what_is_no_share_is_refused_with_the_allowed_forms(text: Any):
    with pytest.raises(ValueError, match="is not allowed, give a percentage like '5%' or 'off'"):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2ms", 2e-3), ("1.5 s", 1.5), ("10us", 1e-5), ("3µs", 3e-6), ("7ns", 7e-9)]
)
def test_limits_of_time(text: str, seconds: float):
    assert parse_seconds_limit(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "size"), [("50MB", 5e7), ("1 GiB", 2**30), ("100B", 100), ("2KiB", 2048)])
def test_limits_of_memory(text: str, size: float):
    assert parse_bytes_limit(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["2", "2 hours", "0ms", "-2ms", "50MB", ""])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(ValueError, match="give a time like '2ms'"):
        parse_seconds_limit(text)


def test_the_option_names_time_or_several_metrics():
    assert parse_thresholds("3%") == {**DEFAULT_THRESHOLDS, "time": 0.03}
    assert parse_thresholds("time=2%, memory=off") == {**DEFAULT_THRESHOLDS, "time": 0.02, "memory": math.inf}
    assert set(parse_thresholds("off").values()) == {math.inf}


@pytest.mark.parametrize("text", ["speed=5%", "5", "time=", "time=5%,", "5%;3%"])
def test_an_option_that_cannot_be_read_is_refused(text: str):
    with pytest.raises(ValueError, match=r"allowed|no metric"):
        parse_thresholds(text)
