"""Tests that a folder of ordinary size is searched exactly by default, with the vectors of the current state."""

from __future__ import annotations

import numpy as np
import pytest
from rag.hash_embedder import HashEmbedder

from jarvisperf.rag.store.nearest import passages

TEXTS = [f"text {number}" for number in range(300)]


def nearest(query, texts, count):
    model = HashEmbedder(32)
    vector = model.embed_query(query).astype(np.float64)
    distance = {text: round(1 - float(model.embed_query(text).astype(np.float64) @ vector), 6) for text in texts}
    return sorted(texts, key=lambda text: distance[text])[:count]


@pytest.fixture
def rag(make_rag):
    rag = make_rag(model=HashEmbedder(32))
    rag.batch_add_texts(TEXTS, ids=TEXTS)
    return rag


def test_every_search_right_after_a_write_finds_what_is_nearest(rag, make_rag):
    other = make_rag(model=HashEmbedder(32))
    stored = list(TEXTS)
    for number in range(40):
        new = f"new {number}"
        rag.batch_add_texts([new], ids=[new])
        rag.delete(ids=[stored.pop(number)])
        stored.append(new)
        for reader in (rag, other):
            found = [result.text for result in reader.search(f"query {number}", n_results=10)]
            assert found == nearest(f"query {number}", stored, 10)


def test_equal_scores_are_ordered_by_id_in_every_search(rag, make_rag):
    keys = [f"copy {number:02}" for number in range(30)]
    for key in reversed(keys):
        rag.batch_add_texts(["the same"], ids=[key])
    late = make_rag(model=HashEmbedder(32))
    for reader in (rag, late):
        assert [result.id for result in reader.search("the same", n_results=7)] == keys[:7]
        many = reader.search_many(["the same", "other"], n_results=7)
        assert [result.id for result in many[0]] == keys[:7]


def test_a_filter_chooses_among_the_vectors_in_memory(rag):
    rag.batch_add_texts(TEXTS[:20], ids=[f"chosen {text}" for text in TEXTS[:20]], metadatas=[{"chosen": True}] * 20)
    found = [result.text for result in rag.search("query", n_results=5, where={"chosen": True})]
    assert found == nearest("query", TEXTS[:20], 5)
    assert rag.search("query", where={"chosen": False}) == []


def test_above_the_limit_the_index_is_used_unless_every_passage_is_asked_for(rag, make_rag, monkeypatch):
    monkeypatch.setattr(passages, "MOST_IN_MEMORY", 299)
    exact = make_rag(model=HashEmbedder(32), exact=True)
    assert [result.text for result in exact.search("query", n_results=5)] == nearest("query", TEXTS, 5)
    assert len(rag.search("query", n_results=5)) == 5
