"""Tests argument checks: what is accepted, and which error everything else raises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.checks import function, number, one_of, seconds, text, whole_number


@given(st.floats(0, 1e12) | st.integers(0, 10**12) | st.just(math.inf))
def test_seconds_are_returned_as_a_float(value):
    assert seconds("ttl", value) == value
    assert type(seconds("ttl", value)) is float


def test_an_int_beyond_all_floats_means_forever():
    assert seconds("ttl", 10**400) == math.inf


@pytest.mark.parametrize("value", [-1, -0.001, -math.inf, math.nan, pytest.param(-(10**4400), id="a very long int")])
def test_negative_seconds_and_nan_are_value_errors(value):
    with pytest.raises(ValueError, match=r"^ttl is -?\S+: give 0 or more seconds$"):
        seconds("ttl", value)


def test_zero_seconds_can_be_refused():
    assert seconds("ttl", 0) == 0
    with pytest.raises(ValueError, match=r"^ttl is 0: give a number of seconds above 0$"):
        seconds("ttl", 0, zero=False)


@pytest.mark.parametrize("value", [True, False, "60", b"60", [60], None, object()])
@pytest.mark.parametrize("check", [seconds, number])
def test_other_types_are_type_errors_that_show_the_value(check, value):
    with pytest.raises(TypeError, match=r"^x is .*: give a number"):
        check("x", value)


@pytest.mark.parametrize("value", [1, 5, 2**70])
def test_a_whole_number_within_limits_is_returned(value):
    assert whole_number("n", value, at_least=1) == value


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (0, {"at_least": 1}, "n is 0: give at least 1"),
        (-(10**5000), {"at_least": 1}, "give at least 1"),
        (6, {"at_most": 5}, "n is 6: give at most 5"),
        (6, {"at_least": 1, "at_most": 5}, "n is 6: give a whole number from 1 to 5"),
    ],
    ids=range(4),
)
def test_a_whole_number_outside_its_limits_is_a_value_error(value, limits, message):
    with pytest.raises(ValueError, match=message):
        whole_number("n", value, **limits)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_what_is_not_an_int_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"^n is .*: give a whole number$"):
        whole_number("n", value)


@pytest.mark.parametrize("value", [-2, 1.5, math.nan])
def test_a_number_outside_its_limits_is_a_value_error(value):
    assert number("score", 1, at_least=-1, at_most=1) == 1.0
    with pytest.raises(ValueError, match=r"give a number from -1 to 1$"):
        number("score", value, at_least=-1, at_most=1)


def test_text_is_a_str_that_is_not_empty():
    assert text("name", "x") == "x"
    with pytest.raises(ValueError, match=r"^name is '': give a str that is not empty$"):
        text("name", "")
    with pytest.raises(TypeError, match=r"^name is 5: give a str$"):
        text("name", 5)


def test_one_of_lists_what_is_allowed():
    assert one_of("engine", "a", ["a", "b"]) == "a"
    with pytest.raises(ValueError, match=r"^engine is 'x': choose one of: a, b$"):
        one_of("engine", "x", ["a", "b"])


def test_a_function_can_be_called():
    assert function("key", len) is len
    with pytest.raises(TypeError, match=r"^key is 5: give a function$"):
        function("key", 5)
