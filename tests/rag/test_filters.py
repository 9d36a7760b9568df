from __future__ import annotations

import datetime
import decimal
import enum
import math
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvisperf.rag.store.filters import canonical, checked_filter, surely_excludes

VALUES = st.sampled_from(["a", "b", 1, 2, 1.0, 2.5, True, False])
NUMBERS = st.sampled_from([1, 2, 1.0, 2.5])
KEYS = st.sampled_from(["x", "y"])
METADATAS = st.dictionaries(KEYS, VALUES, max_size=2).map(lambda given: given or None)
ALIKE = st.sampled_from([["a", "b"], [1, 2], [1.0, 2.5], [True, False]])
CONDITIONS = st.one_of(
    VALUES,
    st.tuples(st.sampled_from(["$eq", "$ne"]), VALUES).map(lambda pair: dict([pair])),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), NUMBERS).map(lambda pair: dict([pair])),
    st.tuples(st.sampled_from(["$in", "$nin"]), ALIKE).map(lambda pair: dict([pair])),
)
SINGLE = st.tuples(KEYS, CONDITIONS).map(lambda pair: dict([pair]))
FILTERS = st.recursive(
    SINGLE,
    lambda parts: st.tuples(st.sampled_from(["$and", "$or"]), st.lists(parts, min_size=2, max_size=3)).map(
        lambda pair: dict([pair])
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def collection(require):
    chromadb = require("chromadb")
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    with chromadb.EphemeralClient(settings=settings) as client:
        yield client.create_collection(f"filters-{uuid.uuid4().hex}", embedding_function=None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=FILTERS, metadata=METADATAS)
def test_what_is_surely_excluded_chroma_excludes_too(collection, where, metadata):
    key = uuid.uuid4().hex
    collection.add(ids=[key], embeddings=[[1.0, 0.0]], documents=["text"], metadatas=[metadata])
    found = collection.get(ids=[key], where=where, include=[])["ids"]
    collection.delete(ids=[key])
    assert not (surely_excludes(where, metadata) and found)


def _every_condition():
    values = ["a", "b", 1, 2, 1.0, 2.5, True, False]
    alike = [["a", "b"], [1, 2], [1.0, 2.5], [True, False]]
    yield from ({"x": value} for value in values)
    yield from ({"x": {operation: value}} for operation in ("$eq", "$ne") for value in values)
    yield from ({"x": {operation: value}} for operation in ("$gt", "$gte", "$lt", "$lte") for value in values[2:6])
    for operation in ("$in", "$nin"):
        yield from ({"x": {operation: order}} for one in alike for order in (one, one[::-1], one[:1]))


def test_no_single_condition_excludes_what_chroma_finds(collection):
    metadatas = [None, *({"x": value} for value in ("a", "b", 1, 2, 1.0, 2.5, True, False))]
    stored = {uuid.uuid4().hex: metadata for metadata in metadatas}
    collection.add(
        ids=list(stored), embeddings=[[1.0, 0.0]] * len(stored), documents=["text"] * len(stored), metadatas=metadatas
    )
    for where in _every_condition():
        found = collection.get(ids=list(stored), where=where, include=[])["ids"]
        assert not [stored[key] for key in found if surely_excludes(where, stored[key])], where
    collection.delete(ids=list(stored))


@pytest.mark.parametrize(
    ("where", "metadata"),
    [
        ({"x": "a"}, {"x": "b"}),
        ({"x": "a"}, None),
        ({"x": {"$ne": "a"}}, {"x": "a"}),
        ({"x": {"$gt": 2}}, {"x": 1}),
        ({"x": {"$in": ["a"]}}, {"x": "b"}),
        ({"$and": [{"x": "a"}, {"y": 1}]}, {"x": "a", "y": 2}),
        ({"$or": [{"x": "a"}, {"y": 1}]}, {"x": "b", "y": 2}),
    ],
)
def test_a_passage_that_clearly_fails_is_excluded(where, metadata):
    assert surely_excludes(where, metadata)


@pytest.mark.parametrize(
    ("where", "metadata"),
    [
        (None, None),
        ({"x": 1}, {"x": 1.0}),
        ({"x": {"$contains": "a"}}, {"x": "b"}),
        ({"x": "a"}, {"x": ["b"]}),
        ({"x": {"$ne": math.inf}}, {"x": math.inf}),
        ({"x": {"$lt": 5}}, {"x": math.nan}),
        ({"x": {"$ne": 2**63}}, {"x": 2**63}),
        ({"#document": {"$contains": "a"}}, None),
        ({"x": {"$gt": 2, "$lt": 3}}, {"x": 1}),
    ],
)
def test_what_is_not_sure_is_not_excluded(where, metadata):
    assert not surely_excludes(where, metadata)


def test_the_order_of_keys_changes_nothing():
    assert canonical("where", {"a": {"x": 1, "y": 2}}) == canonical("where", {"a": {"y": 2, "x": 1}})
    assert canonical("where", {"a": 1}) != canonical("where", {"a": "1"})


def test_infinities_nan_and_nothing_are_four_filters():
    values = [math.inf, -math.inf, math.nan, None]
    assert len({canonical("where", {"a": {"$in": [value]}}) for value in values}) == 4


def _nested(times):
    where = {"x": 1}
    for _ in range(times):
        where = {"$and": [where, {"y": 1}]}
    return where


def _endless():
    where = {}
    where["$or"] = [where, where]
    return where


def test_a_filter_as_deep_as_is_allowed_is_one_that_chroma_takes(collection):
    assert collection.get(where=checked_filter("where", _nested(49)))["ids"] == []


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("x = 1", TypeError, "where is 'x = 1': give a dictionary such as {'language': 'pt'}, or None"),
        ({}, ValueError, "where is {}: give a condition"),
        ({"x": object()}, TypeError, "give strings, numbers, booleans and lists of them"),
        (_nested(51), ValueError, "where is nested more than 100 levels deep: flatten it"),
        (_endless(), ValueError, "where is nested more than 100 levels deep"),
        ({"x": {"$in": [2**70, math.inf]}}, TypeError, "give strings, numbers, booleans and lists of them"),
    ],
)
def test_what_is_no_filter_is_refused_with_an_example(given, error, message):
    with pytest.raises(error, match=message):
        checked_filter("where", given)


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2024, 1, 1),
        datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        decimal.Decimal(1),
        uuid.UUID(int=1),
        b"a",
        {"a"},
    ],
)
@pytest.mark.parametrize("shape", [lambda value: {"x": value}, lambda value: {"x": {"$in": [value]}}])
def test_a_value_that_would_share_the_key_of_another_is_refused(value, shape):
    with pytest.raises(TypeError, match=f"is of type {type(value).__name__}; give strings, numbers"):
        checked_filter("where", shape(value))


def test_keys_must_be_strings():
    with pytest.raises(TypeError, match="its keys must be strings, and 1 is of type int"):
        checked_filter("where", {"$and": [{1: "a"}, {"1": "a"}]})


def test_tuples_and_values_of_numpy_and_enums_are_asked_as_plain_ones():
    class Kind(enum.StrEnum):
        GUIDE = "guide"

    given = {"$or": ({"x": {"$in": ("a", Kind.GUIDE)}}, {"y": np.float64(1.5)})}
    plain = checked_filter("where", given)
    assert plain == {"$or": [{"x": {"$in": ["a", "guide"]}}, {"y": 1.5}]}
    assert [type(value) for value in plain["$or"][0]["x"]["$in"]] == [str, str]


@pytest.mark.parametrize("key", ["chroma:document", "#document", "_jarvisperf"])
def test_keys_that_are_not_in_our_record_exclude_nothing(key):
    assert not surely_excludes({key: "a"}, {"x": "a"})
    assert not surely_excludes({"$and": [{key: {"$ne": "a"}}, {"x": "a"}]}, {"x": "a"})
