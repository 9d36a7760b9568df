"""Tests that a collection is searched and written only with the model that it was built with."""

from __future__ import annotations

import numpy as np
import pytest

from jarvisperf.rag import StoreError
from jarvisperf.rag.store.model_check import IDENTITY_KEY

TEXTS = [f"text {number}" for number in range(20)]


@pytest.fixture
def other(word_embedder):
    """A model of the same dimension whose vectors mean something else."""

    class Turned(word_embedder):
        def _vector(self, text):
            return np.roll(super()._vector(text), 100)

    return Turned("other model")


@pytest.fixture
def built(make_rag):
    with make_rag() as rag:
        rag.batch_add_texts(TEXTS)


@pytest.mark.parametrize(
    "use",
    [
        lambda rag: rag.search("text"),
        lambda rag: rag.search_cached("text"),
        lambda rag: rag.search_many(["text"]),
        lambda rag: rag.search("text", hybrid=True),
        lambda rag: rag.generate_context_cached("text"),
        lambda rag: rag.batch_add_texts(["more"]),
    ],
)
def test_another_model_of_the_same_dimension_is_refused_by_name_with_the_way_out(built, make_rag, other, use):
    rag = make_rag(model=other)
    with pytest.raises(StoreError, match=r"built with the model words:1, but is used with other model\. .* re-embed"):
        use(rag)


def test_a_refused_model_writes_nothing(built, make_rag, other):
    with make_rag(model=other) as rag, pytest.raises(StoreError):
        rag.batch_add_texts(["more"])
    with make_rag() as rag:
        assert rag.search("more text", n_results=50, where_document={"$contains": "more"}) == []


def test_the_same_vectors_under_another_identity_are_accepted(built, make_rag, word_embedder):
    rag = make_rag(model=word_embedder("words in bfloat16"))
    assert rag.search("text 3", n_results=1)[0].text == "text 3"
    assert rag.batch_add_texts(["more"]).added == 1


def test_a_collection_without_a_record_is_checked_by_its_vectors(built, make_rag, other, tmp_path, require):
    chromadb = require("chromadb")
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    with chromadb.PersistentClient(str(tmp_path / "chroma"), settings=settings) as client:
        collection = client.get_collection("documents", embedding_function=None)
        assert collection.metadata[IDENTITY_KEY] == "words:1"
        collection.modify(metadata={"mine": 1})
    with make_rag(model=other) as rag, pytest.raises(StoreError, match="built with the model another model"):
        rag.search("text")
    with make_rag() as rag:
        assert rag.search("text 3", n_results=1)[0].text == "text 3"


def test_an_emptied_collection_belongs_to_the_next_model(built, make_rag, other):
    with make_rag() as rag:
        rag.delete(ids=[found.id for found in rag.search("text", n_results=100)])
    with make_rag(model=other) as rag:
        rag.batch_add_texts(TEXTS)
        assert rag.search("text 3", n_results=1)[0].text == "text 3"
    with make_rag() as rag, pytest.raises(StoreError, match="built with the model other model"):
        rag.search("text")


def test_a_model_that_fitted_is_refused_once_another_one_has_filled_the_collection(built, make_rag, other):
    before, after = make_rag(), make_rag(model=other)
    assert before.search("text 3")
    before.delete(where_document={"$contains": "text"})
    after.batch_add_texts(TEXTS)
    for search in (before.search, before.search_cached, lambda query: before.search_many([query])):
        with pytest.raises(StoreError, match="built with the model other model, but is used with words:1"):
            search("text 3")


def test_two_models_that_fill_an_empty_collection_at_once_are_not_mixed(make_rag, other):
    first, second = make_rag(), make_rag(model=other)
    embed = other.embed_documents

    def embed_while_the_other_adds(texts):
        other.embed_documents = embed
        first.batch_add_texts(TEXTS)
        return embed(texts)

    other.embed_documents = embed_while_the_other_adds
    with pytest.raises(StoreError, match="built with the model words:1, but is used with other model"):
        second.batch_add_texts(["more"])
    assert first.search("text 3", n_results=1)[0].text == "text 3"
    assert first.get_performance_stats()["chunks"] == len(TEXTS)


def test_a_fitting_model_is_compared_once(built, make_rag, word_embedder):
    embedder = word_embedder("words:2")
    rag = make_rag(model=embedder)
    for number in range(3):
        rag.search(f"text {number}")
    assert len(embedder.documents) <= 4
