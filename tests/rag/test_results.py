from __future__ import annotations

import copy
import json
import operator
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.rag.results import AddReport, SearchResult, decode_results, encode_results

SCALARS = st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans())
METADATA = st.dictionaries(st.text(), st.one_of(SCALARS, st.lists(SCALARS), st.none()))
RESULTS = st.builds(
    SearchResult,
    id=st.text(),
    text=st.text(),
    score=st.floats(-1, 1),
    metadata=METADATA,
    source=st.none() | st.text(),
)


def result(**changes):
    return SearchResult(**{"id": "1", "text": "a", "score": 0.5, "metadata": {"n": 1, "l": [1, 2]}, **changes})


@given(st.lists(RESULTS))
def test_results_come_back_from_their_packed_form_as_they_were(results):
    assert decode_results(encode_results(results)) == results


@pytest.mark.parametrize("field", ["id", "text", "score", "metadata", "source"])
def test_no_field_of_a_result_can_be_set(field):
    with pytest.raises(AttributeError):
        setattr(result(), field, "other")


def test_the_metadata_of_a_result_cannot_be_changed():
    with pytest.raises(TypeError):
        result().metadata["n"] = 2
    assert result().metadata["l"] == (1, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda metadata: metadata.update(n=2),
        lambda metadata: metadata.pop("n"),
        lambda metadata: metadata.popitem(),
        lambda metadata: metadata.clear(),
        lambda metadata: metadata.setdefault("m", 1),
        lambda metadata: operator.ior(metadata, {"n": 2}),
        lambda metadata: operator.delitem(metadata, "n"),
    ],
)
def test_no_method_changes_the_metadata_of_a_result(change):
    metadata = result().metadata
    with pytest.raises(TypeError, match=r"read-only: change a copy, dict\(metadata\)"):
        change(metadata)
    assert metadata == {"n": 1, "l": (1, 2)}


def test_the_metadata_of_a_result_can_be_written_as_json_copied_and_pickled():
    metadata = decode_results(encode_results([result()]))[0].metadata
    assert json.loads(json.dumps(metadata)) == {"n": 1, "l": [1, 2]}
    assert copy.deepcopy(metadata) == copy.copy(metadata) == pickle.loads(pickle.dumps(metadata)) == metadata
    assert {**metadata, "n": 2} == {"n": 2, "l": (1, 2)}


def test_changing_the_dictionary_that_a_result_was_made_from_does_not_change_the_result():
    metadata = {"n": 1}
    made = result(metadata=metadata)
    metadata["n"] = 2
    assert made.metadata["n"] == 1


def test_a_result_can_be_copied_pickled_hashed_and_written_as_json():
    made = result()
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert len({made, result()}) == 1
    assert json.loads(json.dumps(made.to_dict()))["metadata"] == {"n": 1, "l": [1, 2]}


@pytest.mark.parametrize("packed", [b"", b"\xc1", msgspec.msgpack.encode({"id": 1}), msgspec.msgpack.encode([1])])
def test_what_is_not_a_list_of_results_is_refused(packed):
    with pytest.raises(msgspec.DecodeError):
        decode_results(packed)


def test_reports_add_up():
    total = AddReport(added=1, skipped=2) + AddReport(added=3, replaced=4, removed=5)
    assert total == AddReport(added=4, replaced=4, skipped=2, removed=5)
