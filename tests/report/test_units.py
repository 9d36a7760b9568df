"""Tests how figures are formatted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.measure.metrics.units import digits
from jarvisperf.report.shared import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000 s"),
        (75.5, "75.50 s"),
        (0.0123456, "12.35 ms"),
        (1.5e-6, "1.500 µs"),
        (28.68e-9, "28.68 ns"),
        (3e-12, "0.003000 ns"),
        (12345.6, "12,346 s"),
        (0.0, "0 ns"),
    ],
)
def test_seconds(value: float, text: str):
    assert units.quantity(value, "s") == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (1023, "1,023 B"), (1536, "1.500 KiB"), (5 << 20, "5.000 MiB")]
)
def test_sizes(value: float, text: str):
    assert units.quantity(value, "B") == text


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1.000x"), (20.31, "20.31x"), (12345.6, "12,346x"), (0.05, "0.05000x")]
)
def test_times(value: float, text: str):
    assert units.times(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0123, "1.2%"), (0, "0.0%"), (0.0002, "0.02%"), (12.0, "1,200%")])
def test_percent(value: float, text: str):
    assert units.percent(value) == text


@given(st.floats())
def test_any_number_is_short(value: float):
    for text in (
        digits(value),
        units.quantity(value, "s"),
        units.quantity(value, "B"),
        units.times(value),
        units.percent(value),
        units.ratio(value),
    ):
        assert 0 < len(text) <= 30


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_four_digits_are_within_a_thousandth(value: float):
    assert float(digits(value).replace(",", "")) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(("value", "text"), [(1e-5, "10 µs"), (0.0015, "1.5 ms"), (100.0, "100 s")])
def test_round_values(value: float, text: str):
    assert units.rounded(value, "s") == text
