"""Tests isolation: a caller that changes a value never changes what the cache returns next."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import numpy as np
import pytest

from jarvisperf.cache.values.codec import Codec
from jarvisperf.cache.values.isolation import hold_plain


class Colour(Enum):
    RED = 1


CODEC = Codec([Colour])

MUTABLE = [
    ({"a": 1}, lambda value: value.update(a=2)),
    ([1, "a"], lambda value: value.append(2)),
    ({1, 2}, lambda value: value.add(3)),
    ({"a": [1]}, lambda value: value["a"].append(2)),
    ([[1]], lambda value: value[0].append(2)),
    (([1],), lambda value: value[0].append(2)),
    ({"a": 1, "b": [1], "c": {"d": 1}, "e": "x"}, lambda value: value["c"].clear()),
    ([1, {"a": 1}, {2}, [UUID(int=3)], "x"], lambda value: value[2].add(3)),
    ([[number] for number in range(16)], lambda value: value[15].append(2)),
    ([[number] for number in range(17)], lambda value: value[16].append(2)),
    ({"a": [1, [2]]}, lambda value: value["a"][1].append(3)),
    ({(1, 2): {"x": {3}}}, lambda value: value[1, 2]["x"].add(4)),
    (np.arange(4.0), lambda value: value.fill(7)),
    (np.asfortranarray(np.arange(6).reshape(2, 3)), lambda value: value.fill(7)),
    (np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]), lambda value: value.fill(1)),
    ([np.arange(4)], lambda value: value[0].fill(7)),
]
IMMUTABLE = [
    1, "a", b"a", None, 1.5, 2j, (1, "a"), frozenset({1}), Decimal(1), UUID(int=1), datetime(2024, 1, 1, tzinfo=UTC),
    Colour.RED, (Colour.RED, 1), (),
]  # fmt: skip


def hold(value):
    return hold_plain(value) or CODEC.hold(value, CODEC.encode(value))


def thawed(held):
    return held.value if held.thaw is None else held.thaw(held.value)


@pytest.mark.parametrize(("value", "change"), MUTABLE, ids=range(len(MUTABLE)))
def test_what_is_held_is_out_of_the_reach_of_writer_and_readers(value, change):
    value, original = copy.deepcopy(value), copy.deepcopy(value)
    held = hold(value)
    change(value)
    first = thawed(held)
    assert type(first) is type(original)
    assert repr(first) == repr(original)
    change(first)
    assert repr(thawed(held)) == repr(original)


@pytest.mark.parametrize("value", IMMUTABLE, ids=repr)
def test_what_nobody_can_change_is_shared(value):
    held = hold(value)
    assert held.thaw is None
    assert held.value is value


@pytest.mark.parametrize(
    "value", [*IMMUTABLE, *(value for value, _ in MUTABLE)], ids=lambda value: type(value).__name__
)
def test_what_it_takes_up_is_known(value):
    assert hold(value).size_bytes > 0


def test_an_array_held_keeps_its_order():
    held = hold(np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert thawed(held).flags.f_contiguous
    assert thawed(hold(np.arange(12).reshape(3, 4)[:, ::2])).flags.c_contiguous


def test_a_few_flat_containers_in_another_are_copied_and_not_decoded():
    assert not isinstance(hold({"a": [1], "b": {"c": 2}, "d": None}).value, bytes)
    assert isinstance(hold({"a": [[1]]}).value, bytes)
    assert isinstance(hold([[number] for number in range(17)]).value, bytes)


def test_a_list_in_itself_is_not_held():
    value: list[object] = [1]
    value.append(value)
    assert hold_plain(value) is None


def test_a_value_that_may_have_no_encoding_is_not_held_before_it_has_one():
    assert hold_plain([object()]) is None
    assert hold_plain((1,)) is None
    assert hold_plain({"a": Decimal(1)}) is None
