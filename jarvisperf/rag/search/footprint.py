"""Whether an answer is still true after writes.

The nearest ``k`` of a set stay the nearest ``k`` unless one of them changes or something nearer comes. So an answer
outlives a write that touched none of its passages, and none of whose new vectors lies within the distance of its last
passage and passes its filter. Updates count as both: the old passage touched, the new vector come. An answer of fewer
than ``k`` passages is one that anything could join.

This holds wherever within these writes the answer was computed: the passages that it has and that no write touched
are there before and after. It is exact for exact search. Chroma's index (HNSW) is approximate: there a new vector,
however far away, may change the way to a near one, and an answer that is kept is as good as it was when it was
computed, not necessarily the one that the changed index would give.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jarvisperf.rag.store.filters import surely_excludes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.rag.answers.changes import Change

EVERYWHERE: Final = math.inf
_NOISE: Final = 1e-5  # float32 sums of a few hundred products differ by 1e-6 with the order of summation


class Footprint(msgspec.Struct, frozen=True, array_like=True):
    """What an answer depends on.

    Attributes:
        vector: The query's unit vector, float32.
        radius: Cosine distance of the last passage; infinity where there was room for more.
        ids: The passages that it was made of.
        where: The filter on metadata.
    """

    vector: bytes
    radius: float
    ids: tuple[str, ...]
    where: dict[str, Any] | None = None


def footprint_of(vector: Any, radius: float, ids: Sequence[str], where: Mapping[str, Any] | None = None) -> Footprint:
    """The footprint of an answer to the query with this vector (a NumPy array)."""
    return Footprint(unit_rows(vector), radius, tuple(ids), dict(where) if where is not None else None)


def unit_rows(vectors: Any) -> bytes:
    """Float32 rows of length 1, packed; a row of length 0 stays one."""
    import numpy as np

    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    packed: bytes = (rows / np.maximum(norms, np.finfo(np.float32).tiny)).tobytes()
    return packed


def survives(footprint: Footprint, changes: Sequence[Change]) -> bool:
    """Whether an answer with this footprint is the same after these changes."""
    ids = set(footprint.ids)
    if not all(ids.isdisjoint(change.ids) for change in changes):
        return False
    return not any(_comes_within(footprint, change) for change in changes if change.metadatas)


def _comes_within(footprint: Footprint, change: Change) -> bool:
    rows = _rows_within(footprint, change)
    return any(not surely_excludes(footprint.where, change.metadatas[row]) for row in rows)


def _rows_within(footprint: Footprint, change: Change) -> Sequence[int]:
    if footprint.radius == EVERYWHERE:
        return range(len(change.metadatas))
    import numpy as np

    query = np.frombuffer(footprint.vector, dtype=np.float32)
    rows = np.frombuffer(change.vectors, dtype=np.float32)
    if len(rows) != len(query) * len(change.metadatas):  # of another model
        return range(len(change.metadatas))
    distances = 1.0 - rows.reshape(-1, len(query)) @ query
    found: list[int] = np.flatnonzero(~(distances > footprint.radius + _NOISE)).tolist()  # not a number counts as near
    return found
