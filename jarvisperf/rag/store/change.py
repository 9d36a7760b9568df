"""The record of one write, against which cached answers are checked later."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

MOST_VECTORS_PER_CALL: Final = 2048
"""Maximum number of passages recorded per call; without a limit, bulk loads would fill the cache with vectors."""

EVERYWHERE: Final = math.inf
"""The radius of an answer that any new passage could join."""


class StoreChange(msgspec.Struct, frozen=True, array_like=True):
    """The effect of one write.

    Attributes:
        ids: The passages that it added, replaced or removed.
        vectors: The unit vectors of the added and replaced passages, float32, row after row; empty if one has none yet.
        metadatas: The metadata of each of those passages.
        growth: By how many passages with a vector the collection grew.
        texts_stay: The write only added the vectors of passages that had none.
    """

    ids: tuple[str, ...]
    vectors: bytes = b""
    metadatas: tuple[dict[str, Any] | None, ...] = ()
    growth: int = 0
    texts_stay: bool = False


def unit_rows(vectors: Any) -> Any:
    """Scale each row to length 1, as a float32 array of two dimensions; a row of zeros stays as it is."""
    import numpy as np

    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
