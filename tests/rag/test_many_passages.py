"""Tests with more passages than SQLite accepts variables in one statement (32,766), where Chroma's own calls fail."""

from __future__ import annotations

import pytest
from rag.hash_embedder import HashEmbedder

from jarvisperf.rag import OptimizedRAG
from jarvisperf.rag.store.chroma import ChromaStore
from jarvisperf.rag.store.folder import FolderHome

COUNT = 33_000

pytestmark = pytest.mark.xdist_group("many passages")  # they share a collection that takes a while to fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("large") / "chroma"


@pytest.fixture(scope="module")
def cache():
    from jarvisperf.cache import SmartCache

    with SmartCache(None, None) as cache:
        yield cache


@pytest.fixture(scope="module")
def large(folder, cache, require):
    require("chromadb")
    texts = [f"passage {number}" for number in range(COUNT)]
    metadatas = [{"source": "all"}] * COUNT
    with OptimizedRAG(folder, cache, HashEmbedder(), embedding_cache=False, embed_in_background=False) as rag:
        rag.batch_add_texts(texts[:50], ids=texts[:50], metadatas=metadatas[:50])
        assert rag.batch_add_texts(texts, batch_size=40_000, ids=texts, metadatas=metadatas).added == COUNT - 50
        yield rag


@pytest.fixture(scope="module")
def exact(large, folder, cache):
    with OptimizedRAG(folder, cache, HashEmbedder(), embedding_cache=False, exact=True) as rag:
        yield rag


def test_an_exact_search_compares_with_all_of_them(exact):
    found = exact.search("passage 7", 3)
    assert (found[0].text, found[0].id, found[0].source) == ("passage 7", "passage 7", "all")
    assert exact.search("passage 7", 3, where={"source": "all"}) == found
    assert len(exact.search("passage 7", COUNT, diversity=None)) == COUNT


def test_a_source_may_have_so_many(large, folder):
    assert large.sources() == {"all": COUNT}
    store = ChromaStore(FolderHome(folder, "documents"), "documents", print)
    assert len(store.marks_of_source("all", "passage")) == COUNT
    store.close()


def test_so_many_can_be_asked_for(large):
    assert len({result.text for result in large.search("passage 7", COUNT)}) == COUNT


def test_so_many_can_be_found_by_many_queries_at_once(large, exact):
    queries = [f"passage {number}" for number in range(0, COUNT, 3)]
    found = large.search_many(queries, 5)
    assert [len(results) for results in found] == [5] * len(queries)
    assert [results[0].text for results in found[:100]] == queries[:100]
    assert exact.search_many(queries[:20], 5)[19][0].text == queries[19]


def test_a_hybrid_search_may_ask_for_so_many(large, require):
    require("bm25s")
    found = large.search("passage 7", 8300, hybrid=True)
    assert len(found) == 8300
    assert found[0].text == "passage 7"
