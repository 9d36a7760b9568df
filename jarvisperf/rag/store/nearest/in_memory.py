"""The vectors of a collection in memory, so that a query can be compared with every passage.

Chroma's index does not always reach every passage, right after a write least of all, and orders equal scores at random.
A comparison with every vector does neither, and for a few thousand passages takes no longer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.store.change import StoreChange, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.generation import CollectionState, Heads

# float32 sums of a few hundred products vary by 1e-6 with the order of summation; candidates this close are compared
# again in float64, row by row, so that the size of the matrix cannot change their order.
_NOISE: Final = 1e-5
_DIGITS: Final = 9


class Vectors(NamedTuple):
    """The vectors of all passages in one state.

    Attributes:
        ids: The passages' ids.
        rows: Their unit vectors, float32.
        row_of: The row of each id.
    """

    ids: NDArray[np.object_]
    rows: NDArray[np.float32]
    row_of: dict[str, int]

    def nearest(self, vector: NDArray[np.float32], count: int, among: Sequence[int] | None) -> list[tuple[str, float]]:
        """Return the ids nearest to a vector with their cosine distances, ties ordered by id.

        Args:
            vector: The query's vector.
            count: Maximum number of ids.
            among: The rows to choose from; None for all.
        """
        import numpy as np

        ids, rows = (self.ids, self.rows) if among is None else (self.ids[among], self.rows[among])
        if not len(ids):
            return []
        unit = unit_rows(vector)[0]
        # Not rows @ unit: the threads of BLAS wait for each other, 18 ms for 2,000 rows on a busy machine.
        scores = np.einsum("ij,j->i", rows, unit)
        last = np.partition(scores, len(scores) - count)[len(scores) - count] if count < len(scores) else -np.inf
        chosen = np.flatnonzero(~(scores < last - _NOISE))
        products = rows[chosen].astype(np.float64) * unit.astype(np.float64)
        distances = np.round(1.0 - products.sum(axis=1), _DIGITS).tolist()
        return sorted(zip(ids[chosen].tolist(), distances, strict=True), key=lambda one: (one[1], one[0]))[:count]


class VectorsInMemory:
    """Keeps the vectors of the latest state; safe to call from several threads.

    Args:
        read_state: Returns the current state of the collection; None if it is unknown.
        load: Returns the ids and vectors of the passages with these ids, or of all passages for None.
        changes_between: Returns the changes from one generation to a later one; None if they are unknown.
    """

    def __init__(
        self,
        read_state: Callable[[], CollectionState | None],
        load: Callable[[Iterable[str] | None], tuple[list[str], Any]],
        changes_between: Callable[[Heads, Heads], list[StoreChange] | None],
    ) -> None:
        self._read_state = read_state
        self._load = load
        self._changes_between = changes_between
        self._kept: tuple[CollectionState, Vectors] | None = None
        self._lock = threading.Lock()
        renew_lock_when_forked(self)

    def current(self) -> Vectors:
        """Return the vectors of the current state, loading what has changed."""
        kept, state = self._kept, self._read_state()
        if kept is not None and kept[0] == state and not state.writing:
            return kept[1]
        with self._lock:
            state = self._read_state()
            kept = self._kept
            if kept is not None and kept[0] == state and not state.writing:
                return kept[1]
            vectors = self._brought_up_to(state) or _vectors(*self._load(None))
            is_stable = state is not None and not state.writing and self._read_state() == state
            self._kept = (state, vectors) if is_stable and state is not None else None
            return vectors

    def _brought_up_to(self, state: CollectionState | None) -> Vectors | None:
        """Return the kept vectors with all known changes; None if something unknown has changed."""
        import numpy as np

        if self._kept is None or state is None or state.writing or state.collection != self._kept[0].collection:
            return None
        before, old = self._kept
        changes = self._changes_between(before.heads, state.heads)
        if changes is None:
            return None
        changed = list(dict.fromkeys(key for change in changes for key in change.ids))
        if not changed:
            return old
        new = _vectors(*self._load(changed))
        if not len(old.ids):
            return new
        stale = [old.row_of[key] for key in changed if key in old.row_of]
        ids, rows = np.delete(old.ids, stale), np.delete(old.rows, stale, axis=0)
        if len(new.ids):
            ids, rows = np.concatenate([ids, new.ids]), np.concatenate([rows, new.rows])
        return _with_places(ids, rows)


def _vectors(ids: list[str], rows: Any) -> Vectors:
    import numpy as np

    found = np.empty(len(ids), dtype=object)
    found[:] = ids
    return _with_places(found, unit_rows(rows) if ids else np.empty((0, 0), dtype=np.float32))


def _with_places(ids: NDArray[np.object_], rows: NDArray[np.float32]) -> Vectors:
    return Vectors(ids, rows, {key: row for row, key in enumerate(ids.tolist())})
