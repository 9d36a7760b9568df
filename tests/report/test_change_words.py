"""A change in everyday words."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.report.shared.change_words import change_words

UNBOUNDED = sys.float_info.max


@pytest.mark.parametrize(
    ("ratio", "unit", "words"),
    [
        (1.094, "s", "9.4% slower"),
        (0.906, "s", "9.4% faster"),
        (1.41, "s", "41% slower"),
        (1.7, "s", "1.7x slower"),
        (1 / 1.7, "s", "1.7x faster"),
        (1.12, "B", "12% larger"),
        (0.88, "B", "12% smaller"),
        (3.0, "B", "3.0x larger"),
        (1.12, "blocks", "12% more"),
        (0.88, "blocks", "12% fewer"),
        (0.97, "score", "3.0% lower"),
        (1.03, "score", "3.0% higher"),
        (1e-4, "s", "10,000x faster"),
        (1.0, "s", "no change"),
        (1.0002, "s", "<0.1% slower"),
        (1e40, "s", "1e+40x slower"),
        (0.0, "s", "infinitely faster"),
        (UNBOUNDED, "blocks", "infinitely more"),
    ],
)
def test_a_change_names_its_size_and_direction(ratio: float, unit: str, words: str):
    assert change_words(ratio, unit).whole == words


def test_from_a_factor_of_one_and_a_half_on_a_change_is_a_factor():
    assert [change_words(ratio, "s").change for ratio in (1.49, 1.5, 1 / 1.49, 1 / 1.5)] == [
        "49% slower", "1.5x slower", "33% faster", "1.5x faster",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "interval", "words"),
    [
        (1.094, (1.077, 1.111), "9.4% slower (7.7 to 11.1%)"),
        (0.906, (0.889, 0.923), "9.4% faster (7.7 to 11.1%)"),
        (1.41, (1.38, 1.43), "41% slower (38 to 43%)"),
        (0.55, (0.5, 0.6), "1.8x faster (1.7x to 2.0x)"),
        (1.002, (0.997, 1.006), "0.2% slower (0.3% faster to 0.6% slower)"),
        (1.6, (0.9, 2.3), "1.6x slower (1.1x faster to 2.3x slower)"),
        (1.3, (1.1, UNBOUNDED), "30% slower (at least 10%)"),
        (0.0, (0.0, 0.1), "infinitely faster (at least 10x)"),
        (0.0, (0.0, 0.0), "infinitely faster"),
        (0.97, (0.2, UNBOUNDED), "3.0% faster (80.0% faster to unbounded)"),
        (1.12, (1.12, 1.12), "12% slower (12%)"),
        (1.0, (1.0, 1.0), "no change (0.0%)"),
    ],
)
def test_the_interval_follows_in_the_same_words(ratio: float, interval: tuple[float, float], words: str):
    assert change_words(ratio, "s", interval).whole == words


def test_a_narrow_interval_brings_the_decimals_that_tell_its_ends_apart():
    assert change_words(1.41, "s", (1.405, 1.414)).whole == "41.0% slower (40.5 to 41.4%)"
    assert change_words(1.66, "s", (1.65, 1.67)).whole == "1.66x slower (1.65x to 1.67x)"


@pytest.mark.parametrize(
    ("interval", "span"),
    [
        ((0.997, 1.012), "-0.3 to +1.2%"),
        ((1.077, 1.111), "7.7 to 11.1%"),
        ((0.9, UNBOUNDED), "-10.0% to unbounded"),
    ],
)
def test_in_a_column_signs_replace_the_words(interval: tuple[float, float], span: str):
    assert change_words(1.002, "s", interval).span == span


@given(
    st.floats(0, UNBOUNDED),
    st.one_of(st.none(), st.tuples(st.floats(0, UNBOUNDED), st.floats(0, UNBOUNDED)).map(sorted)),
    st.sampled_from(["s", "B", "blocks"]),
)
def test_any_ratio_has_short_words(ratio: float, interval: list[float] | None, unit: str):
    words = change_words(ratio, unit, (interval[0], interval[1]) if interval else None)
    assert 0 < len(words.change) <= 25
    assert len(words.interval) <= 50
    assert len(words.span) <= 35
    assert "inf " not in f"{words.whole} "
    assert "nan" not in words.whole
