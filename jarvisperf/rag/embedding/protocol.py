"""Turns texts into vectors: the protocol, and which embedder a name stands for."""

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
    """What makes vectors. Give an object of your own as ``OptimizedRAG(model=…)`` to use another library.

    It is called from several threads at once. It may have two more methods, which are used where they are there:
    ``embed_queries(texts)``, one row per query, for many queries at once; and ``count_tokens(text)``, for contexts
    with a limit of tokens.
    """

    @property
    def identity(self) -> str | None:
        """What tells this embedder's vectors from those of others; part of the keys of cached answers and vectors.

        It must change whenever the vectors would, and cost little: it is read for every cached query. None: not known
        yet, so nothing is cached.
        """
        ...

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text; ``texts`` is never empty."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a query: one dimension, as long as a document's."""
        ...


def embedder_for(
    model: str | os.PathLike[str] | Embedder | None = None, options: ModelOptions | None = None
) -> Embedder:
    """The embedder that ``OptimizedRAG(model=model)`` uses; loads no model yet.

    Args:
        model: A folder or hub name of a sentence-transformers model, or an embedder; None: the setting
            ``JARVISPERF_MODEL``, else an installed model, else all-MiniLM-L6-v2 from the hub.
        options: How to run a sentence-transformers model; None: as the defaults say.

    Raises:
        TypeError: The model is something else.
        ValueError: The model is an empty string, options are given beside an embedder, or an environment variable has
            a value that it cannot have.
    """
    from jarvisperf.rag.embedding.sentence_transformer import SentenceTransformerEmbedder

    if model is None:
        return SentenceTransformerEmbedder(None, read_settings().model, options)
    if model == "":
        raise ValueError("model is '': give a folder or a hub name, or None for the one of the settings")
    if isinstance(model, str | os.PathLike):
        return SentenceTransformerEmbedder(model, None, options)
    if isinstance(model, Embedder):
        if options not in {None, ModelOptions()}:
            raise ValueError(f"options of a model are given beside an embedder of its own: {options}")
        return model
    raise TypeError(
        f"model is a {type(model).__name__}: give a folder, a hub name, or an object with identity,"
        " embed_documents and embed_query"
    )
