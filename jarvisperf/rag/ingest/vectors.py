"""The vectors of documents: those that are known from the embedding cache, the others from the embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.rag.embedding.cache import vector_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.cache import EmbeddingCache
    from jarvisperf.rag.embedding.protocol import Embedder

_ROLE = "document"
_SAVED_TOGETHER = 512  # what an interruption may cost: seconds


def document_vectors(
    texts: Sequence[str], embedder: Embedder, cache: EmbeddingCache | None
) -> tuple[NDArray[np.float32], int]:
    """One row per text, and how many texts the embedder was given: equal texts are embedded once.

    Args:
        texts: At least one.
        embedder: Embeds what is not known.
        cache: Where vectors are kept; None: nowhere.

    Raises:
        ValueError: The embedder gave an array of a wrong shape.
    """
    import numpy as np

    known: dict[str, bytes] = {}
    model = embedder.identity if cache is not None else None
    distinct = list(dict.fromkeys(texts))
    keys = {} if model is None else {text: vector_key(model, _ROLE, text) for text in distinct}
    if cache is not None and keys:
        kept = cache.get(list(keys.values()))
        known = {text: kept[key] for text, key in keys.items() if key in kept}
    unknown = [text for text in distinct if text not in known]
    for start in range(0, len(unknown), _SAVED_TOGETHER):
        part = unknown[start : start + _SAVED_TOGETHER]
        packed = dict(zip(part, (row.tobytes() for row in _embed(part, embedder)), strict=True))
        known |= packed
        if cache is not None:
            model = model or embedder.identity  # a model from the hub is known once it has been used
            if model is not None:
                cache.put({keys.get(text) or vector_key(model, _ROLE, text): row for text, row in packed.items()})
    rows = np.frombuffer(b"".join(known[text] for text in texts), dtype=np.float32).reshape(len(texts), -1)
    return rows, len(unknown)


def _embed(texts: Sequence[str], embedder: Embedder) -> NDArray[np.float32]:
    import numpy as np

    vectors = np.asarray(embedder.embed_documents(list(texts)), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"the embedder gave an array of shape {vectors.shape} for {len(texts)} texts: one row each")
    return np.ascontiguousarray(vectors)
