from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jarvisperf.rag.search.footprint import Footprint, survives
from jarvisperf.rag.store.change import EVERYWHERE, StoreChange, unit_rows

QUERY = np.array([1.0, 0.0], dtype=np.float32)
VECTORS = arrays(np.float32, (8, 3), elements=st.floats(-1, 1, width=32)).filter(
    lambda rows: (np.linalg.norm(rows, axis=1) > 0.1).all()
)


def at(distance):
    """Return a unit vector at this cosine distance from the query."""
    cosine = 1 - distance
    return [cosine, (1 - cosine**2) ** 0.5]


def footprint_of(vector, radius, ids, where=None):
    return Footprint(unit_rows(vector).tobytes(), radius, tuple(ids), where)


def added(vector, metadata=None):
    return [StoreChange(("new",), unit_rows(np.array([vector])).tobytes(), (metadata,))]


@pytest.mark.parametrize(("distance", "kept"), [(0.2, False), (0.4999, False), (0.5, False), (0.51, True), (2, True)])
def test_only_what_is_as_near_as_the_last_passage_or_nearer_matters(distance, kept):
    assert survives(footprint_of(QUERY, 0.5, ["a"]), added(at(distance))) is kept


def test_an_answer_with_room_for_more_ends_with_any_addition():
    assert not survives(footprint_of(QUERY, EVERYWHERE, ["a"]), added(at(2)))


def test_an_addition_that_fails_the_filter_does_not_matter_however_near():
    footprint = footprint_of(QUERY, EVERYWHERE, [], {"language": "pt"})
    assert survives(footprint, added(at(0), {"language": "en"}))
    assert not survives(footprint, added(at(0), {"language": "pt"}))


def test_a_deletion_matters_only_to_answers_that_have_the_passage():
    gone = [StoreChange(("a",))]
    assert not survives(footprint_of(QUERY, 0.5, ["a"]), gone)
    assert survives(footprint_of(QUERY, 0.5, ["b"]), gone)


def test_vectors_of_another_model_and_vectors_that_are_no_numbers_count_as_near():
    footprint = footprint_of(QUERY, 0.1, ["a"])
    assert not survives(footprint, [StoreChange(("new",), unit_rows(np.ones((1, 3))).tobytes(), (None,))])
    assert not survives(footprint, [StoreChange(("new",), np.full(2, np.nan, np.float32).tobytes(), (None,))])


def nearest(rows, alive, query, count):
    """Return the indices of the nearest rows, by brute force."""
    distances = 1 - rows @ query
    return sorted(sorted(alive), key=lambda place: distances[place])[:count], distances


@given(VECTORS, st.sets(st.integers(0, 6)), st.sets(st.integers(0, 6)), st.integers(1, 4))
def test_whatever_survives_is_what_a_new_search_finds(rows, before, after, count):
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query = rows[7]
    found, distances = nearest(rows, before, query, count)
    radius = (
        max((float(distances[place]) for place in found), default=EVERYWHERE) if len(found) == count else EVERYWHERE
    )
    footprint = footprint_of(query, radius, [str(place) for place in found])
    came, gone = sorted(after - before), sorted(before - after)
    change = StoreChange(
        tuple(str(place) for place in [*came, *gone]), unit_rows(rows[came]).tobytes(), (None,) * len(came)
    )
    if survives(footprint, [change]):
        assert nearest(rows, after, query, count)[0] == found
