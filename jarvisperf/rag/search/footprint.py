"""The data that an answer depends on, and whether the answer is still valid after writes.

The nearest ``k`` passages stay the nearest ``k`` unless one of them changes or a nearer one arrives. So an answer
survives a write that touched none of its passages and added no vector that passes its filter within the distance of its
last passage. An update counts as both: its old passage was touched and its new vector was added. Any new passage could
join an answer with fewer than ``k`` passages.

This holds no matter when during the writes the answer was computed, because passages of the answer that no write
touched exist before and after. It is exact for exact search. Chroma's index (HNSW) is approximate: a distant new vector
may change the path to a near one. An answer that is kept is then as good as when it was computed, but not necessarily
the one that the changed index would return.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from jarvisperf.rag.store.change import EVERYWHERE
from jarvisperf.rag.store.filters import surely_excludes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.rag.store.change import StoreChange

T = TypeVar("T")

_NOISE: Final = 1e-5  # float32 sums of a few hundred products vary by 1e-6 with the order of summation


class Footprint(msgspec.Struct, frozen=True, array_like=True):
    """The data that an answer depends on.

    Attributes:
        vector: The query's unit vector, float32.
        radius: Cosine distance of the last passage; infinity if there were fewer passages than requested.
        ids: The ids of its passages.
        where: The filter on metadata.
    """

    vector: bytes
    radius: float
    ids: tuple[str, ...]
    where: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Computed(Generic[T]):
    """A computed answer.

    Attributes:
        value: The answer.
        footprint: What it depends on; without a footprint, any write invalidates the answer.
        complete: Whether the query was compared with every passage that may be found.
        lasting: Whether a search of the same state gives the same answer; False while passages wait for their vectors.
    """

    value: T
    footprint: Footprint | None
    complete: bool = True
    lasting: bool = True


def survives(footprint: Footprint, changes: Sequence[StoreChange]) -> bool:
    """Return whether an answer with this footprint is provably the same after these changes."""
    ids = set(footprint.ids)
    if not all(ids.isdisjoint(change.ids) for change in changes):
        return False
    return not any(_may_join(footprint, change) for change in changes if change.metadatas)


def _may_join(footprint: Footprint, change: StoreChange) -> bool:
    rows = _rows_within_radius(footprint, change)
    return any(not surely_excludes(footprint.where, change.metadatas[row]) for row in rows)


def _rows_within_radius(footprint: Footprint, change: StoreChange) -> Sequence[int]:
    if footprint.radius == EVERYWHERE:
        return range(len(change.metadatas))
    import numpy as np

    query = np.frombuffer(footprint.vector, dtype=np.float32)
    rows = np.frombuffer(change.vectors, dtype=np.float32)
    if len(rows) != len(query) * len(change.metadatas):  # vectors of another model
        return range(len(change.metadatas))
    distances = 1.0 - rows.reshape(-1, len(query)) @ query
    found: list[int] = np.flatnonzero(~(distances > footprint.radius + _NOISE)).tolist()  # NaN counts as near
    return found
