"""Finds the passages nearest to a vector in the way that suits their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.store.chroma_collection import PASSAGE, ChromaCollection
from jarvisperf.rag.store.nearest.in_memory import VectorsInMemory
from jarvisperf.rag.store.records import Hit, neighbours, neighbours_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.change import StoreChange
    from jarvisperf.rag.store.collection import Collection
    from jarvisperf.rag.store.filters import Selection
    from jarvisperf.rag.store.generation import CollectionState, Heads
    from jarvisperf.rag.store.records import Neighbours

MOST_IN_MEMORY = 10_000
"""Up to this many passages, searches compare with every one in memory unless ``exact`` asks for it at any size."""

_INCLUDED: Final = [*PASSAGE, "distances"]
_COUNT_ABOVE: Final = 1000  # above this, counting the passages is faster than requesting more results than there are
# Chroma fetches the texts of all hits in one SQLite statement, which takes at most 32,766 variables.
_MAX_TEXTS_AT_ONCE: Final = 30_000


class NearestPassages:
    """Searches the collection of passages that have vectors.

    Args:
        owner: Opens the collection and explains errors.
        exact: Compare each query with every passage instead of using Chroma's approximate index.
        read_state: Returns the current state of the collection; None if it is unknown.
        changes_between: Returns the changes from one generation to a later one; None if they are unknown. Without it,
            no vectors are kept in memory.
    """

    def __init__(
        self,
        owner: Collection,
        *,
        exact: bool,
        read_state: Callable[[], CollectionState | None],
        changes_between: Callable[[Heads, Heads], list[StoreChange] | None] | None,
    ) -> None:
        self._owner = owner
        self._exact = exact
        self._in_memory: VectorsInMemory | None = None
        if changes_between is not None:
            self._in_memory = VectorsInMemory(read_state, self._vectors_of, changes_between)

    def _here(self) -> ChromaCollection:
        return ChromaCollection(self._owner.open(), self._owner)

    def query(
        self, vectors: NDArray[np.float32], n_results: int, selection: Selection, *, with_vectors: bool
    ) -> list[Neighbours]:
        """Return the passages nearest to each vector; see ``PassageReader.query``."""
        collection = self._owner.open()
        if self._in_memory is not None and (self._exact or self._owner.asked(collection.count) <= MOST_IN_MEMORY):
            return self._query_in_memory(self._in_memory, vectors, n_results, selection)
        if self._exact:
            return self._query_exactly(collection, vectors, n_results, selection)
        # Chroma rejects numbers of more than 32 bits; the radius still depends on how many were requested.
        requested = (
            n_results if n_results <= _COUNT_ABOVE else min(n_results, max(1, int(self._owner.asked(collection.count))))
        )
        if requested > _MAX_TEXTS_AT_ONCE:
            return self._query_exactly(collection, vectors, n_results, selection)
        include = [*_INCLUDED, "embeddings"] if with_vectors else _INCLUDED
        at_once = _MAX_TEXTS_AT_ONCE // requested
        found: list[Neighbours] = []
        fewest = requested
        for start in range(0, len(vectors), at_once):
            part = list(vectors[start : start + at_once])
            try:
                answer = collection.query(
                    query_embeddings=part, n_results=requested, include=include, **selection.filters
                )
            except Exception as error:
                raise self._owner.explained(error, vectors.shape[1], selection) from error
            for row in range(len(part)):
                one = neighbours_in(answer, row, n_results)
                fewest = min(fewest, len(one.hits))
                found.append(one)
        if fewest < requested and fewest < ChromaCollection(collection, self._owner).count_of(selection):
            return self._query_exactly(collection, vectors, n_results, selection)
        return found

    def _query_in_memory(
        self, in_memory: VectorsInMemory, vectors: NDArray[np.float32], n_results: int, selection: Selection
    ) -> list[Neighbours]:
        stored = in_memory.current()
        among: list[int] | None = None
        if selection.filters:
            passing = self._here().ids(selection)
            among = [stored.row_of[key] for key in passing if key in stored.row_of]
        if not len(stored.ids):
            return [neighbours([], n_results) for _ in vectors]
        if stored.rows.shape[1] != vectors.shape[1]:
            raise self._owner.misfit(vectors.shape[1], f"its vectors have {stored.rows.shape[1]}")
        orders = (stored.nearest(vector, n_results, among) for vector in vectors)
        nearest = [[(key, distance, stored.rows[stored.row_of[key]]) for key, distance in order] for order in orders]
        return _with_passages(self._here(), nearest, n_results)

    def _query_exactly(
        self, collection: Any, vectors: NDArray[np.float32], n_results: int, selection: Selection
    ) -> list[Neighbours]:
        """Compare with every passage: Chroma's index (HNSW) does not always reach all of them."""
        import numpy as np

        try:
            stored = collection.get(**selection.filters, include=["embeddings"])
        except Exception as error:
            raise self._owner.explained(error, vectors.shape[1], selection) from error
        keys = np.asarray(stored["ids"], dtype=object)
        rows = np.asarray(stored["embeddings"], dtype=np.float64)
        if not len(keys):
            return [neighbours([], n_results) for _ in vectors]
        if rows.shape[1] != vectors.shape[1]:
            raise self._owner.misfit(vectors.shape[1], f"its vectors have {rows.shape[1]}")
        orders = _nearest_rows(rows, keys, vectors, n_results)
        nearest = [[(keys[row], distance, stored["embeddings"][row]) for row, distance in order] for order in orders]
        return _with_passages(ChromaCollection(collection, self._owner), nearest, n_results)

    def _vectors_of(self, ids: Iterable[str] | None) -> tuple[list[str], Any]:
        """Return the ids and vectors of these passages, or of all."""
        if ids is None:
            pages = self._here().pages(["embeddings"])
            found = [row for page in pages for row in zip(page["ids"], page["embeddings"], strict=True)]
        else:
            found = [(key, row) for key, row in self._here().get(ids, "embeddings")]
        return [key for key, _ in found], [row for _, row in found]


def _with_passages(
    here: ChromaCollection, nearest: Sequence[Sequence[tuple[str, float, Any]]], n_results: int
) -> list[Neighbours]:
    """Return what was found for each query, given the ids, distances and vectors of its passages."""
    wanted = {key for order in nearest for key, _, _ in order}
    passages = {key: (text or "", metadata or {}) for key, text, metadata in here.get(wanted, *PASSAGE)}
    return [
        neighbours(
            [
                Hit(key, *passages[key], distance, vector)
                for key, distance, vector in order
                if key in passages  # it may have been removed in the meantime
            ],
            n_results,
        )
        for order in nearest
    ]


def _nearest_rows(
    rows: NDArray[np.float64], ids: NDArray[Any], vectors: NDArray[np.float32], n_results: int
) -> list[list[tuple[int, float]]]:
    """Return the index and cosine distance of the rows nearest to each vector; ties are ordered by id."""
    import numpy as np

    tiny = np.finfo(np.float32).tiny
    norms = np.maximum(np.linalg.norm(rows, axis=1), tiny)
    orders: list[list[tuple[int, float]]] = []
    for vector in np.asarray(vectors, dtype=np.float64):
        length = max(float(np.linalg.norm(vector)), float(tiny))
        # Rounded so that equal vectors have equal distances whatever the order of summation; then the id decides.
        distances = np.round(1.0 - (rows @ vector) / (norms * length), 9)
        # Keep all rows that are as far away as the last one, so that ties at the end are ordered by id as well.
        last = np.partition(distances, n_results - 1)[n_results - 1] if n_results < len(ids) else np.inf
        chosen = np.flatnonzero(distances <= last).tolist()
        order = sorted(chosen, key=lambda row: (distances[row], ids[row]))[:n_results]
        orders.append([(row, float(distances[row])) for row in order])
    return orders
