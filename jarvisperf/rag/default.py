"""The process's shared OptimizedRAG and embedding model, configured by the settings."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.embedding.protocol import embedder_for
from jarvisperf.rag.optimized import OptimizedRAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.protocol import Embedder

_lock = threading.Lock()
renew_lock_when_forked(sys.modules[__name__])
_shared: OptimizedRAG | None = None


def get_optimized_rag() -> OptimizedRAG:
    """Return the process's shared OptimizedRAG, created on the first call and again after it has been closed.

    Its documents are in ``chroma`` in the folder named by ``JARVISPERF_DATA_DIR``, its model is the one named by
    ``JARVISPERF_MODEL``, and its cache is the process's default cache.

    Raises:
        ValueError: An environment variable has an invalid value.
    """
    global _shared  # noqa: PLW0603 - a documented singleton
    with _lock:
        if _shared is None or _shared.closed:
            _shared = OptimizedRAG()
        return _shared


class Embeddings:
    """The process's embedding model, loaded when it encodes the first text."""

    def encode(self, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """Return the vector of one text, or one row per text.

        Args:
            texts: A text, which is embedded like a query, or several, which are embedded like documents.

        Raises:
            ValueError: An environment variable has an invalid value.
            ModelNotFoundError: The model is neither installed nor available from the hub.
        """
        embedder = _shared_embedder()
        return embedder.embed_query(texts) if isinstance(texts, str) else embedder.embed_documents(texts)


@functools.cache
def _shared_embedder() -> Embedder:
    return embedder_for()


embeddings = Embeddings()
