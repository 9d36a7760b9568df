"""Tests thresholds and limits as people write them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jarvisperf.gate.verdict.thresholds import (
    parse_share,
    parse_thresholds,
)
from jarvisperf.measure.metrics import BUILT_IN, BYTES, SECONDS


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("5.5%", 0.055), (" 0.5 % ", 0.005), ("off", math.inf)])
def test_shares(text: str, share: float):
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["5", "0%", "-5%", "%", "five%", "", "nan%", "inf%", 5, None, 0.05])
def test_what_is_no_share_is_refused_with_the_allowed_forms(text: Any):
    with pytest.raises(ValueError, match="is not allowed; give a percentage like '5%' or 'off'"):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2ms", 2e-3), ("1.5 s", 1.5), ("10us", 1e-5), ("3µs", 3e-6), ("7ns", 7e-9)]
)
def test_limits_of_time(text: str, seconds: float):
    assert SECONDS.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "size"), [("50MB", 5e7), ("1 GiB", 2**30), ("100B", 100), ("2KiB", 2048)])
def test_limits_of_memory(text: str, size: float):
    assert BYTES.parse(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["2", "2 hours", "0ms", "-2ms", "50MB", ""])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(ValueError, match="give a time like '2ms'"):
        SECONDS.parse(text)


def test_the_option_names_time_or_several_metrics():
    assert parse_thresholds("3%") == {**BUILT_IN.thresholds, "time": 0.03}
    assert parse_thresholds("time=2%, memory=off") == {**BUILT_IN.thresholds, "time": 0.02, "memory": math.inf}
    assert set(parse_thresholds("off").values()) == {math.inf}


@pytest.mark.parametrize("text", ["speed=5%", "5", "time=", "time=5%,", "5%;3%"])
def test_an_option_that_cannot_be_read_is_refused(text: str):
    with pytest.raises(ValueError, match=r"allowed|unknown metric"):
        parse_thresholds(text)


def test_the_defaults_are_documented_figures():
    assert BUILT_IN.thresholds == {
        "time": 0.05,
        "memory": 0.10,
        "startup": 0.10,
        "allocations": 0.05,
        "allocated_bytes": 0.05,
        "import_time": 0.10,
        "quality": 0.02,
        "instructions": 0.01,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("1ms", 0.001), ("1us", 0.000_001), ("1µs", 0.000_001), ("1ns", 0.000_000_001), ("1e-3s", 0.001)],
)
def test_every_unit_of_time(text: str, seconds: float):
    assert SECONDS.parse(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1B", 1), ("1KB", 1e3), ("1MB", 1e6), ("1GB", 1e9), ("1KiB", 1 << 10), ("1MiB", 1 << 20), ("1GiB", 1 << 30)],
)
def test_every_unit_of_memory(text: str, size: float):
    assert BYTES.parse(text) == size


def test_every_refusal_says_what_is_allowed():
    for parse, allowed in (
        (parse_share, "a percentage like '5%' or 'off'"),
        (SECONDS.parse, "a time like '2ms' (s, ms, us, ns)"),
        (BYTES.parse, "a size like '50MB' (B, KB, MB, GB, KiB, MiB, GiB)"),
    ):
        with pytest.raises(ValueError) as refused:  # noqa: PT011  # the whole text is compared
            parse("1x")
        assert str(refused.value) == f"'1x' is not allowed; give {allowed}"


@pytest.mark.parametrize("text", ["0B", "2ms", "5%", "-1B", "B", "1 kB", 7, None])
def test_what_is_no_size_is_refused(text: Any):
    with pytest.raises(ValueError, match="give a size like '50MB'"):
        BYTES.parse(text)


@pytest.mark.parametrize("text", ["off", " off "])
def test_off_is_for_all_metrics_and_may_have_blanks(text: str):
    assert parse_thresholds(text) == dict.fromkeys(BUILT_IN.thresholds, math.inf)


@pytest.mark.parametrize("text", ["1000000%", "1e6%", "1e400%"])
def test_a_share_of_a_million_per_cent_is_a_slip_of_the_pen(text: str):
    with pytest.raises(ValueError, match="is not allowed"):
        parse_share(text)
    assert parse_share("999999%") == pytest.approx(9999.99)


def test_a_metric_may_have_blanks_around_it_and_a_threshold_without_a_name_is_for_time():
    assert parse_thresholds(" startup = 7% , 2%") == BUILT_IN.thresholds | {"time": 0.02, "startup": 0.07}


def test_an_unknown_metric_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match="unknown metric 'speed'; choose one of: time, memory, startup"):
        parse_thresholds("speed=5%")


@pytest.mark.parametrize("text", ["1e400s", "1e308GiB", "9" * 400 + "s"])
def test_a_limit_that_no_float_holds_is_refused(text: str):
    with pytest.raises(ValueError, match="is not allowed"):
        (SECONDS.parse if text.endswith("s") else BYTES.parse)(text)
