"""Computes the vectors of documents, reusing those in the embedding cache."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.embedding.cache import vector_key
from jarvisperf.rag.errors import DimensionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.cache import EmbeddingCache
    from jarvisperf.rag.embedding.protocol import Embedder

_ROLE = "document"
_SAVED_TOGETHER = 512  # an interruption loses at most this many, a few seconds' work
_MOST_SHOWN: Final = 60


def document_vectors(
    texts: Sequence[str], embedder: Embedder, cache: EmbeddingCache | None
) -> tuple[NDArray[np.float32], int]:
    """Return one row per text, and the number of texts that were embedded; equal texts are embedded once.

    Args:
        texts: At least one text.
        embedder: Embeds the texts whose vectors are not cached.
        cache: Caches vectors; None for no caching.

    Raises:
        ValueError: The embedder returned an array of the wrong shape, or a vector that is not finite.
    """
    known = known_vectors(texts, embedder, cache)
    embedded = _computed([text for text in dict.fromkeys(texts) if text not in known], embedder, cache)
    if len({len(row) for row in (known | embedded).values()}) > 1:  # some were cached with another dimension
        embedded |= _computed([text for text in known if text not in embedded], embedder, cache)
    return as_rows(known | embedded, texts), len(embedded)


@contextlib.contextmanager
def kept_if_stored(texts: Iterable[str], embedder: Embedder, cache: EmbeddingCache | None) -> Iterator[None]:
    """Forget the vectors of these texts if the body cannot store them because of their dimension.

    An embedder that once returned such vectors is then asked again.
    """
    try:
        yield
    except DimensionError:
        model = embedder.identity
        if cache is not None and model is not None:
            cache.remove(vector_key(model, _ROLE, text) for text in texts)
        raise


def _computed(texts: Sequence[str], embedder: Embedder, cache: EmbeddingCache | None) -> dict[str, bytes]:
    """Return the packed vectors of different texts, and cache them."""
    found: dict[str, bytes] = {}
    for start in range(0, len(texts), _SAVED_TOGETHER):
        part = texts[start : start + _SAVED_TOGETHER]
        packed = dict(zip(part, (row.tobytes() for row in _embed(part, embedder)), strict=True))
        found |= packed
        model = embedder.identity  # that of a hub model is known once it has been downloaded
        if cache is not None and model is not None:
            cache.put({vector_key(model, _ROLE, text): row for text, row in packed.items()})
    return found


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
    if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.shape[1]:
        raise ValueError(
            f"the embedder returned an array of shape {vectors.shape} for {len(texts)} texts: return one row per text"
        )
    check_finite(vectors, texts)
    return np.ascontiguousarray(vectors)


def query_vector(returned: Any) -> NDArray[np.float32]:
    """Return the vector of a query as an embedder should return it, given what it did: a list, or one row, will do.

    Raises:
        ValueError: It is not one vector.
    """
    import numpy as np

    vector = np.asarray(returned, dtype=np.float32)
    if not vector.size or vector.shape not in {(vector.size,), (1, vector.size)}:
        raise ValueError(f"the embedder returned an array of shape {vector.shape} for a query: return one dimension")
    return vector.reshape(-1)


def check_finite(vectors: NDArray[np.float32], texts: Sequence[str]) -> None:
    """Check that the vectors of texts contain neither NaN nor infinity, which are near to nothing and spread.

    Raises:
        ValueError: One does; the message shows its text.
    """
    import numpy as np

    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        text = texts[int(wrong[0])]
        shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
        raise ValueError(
            f"the embedder returned NaN or infinity in {len(wrong)} of {len(texts)} vectors, first in that of"
            f" {shown!r}: correct the embedder and repeat the call"
        )
