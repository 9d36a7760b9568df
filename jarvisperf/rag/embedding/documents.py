"""Computes the vectors of documents, reusing those in the embedding cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.rag.embedding.cache import vector_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.cache import EmbeddingCache
    from jarvisperf.rag.embedding.protocol import Embedder

_ROLE = "document"
_SAVED_TOGETHER = 512  # an interruption loses at most this many, a few seconds' work


def document_vectors(
    texts: Sequence[str], embedder: Embedder, cache: EmbeddingCache | None
) -> tuple[NDArray[np.float32], int]:
    """Return one row per text, and the number of texts that were embedded; equal texts are embedded once.

    Args:
        texts: At least one text.
        embedder: Embeds the texts whose vectors are not cached.
        cache: Caches vectors; None for no caching.

    Raises:
        ValueError: The embedder returned an array of the wrong shape.
    """
    known = known_vectors(texts, embedder, cache)
    unknown = [text for text in dict.fromkeys(texts) if text not in known]
    for start in range(0, len(unknown), _SAVED_TOGETHER):
        part = unknown[start : start + _SAVED_TOGETHER]
        packed = dict(zip(part, (row.tobytes() for row in _embed(part, embedder)), strict=True))
        known |= packed
        model = embedder.identity  # that of a hub model is known once it has been downloaded
        if cache is not None and model is not None:
            cache.put({vector_key(model, _ROLE, text): row for text, row in packed.items()})
    return as_rows(known, texts), len(unknown)


def known_vectors(texts: Iterable[str], embedder: Embedder, cache: EmbeddingCache | None) -> dict[str, bytes]:
    """Return the packed vectors of those texts whose vectors are cached."""
    model = embedder.identity if cache is not None else None
    if cache is None or model is None:
        return {}
    keys = {text: vector_key(model, _ROLE, text) for text in dict.fromkeys(texts)}
    kept = cache.get(list(keys.values()))
    return {text: kept[key] for text, key in keys.items() if key in kept}


def as_rows(known: Mapping[str, bytes], texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one row per text, given their packed vectors."""
    import numpy as np

    return np.frombuffer(b"".join(known[text] for text in texts), dtype=np.float32).reshape(len(texts), -1)


def _embed(texts: Sequence[str], embedder: Embedder) -> NDArray[np.float32]:
    import numpy as np

    vectors = np.asarray(embedder.embed_documents(list(texts)), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(
            f"the embedder returned an array of shape {vectors.shape} for {len(texts)} texts: return one row per text"
        )
    return np.ascontiguousarray(vectors)
