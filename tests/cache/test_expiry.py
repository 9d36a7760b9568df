"""Time to live: what may be given, and what is left."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache.expiry import checked_ttl, remaining_seconds

SECONDS = st.floats(0, 1e12)


@given(SECONDS | st.integers(0, 10**12) | st.just(math.inf))
def test_seconds_are_taken_as_they_are(ttl):
    assert checked_ttl(ttl, 5.0) == ttl


def test_none_is_the_default():
    assert checked_ttl(None, 5.0) == 5.0


def test_an_int_beyond_all_floats_is_for_ever():
    assert checked_ttl(10**400, 5.0) == math.inf


@pytest.mark.parametrize("ttl", [-1, -0.001, -math.inf, math.nan, pytest.param(-(10**400), id="beyond all floats")])
def test_a_negative_ttl_and_a_nan_are_errors_that_say_so(ttl):
    with pytest.raises(ValueError, match=r"ttl is -?\S+: give 0 or more seconds"):
        checked_ttl(ttl, 5.0)


@pytest.mark.parametrize("ttl", [True, False, "60", b"60", [60], object()])
def test_a_ttl_that_is_no_number_is_an_error_that_shows_it(ttl):
    with pytest.raises(TypeError, match="give seconds as an int or float"):
        checked_ttl(ttl, 5.0)


@given(SECONDS, SECONDS | st.just(math.inf), st.floats(-1e12, 1e12))
def test_no_more_is_left_than_was_given_wherever_the_clock_went(created, life, drift):
    assert remaining_seconds(created, created + life, created + drift) <= (created + life) - created


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_passes_is_what_is_taken_off(created, life, passed):
    assert remaining_seconds(created, created + life, created + passed) == life - passed


@given(SECONDS, st.floats(-1e12, 1e12))
def test_for_ever_stays_for_ever(created, drift):
    assert remaining_seconds(created, math.inf, created + drift) == math.inf
