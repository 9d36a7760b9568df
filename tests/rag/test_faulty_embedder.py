"""Tests embedders that return wrong vectors for a while."""

from __future__ import annotations

import numpy as np
import pytest

from jarvisperf.rag import StoreError


class Faulty:
    """An embedder whose vectors pass through ``fault``."""

    def __init__(self, embedder):
        self.identity = embedder.identity
        self.fault = lambda rows: rows
        self.query_fault = lambda row: row
        self._embedder = embedder

    def embed_documents(self, texts):
        return self.fault(self._embedder.embed_documents(texts))

    def embed_query(self, text):
        return self.query_fault(self.embed_documents([text])[0])


def with_nan(rows):
    rows[-1, 0] = np.nan
    return rows


FAULTS = [with_nan, lambda rows: rows / 0 if rows.any() else rows, lambda rows: rows[:, :0], lambda rows: rows[:, :4]]


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("count", [2, 70], ids=["embedded at once", "waiting"])
@pytest.mark.parametrize("fault", FAULTS, ids=["NaN", "infinity", "nothing", "too short"])
def test_wrong_vectors_are_not_used_again_once_the_embedder_is_right(make_rag, embedder, fault, count):
    faulty = Faulty(embedder)
    rag = make_rag(model=faulty)
    rag.batch_add_texts(["cats"])
    faulty.fault = fault
    texts = [f"text {number}" for number in range(count)]

    def add_and_wait():
        rag.batch_add_texts(texts)
        rag.wait()

    with pytest.raises((StoreError, ValueError), match=r"the embedder returned|the model's vectors have 4 dimensions"):
        add_and_wait()
    faulty.fault = lambda rows: rows
    add_and_wait()
    assert round(rag.search("text 1", n_results=1)[0].score, 5) == 1
    assert rag.get_performance_stats()["chunks"] == count + 1


def test_a_query_whose_vector_is_not_finite_is_refused(make_rag, embedder):
    faulty = Faulty(embedder)
    rag = make_rag(model=faulty)
    rag.batch_add_texts(["cats"])
    faulty.fault = with_nan
    for search in (rag.search, rag.search_cached, lambda query: rag.search_many([query])):
        with pytest.raises(ValueError, match="NaN or infinity in 1 of 1 vectors, first in that of 'cats'"):
            search("cats")


@pytest.mark.parametrize("form", [list, lambda row: row.reshape(1, -1), lambda row: row.astype(float)])
def test_the_vector_of_a_query_may_be_a_list_or_one_row(make_rag, embedder, form):
    faulty = Faulty(embedder)
    rag = make_rag(model=faulty)
    rag.batch_add_texts(["cats purr", "dogs bark", "cats"])
    asked = [{}, {"hybrid": True, "n_results": 1}, {"diversity": 0.5}]
    plain = [rag.search("cats purr", **options) for options in asked]
    faulty.query_fault = form
    assert [rag.search("cats purr", **options) for options in asked] == plain
    assert [rag.search_many(["cats purr"], **options)[0] for options in asked] == plain
    rag.warm_up()


@pytest.mark.parametrize("form", [lambda row: row.reshape(2, -1), lambda row: row[:0], lambda row: row[0]])
def test_what_is_not_one_vector_is_refused_with_its_shape(make_rag, embedder, form):
    faulty = Faulty(embedder)
    rag = make_rag(model=faulty)
    rag.batch_add_texts(["cats"])
    faulty.query_fault = form
    for search in (rag.search, rag.search_cached, lambda query: rag.search_many([query])):
        with pytest.raises(ValueError, match=r"the embedder returned an array of shape \(.*\) for a query"):
            search("cats")
