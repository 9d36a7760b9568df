from __future__ import annotations

import enum
import math

import numpy as np
import pytest

from jarvisperf.rag.ingest.metadata import checked_metadata


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({1: "a"}, "metadata 7 has the key 1: give strings of at least one character"),
        ({"": "a"}, "metadata 7 has the key '': give strings of at least one character"),
        ({"\ud800": 1}, "a key of metadata 7 has a lone surrogate"),
        ({"$and": 1}, r"metadata 7 has the key '\$and': names that begin with #, \$, chroma: are reserved by Chroma"),
        ({"#x": 1}, "metadata 7 has the key '#x': names that begin with"),
        ({"chroma:x": 1}, "metadata 7 has the key 'chroma:x': names that begin with"),
        ({"_jarvisperf": 1}, "metadata 7 has the key '_jarvisperf', which is reserved for jarvisperf"),
        (
            {"x": {"y": 1}},
            r"metadata 7\['x'\] is \{'y': 1\} of type dict: give strings, numbers, booleans, None, or a list",
        ),
        ({"x": np.int64(5)}, r"metadata 7\['x'\] is np.int64\(5\) of type int64: give"),
        ({"x": []}, r"metadata 7\['x'\] is \[\]: give a list of at least one value, all of one type"),
        ({"x": [1, "a"]}, r"metadata 7\['x'\] is \[1, 'a'\]: give a list of at least one value"),
        ({"x": [True, 1]}, r"metadata 7\['x'\] is \[True, 1\]: give a list of at least one value"),
        ({"x": [[1]]}, r"metadata 7\['x'\] is \[1\] of type list: give"),
        ({"x": [None]}, r"metadata 7\['x'\] is None of type NoneType: give"),
        ({"x": [1.0, math.inf]}, r"metadata 7\['x'\] is \[1.0, inf\]: give finite numbers in a list"),
        ({"x": "\udcff"}, r"metadata 7\['x'\] has a lone surrogate"),
        ({"x": ["\udcff"]}, r"metadata 7\['x'\] has a lone surrogate"),
        ({"x": 10**400}, r"metadata 7\['x'\] is a number of 1329 bits: give at most 1000"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place_and_its_key(given, message):
    with pytest.raises(ValueError, match=message):
        checked_metadata(7, given)


def test_what_can_be_stored_becomes_plain_values_and_a_tuple_a_list():
    given = {"a": Colour.RED, "b": Level.HIGH, "c": np.float64(1.5), "d": (np.str_("x"), "y"), "e": None, "f": True}
    checked = checked_metadata(0, given)
    assert checked == {"a": "red", "b": 3, "c": 1.5, "d": ["x", "y"], "e": None, "f": True}
    assert [type(value) for value in checked.values()] == [str, int, float, list, type(None), bool]
    assert type(checked["d"][0]) is str


def test_a_result_can_be_added_again_as_it_is(rag):
    rag.batch_add_texts(["cats"], ids=["1"], metadatas=[{"tags": ["a", "b"], "year": 2020}])
    (found,) = rag.search("cats")
    assert rag.batch_add_texts([found.text], ids=[found.id], metadatas=[found.metadata]).unchanged == 1


def test_numbers_of_numpy_are_known_again_and_end_no_answer_they_do_not_touch(rag):
    rag.batch_add_texts(["cats", "dogs"])
    rag.search_cached("cats", 1)
    rag.batch_add_texts(["zebras"], metadatas=[{"x": np.float64(1.5)}])
    assert rag.batch_add_texts(["zebras"], metadatas=[{"x": np.float64(1.5)}]).unchanged == 1
    rag.search_cached("cats", 1)
    assert rag.get_performance_stats()["cache_hits"] == 1


def test_metadata_is_checked_before_anything_is_embedded(rag, embedder):
    with pytest.raises(ValueError, match=r"metadata 1\['x'\] is \{\}"):
        rag.batch_add_texts(["cats", "dogs"], metadatas=[None, {"x": {}}])
    with pytest.raises(ValueError, match=r"metadata 1\['x'\] is \{\}"):
        rag.batch_add_texts(["cats", "dogs"], metadatas=iter([None, {"x": {}}]))
    assert embedder.documents == []
