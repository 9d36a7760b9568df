"""The RAG with the real model and a real Chroma folder: uncached and cached, one at a time and batched."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from jarvisperf.bench.corpus import QUERIES, reference_chunks

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag import OptimizedRAG

INGESTED = reference_chunks()[:250]


def asking(ask: Callable[[str], object]) -> Callable[[], object]:
    """Return a function that asks the next question at every call."""
    queries = cycle(QUERIES)
    return lambda: ask(next(queries))


@pytest.mark.jarvis_bench(group="rag search")
def test_search(jarvis_bench: Any, warmed_rag: OptimizedRAG) -> None:
    jarvis_bench(asking(warmed_rag.search))


@pytest.mark.jarvis_bench(group="rag search", before="test_search")
def test_search_cached(jarvis_bench: Any, warmed_rag: OptimizedRAG) -> None:
    for query in QUERIES:
        assert warmed_rag.search_cached(query) == warmed_rag.search(query)
    jarvis_bench(asking(warmed_rag.search_cached))


@pytest.mark.jarvis_bench(group="rag context")
def test_context(jarvis_bench: Any, warmed_rag: OptimizedRAG) -> None:
    jarvis_bench(asking(warmed_rag.generate_context))


@pytest.mark.jarvis_bench(group="rag context", before="test_context")
def test_context_cached(jarvis_bench: Any, warmed_rag: OptimizedRAG) -> None:
    for query in QUERIES:
        assert warmed_rag.generate_context_cached(query) == warmed_rag.generate_context(query)
    jarvis_bench(asking(warmed_rag.generate_context_cached))


def fill_one_by_one(rag: OptimizedRAG) -> None:
    """Add the texts the naive way."""
    for text in INGESTED:
        rag.batch_add_texts([text])


def fill_in_batches(rag: OptimizedRAG) -> None:
    """Add the texts as the library is meant to be used."""
    rag.batch_add_texts(INGESTED)
    getattr(rag, "wait", lambda: None)()  # a base from before vectors were computed in the background has no wait


@pytest.fixture
def fresh_rag(rag_factory: Callable[..., OptimizedRAG]) -> Callable[[], tuple[tuple[OptimizedRAG], dict[str, Any]]]:
    """Return a setup function that creates an empty RAG whose model is loaded."""

    def make() -> tuple[tuple[OptimizedRAG], dict[str, Any]]:
        rag = rag_factory()
        rag.batch_add_texts(["The first text loads the model and creates the collection."])
        return (rag,), {}

    return make


@pytest.mark.jarvis_bench(group="rag ingestion of 250 texts")
def test_ingest_one_by_one(jarvis_bench: Any, fresh_rag: Callable[[], Any]) -> None:
    jarvis_bench.pedantic(fill_one_by_one, setup=fresh_rag, rounds=2)


@pytest.mark.jarvis_bench(group="rag ingestion of 250 texts", before="test_ingest_one_by_one")
def test_ingest_batched(jarvis_bench: Any, fresh_rag: Callable[[], Any]) -> None:
    jarvis_bench.pedantic(fill_in_batches, setup=fresh_rag, rounds=2)
