"""The embedder protocol, and the function that returns the embedder for a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jarvisperf.rag.embedding.options import ModelOptions
from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors. To use another library, pass your own object as ``OptimizedRAG(model=…)``.

    It is called from several threads at once. It may have two optional methods: ``embed_queries(texts)``, which returns
    one row per query, for many queries at once; and ``count_tokens(text)``, for contexts with a token limit. If it also
    has an attribute ``max_tokens``, the number of tokens of a document that it reads, files are split accordingly. Its
    attribute ``prompts``, if any, is shown in statistics: a dictionary of what it puts before a ``query`` and before a
    ``document``.
    """

    @property
    def identity(self) -> str | None:
        """Distinguishes this embedder's vectors from those of others, in the keys of cached answers and vectors.

        It must change whenever the vectors would, and be cheap, because it is read for every cached query. While it is
        None (not known yet), nothing is cached.
        """
        ...

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per text; ``texts`` is never empty."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a query: one-dimensional, as long as a document's."""
        ...


def embedder_for(
    model: str | os.PathLike[str] | Embedder | None = None, options: ModelOptions | None = None
) -> Embedder:
    """Return the embedder that ``OptimizedRAG(model=model)`` uses, without loading a model.

    Args:
        model: A folder or hub name of a sentence-transformers model, or an embedder. None uses the setting
            ``JARVISPERF_MODEL``, else an installed model, else all-MiniLM-L6-v2 from the hub.
        options: How to run a sentence-transformers model; None uses the defaults.

    Raises:
        TypeError: The model has the wrong type.
        ValueError: The model is an empty string, options are given together with an embedder, or an environment
            variable has an invalid value.
    """
    from jarvisperf.rag.embedding.sentence_transformer import SentenceTransformerEmbedder

    if model is None:
        return SentenceTransformerEmbedder(None, read_settings().model, options)
    if model == "":
        raise ValueError("model is '': give a folder or a hub name, or None for the configured one")
    if isinstance(model, str | os.PathLike):
        return SentenceTransformerEmbedder(model, None, options)
    if isinstance(model, Embedder):
        if options not in {None, ModelOptions()}:
            raise ValueError(f"model options do not apply to a given embedder: {options}")
        return model
    raise TypeError(
        f"model is of type {type(model).__name__}: give a folder, a hub name, or an object with identity,"
        " embed_documents and embed_query"
    )
