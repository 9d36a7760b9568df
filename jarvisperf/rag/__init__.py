"""Retrieval over documents, with cached answers that are fast and never stale. Importing this package is cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = [
    "AddReport",
    "Context",
    "DocumentError",
    "Embedder",
    "Failure",
    "MissingPackageError",
    "ModelNotFoundError",
    "ModelOptions",
    "OptimizedRAG",
    "PerformanceStats",
    "RagError",
    "SearchOptions",
    "SearchResult",
    "SearchResults",
    "SentenceTransformerEmbedder",
    "ServerOptions",
    "StoreError",
    "StoreInUseError",
    "StoredPassage",
    "embedder_for",
    "embeddings",
    "get_optimized_rag",
]

if TYPE_CHECKING:
    from jarvisperf.rag.default import embeddings, get_optimized_rag
    from jarvisperf.rag.embedding.options import ModelOptions
    from jarvisperf.rag.embedding.protocol import Embedder, embedder_for
    from jarvisperf.rag.embedding.sentence_transformer import SentenceTransformerEmbedder
    from jarvisperf.rag.errors import (
        DocumentError,
        MissingPackageError,
        ModelNotFoundError,
        RagError,
        StoreError,
        StoreInUseError,
    )
    from jarvisperf.rag.optimized import OptimizedRAG
    from jarvisperf.rag.results import AddReport, Context, Failure, SearchResult, SearchResults, StoredPassage
    from jarvisperf.rag.search.request import SearchOptions
    from jarvisperf.rag.stats import PerformanceStats
    from jarvisperf.rag.store.server.options import ServerOptions
else:
    _HOMES = {
        "default": "embeddings get_optimized_rag",
        "embedding.options": "ModelOptions",
        "embedding.protocol": "Embedder embedder_for",
        "embedding.sentence_transformer": "SentenceTransformerEmbedder",
        "errors": "DocumentError MissingPackageError ModelNotFoundError RagError StoreError StoreInUseError",
        "optimized": "OptimizedRAG",
        "results": "AddReport Context Failure SearchResult SearchResults StoredPassage",
        "search.request": "SearchOptions",
        "stats": "PerformanceStats",
        "store.server.options": "ServerOptions",
    }
    __getattr__, __dir__ = attach(
        __name__,
        {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names.split()},
        {name: "rag" for home, names in _HOMES.items() if home != "errors" for name in names.split()},
    )
