"""Retrieval over documents whose cached answers are fast and never stale.

The names below load what they need when they are first used: importing this package is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = [
    "AddReport",
    "DocumentError",
    "Embedder",
    "Failure",
    "MissingPackageError",
    "ModelNotFoundError",
    "ModelOptions",
    "OptimizedRAG",
    "PerformanceStats",
    "RagError",
    "SearchResult",
    "SentenceTransformerEmbedder",
    "StoreError",
    "StoreInUseError",
    "embedder_for",
    "get_optimized_rag",
]

if TYPE_CHECKING:
    from jarvisperf.rag.default import get_optimized_rag
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
    from jarvisperf.rag.results import AddReport, Failure, SearchResult
    from jarvisperf.rag.stats import PerformanceStats
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "AddReport": "jarvisperf.rag.results",
            "DocumentError": "jarvisperf.rag.errors",
            "Embedder": "jarvisperf.rag.embedding.protocol",
            "MissingPackageError": "jarvisperf.rag.errors",
            "Failure": "jarvisperf.rag.results",
            "ModelNotFoundError": "jarvisperf.rag.errors",
            "ModelOptions": "jarvisperf.rag.embedding.options",
            "OptimizedRAG": "jarvisperf.rag.optimized",
            "PerformanceStats": "jarvisperf.rag.stats",
            "RagError": "jarvisperf.rag.errors",
            "SearchResult": "jarvisperf.rag.results",
            "SentenceTransformerEmbedder": "jarvisperf.rag.embedding.sentence_transformer",
            "StoreError": "jarvisperf.rag.errors",
            "StoreInUseError": "jarvisperf.rag.errors",
            "embedder_for": "jarvisperf.rag.embedding.protocol",
            "get_optimized_rag": "jarvisperf.rag.default",
        },
    )
