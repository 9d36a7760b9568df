"""Passages and their vectors in Chroma."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["ChromaStore"]

if TYPE_CHECKING:
    from jarvisperf.rag.store.chroma import ChromaStore
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.rag.store.chroma"))
