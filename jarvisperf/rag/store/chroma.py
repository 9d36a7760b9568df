"""Reads and writes the passages of one Chroma collection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.results import AddReport
from jarvisperf.rag.store.change import MOST_VECTORS_PER_CALL, StoreChange, unit_rows
from jarvisperf.rag.store.collection import Collection, set_properties
from jarvisperf.rag.store.filters import EVERYTHING, MARK, Selection
from jarvisperf.rag.store.records import Hit, marked, neighbours, neighbours_in, without_ours
from jarvisperf.rag.store.vectors_in_memory import VectorsInMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.filters import Filter
    from jarvisperf.rag.store.generation import CollectionState, Heads, Home
    from jarvisperf.rag.store.model_check import ModelCheck
    from jarvisperf.rag.store.records import Neighbours, PassageRecord

MOST_IN_MEMORY = 10_000
"""Up to this many passages, searches compare with every one in memory unless ``exact`` asks for it at any size."""

_PASSAGE = ("documents", "metadatas")
_INCLUDED = [*_PASSAGE, "distances"]
_COUNT_ABOVE = 1000  # above this, counting the passages is faster than requesting more results than there are
_PAGE = 10_000
# Chroma fetches the texts of all hits in one SQLite statement, which takes at most 32,766 variables.
_MAX_TEXTS_AT_ONCE = 30_000


class ChromaStore(Collection):
    """Reads and writes passages; safe to call from several threads.

    Args:
        home: Where the collection lives.
        name: The collection's name.
        record_change: Called within each recorded write, with the writer's previous token, its new token and the
            change.
        exact: Compare each query with every passage instead of using Chroma's approximate index.
        model_check: Checks the model whose vectors are searched and written.
        changes_between: Returns the changes from one generation to a later one; None if they are unknown. With it,
            vectors are kept in memory, if the home notices all writes.
    """

    def __init__(
        self,
        home: Home,
        name: str,
        record_change: Callable[[str, str, StoreChange], None],
        *,
        exact: bool = False,
        model_check: ModelCheck | None = None,
        changes_between: Callable[[Heads, Heads], list[StoreChange] | None] | None = None,
    ) -> None:
        super().__init__(home, name)
        self._in_memory: VectorsInMemory | None = None
        if home.notices_all_writes and changes_between is not None:
            self._in_memory = VectorsInMemory(self.settle_state, self._vectors_of, changes_between)
        self._model_check = model_check
        self._record_change = record_change
        self.exact = exact
        self._known_to_hold_documents = False

    def is_empty(self) -> bool:
        """Return whether there are no passages; cheap once one has been seen."""
        if not self._known_to_hold_documents:
            self._known_to_hold_documents = self.count() > 0
        return not self._known_to_hold_documents

    def check_model(self) -> None:
        """Check that the model's vectors fit those that are stored.

        Raises:
            StoreError: The collection was built with another model.
        """
        if self._model_check is not None and not self.is_empty():
            self._model_check.check(self.open())

    def settle_state(self) -> CollectionState | None:
        """Clean up after a dead writer, and return the collection's state; None if it is unknown."""
        state = self._home.read_state()
        if state is None or state.writing:
            self.open()
            state = self._home.read_state()
            if state is None:
                self._known_to_hold_documents = False
                self.reopen()
                state = self._home.read_state()
        return state

    def query(
        self,
        vectors: NDArray[np.float32],
        n_results: int,
        selection: Selection = EVERYTHING,
        *,
        with_vectors: bool = False,
    ) -> list[Neighbours]:
        """Return the ``n_results`` passages nearest to each vector, or all passages if there are fewer.

        Args:
            vectors: One row per query.
            n_results: Maximum number of passages per query.
            selection: The passages that may be returned.
            with_vectors: Include the passages' vectors.

        Raises:
            StoreError: The vectors do not have the collection's dimension.
            ValueError: Chroma rejects a filter.
        """
        if self._home.notices_all_writes:
            self.settle_state()
        before = self._collection
        try:
            return self._query(vectors, n_results, selection, with_vectors=with_vectors)
        except Exception as error:
            is_reopened = before is not None and self._collection is not before  # by another thread
            if not is_reopened:
                if not isinstance(error, StoreError) or type(error.__cause__).__name__ != "NotFoundError":
                    raise
                self.reopen()  # it was deleted and created again
        return self._query(vectors, n_results, selection, with_vectors=with_vectors)

    def _query(
        self, vectors: NDArray[np.float32], n_results: int, selection: Selection, *, with_vectors: bool
    ) -> list[Neighbours]:
        collection = self._collection
        if collection is None:
            collection = self.open()
        if self._in_memory is not None and (self.exact or self.count() <= MOST_IN_MEMORY):
            return self._query_in_memory(self._in_memory, vectors, n_results, selection)
        if self.exact:
            return self._query_exactly(collection, vectors, n_results, selection)
        # Chroma rejects numbers of more than 32 bits; the radius still depends on how many were requested.
        requested = n_results if n_results <= _COUNT_ABOVE else min(n_results, max(1, self.count()))
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
                raise self._explained(error, vectors.shape[1], selection) from error
            for row in range(len(part)):
                one = neighbours_in(answer, row, n_results)
                fewest = min(fewest, len(one.hits))
                found.append(one)
        if fewest < requested and fewest < self._count_of(collection, selection):
            return self._query_exactly(collection, vectors, n_results, selection)
        return found

    def pages(self, include: Sequence[str]) -> Iterator[Any]:
        """Yield all passages in pages of up to 10,000, as Chroma's ``get`` returns them."""
        collection = self.open()
        offset = 0
        while True:
            page = self._asked(collection.get, limit=_PAGE, offset=offset, include=list(include))
            if page["ids"]:
                yield page
            if len(page["ids"]) < _PAGE:
                return
            offset += _PAGE

    def nearness(self, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, Hit]:
        """Return the existing passages among these ids, with their distance to a query's vector."""
        import numpy as np

        hits = {}
        for key, text, metadata, row in self._get(ids, *_PASSAGE, "embeddings"):
            length = max(float(np.linalg.norm(row)) * float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny))
            hits[key] = Hit(key, text or "", metadata or {}, 1.0 - float(row @ vector) / length, row)
        return hits

    def ids(self, selection: Selection) -> list[str]:
        """Return the ids of the passages in a selection.

        Raises:
            ValueError: Chroma rejects a filter.
        """
        try:
            found: list[str] = self.open().get(**selection.filters, include=[])["ids"]
        except Exception as error:
            raise self._explained(error, 0, selection) from error
        return found

    def check_filters(self, selection: Selection) -> None:
        """Let Chroma check the filters of a selection, for answers that need no search.

        Raises:
            ValueError: Chroma rejects a filter.
        """
        if selection.filters:
            self.ids(selection)

    def passages(self, ids: Iterable[str] | None) -> Iterator[tuple[str, str | None, Mapping[str, Any] | None]]:
        """Yield the id, the text and the stored metadata of these passages, or of all."""
        if ids is not None:
            yield from self._get(ids, *_PASSAGE)
            return
        for page in self.pages(_PASSAGE):
            yield from zip(page["ids"], page["documents"], page["metadatas"], strict=True)

    def marks(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the content mark (``records.mark_of``) of each of these ids that exists.

        Raises:
            StoreError: The folder was removed or replaced while it was open.
        """
        self.open()
        self._home.check_in_place()  # Chroma would only report that it cannot open a file
        return {key: str((metadata or {}).get(MARK, "")) for key, metadata in self._get(ids, "metadatas")}

    def existing(self, ids: Sequence[str]) -> list[str]:
        """Return the ids that exist."""
        return [key for (key,) in self._get(ids)]

    def marks_of_source(self, source: str, prefix: str) -> dict[str, str]:
        """Return the content marks of a source's passages whose ids begin with ``prefix``, by id."""
        found = self.ids(Selection(where={"source": source}))
        return self.marks([key for key in found if key.startswith(prefix)])

    def sources(self) -> dict[str, int]:
        """Return the number of passages of each source, sorted by source."""
        counts: Counter[str] = Counter()
        for page in self.pages(["metadatas"]):
            counts.update(
                metadata["source"]
                for metadata in page["metadatas"]
                if metadata is not None and isinstance(metadata.get("source"), str)
            )
        return dict(sorted(counts.items()))

    def write(
        self,
        records: Sequence[PassageRecord],
        vectors: NDArray[np.float32] | tuple[()],
        ids_to_remove: Callable[[], Sequence[str]] = tuple,
        *,
        recorded: bool = True,
    ) -> AddReport:
        """Store records with distinct ids, then remove other passages, as one write.

        New passages are written before old ones are removed, so an interruption leaves too much rather than too little.

        Args:
            records: The records to store; passages with the same ids are replaced.
            vectors: One row per record.
            ids_to_remove: Called within the write; returns the ids to remove.
            recorded: Record the change so that unaffected cached answers survive; otherwise the write invalidates all.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: Chroma rejects the vectors.
            ValueError: Chroma rejects the metadata.
            RuntimeError: The store has been closed.
        """
        with self._write_lock:
            return self._write(records, vectors, ids_to_remove, recorded=recorded)

    def _write(
        self,
        records: Sequence[PassageRecord],
        vectors: NDArray[np.float32] | tuple[()],
        ids_to_remove: Callable[[], Sequence[str]],
        *,
        recorded: bool,
    ) -> AddReport:
        if self._home.notices_all_writes:
            self.settle_state()
        collection = self.open()
        report = AddReport()
        removed: list[str] = []
        fits = recorded and len(records) <= MOST_VECTORS_PER_CALL

        def publish(previous: str, token: str) -> None:
            if fits:
                growth = report.added - len(removed)
                self._record_change(previous, token, _change(records, vectors, removed, growth))

        with self._home.writing(str(collection.id), publish):
            if records and self._model_check is not None:
                self._model_check.record(collection)
            for start in range(0, len(vectors), self._max_batch):
                part = slice(start, start + self._max_batch)
                report += self._upsert(collection, records[part], vectors[part])
            removed += ids_to_remove()
            for start in range(0, len(removed), self._max_batch):
                self._asked(collection.delete, ids=removed[start : start + self._max_batch])
        if removed:
            self._known_to_hold_documents = False  # the last passage may be gone
        return report + AddReport(removed=len(removed))

    def update_metadata(
        self,
        ids_to_update: Callable[[], Sequence[str]],
        renewed: Callable[[str, str, Mapping[str, Any]], dict[str, Any]],
    ) -> int:
        """Replace the metadata of passages, as one write.

        Args:
            ids_to_update: Called within the write; returns the ids of the passages.
            renewed: Returns a passage's new stored metadata, given its id, its text and its stored metadata.

        Returns:
            The number of passages that changed.

        Raises:
            StoreInUseError, StoreError, ValueError, RuntimeError: See :meth:`write`.
        """
        with self._write_lock:
            if self._home.notices_all_writes:
                self.settle_state()
            collection = self.open()
            new: dict[str, dict[str, Any]] = {}
            replacing: dict[str, dict[str, Any] | None] = {}
            vectors: list[Any] = []

            def publish(previous: str, token: str) -> None:
                if len(new) <= MOST_VECTORS_PER_CALL:
                    rows = unit_rows(vectors).tobytes() if vectors else b""
                    metadatas = tuple(without_ours(metadata) for metadata in new.values())
                    self._record_change(previous, token, StoreChange(tuple(new), rows, metadatas))

            with self._home.writing(str(collection.id), publish):
                for key, text, metadata, vector in self._get(ids_to_update(), *_PASSAGE, "embeddings"):
                    old = metadata or {}
                    changed = renewed(key, text or "", old)
                    if changed != old:
                        new[key], replacing[key] = changed, _replacing(old, changed)
                        vectors.append(vector)
                keys = list(new)
                for start in range(0, len(keys), self._max_batch):
                    part = keys[start : start + self._max_batch]
                    self._update(collection, {key: replacing[key] for key in part})
            return len(new)

    def _update(self, collection: Any, metadatas: Mapping[str, dict[str, Any] | None]) -> None:
        self._asked(collection.update, ids=list(metadatas), metadatas=list(metadatas.values()))

    def properties(self, keys: Sequence[str]) -> list[Any]:
        """Return what is stored with the collection under these keys; None where nothing is."""
        found = self.open().metadata or {}
        return [found.get(key) for key in keys]

    def set_properties(self, properties: Mapping[str, str | int]) -> None:
        """Store something with the collection; cached answers stay valid.

        Raises:
            StoreInUseError, StoreError, RuntimeError: See :meth:`write`.
        """

        def publish(previous: str, token: str) -> None:
            self._record_change(previous, token, StoreChange(()))

        with self._write_lock:
            collection = self.open()
            with self._home.writing(str(collection.id), publish):
                self._asked(set_properties, collection=collection, properties=properties)

    def holds(self, where: Filter) -> bool:
        """Return whether any passage passes a filter on metadata."""
        return bool(self._asked(self.open().get, where=dict(where), limit=1, include=[])["ids"])

    def _query_in_memory(
        self, in_memory: VectorsInMemory, vectors: NDArray[np.float32], n_results: int, selection: Selection
    ) -> list[Neighbours]:
        stored = in_memory.current()
        among: list[int] | None = None
        if selection.filters:
            among = [stored.row_of[key] for key in self.ids(selection) if key in stored.row_of]
        if not len(stored.ids):
            return [neighbours([], n_results) for _ in vectors]
        if stored.rows.shape[1] != vectors.shape[1]:
            raise self._misfit(vectors.shape[1], f"its vectors have {stored.rows.shape[1]}")
        orders = [stored.nearest(vector, n_results, among) for vector in vectors]
        wanted = {key for order in orders for key, _ in order}
        passages = {key: (text or "", metadata or {}) for key, text, metadata in self._get(wanted, *_PASSAGE)}
        return [
            neighbours(
                [
                    Hit(key, *passages[key], distance, stored.rows[stored.row_of[key]])
                    for key, distance in order
                    if key in passages  # it may have been removed in the meantime
                ],
                n_results,
            )
            for order in orders
        ]

    def _vectors_of(self, ids: Iterable[str] | None) -> tuple[list[str], Any]:
        """Return the ids and vectors of these passages, or of all."""
        if ids is None:
            found = [
                row for page in self.pages(["embeddings"]) for row in zip(page["ids"], page["embeddings"], strict=True)
            ]
        else:
            found = [(key, row) for key, row in self._get(ids, "embeddings")]
        return [key for key, _ in found], [row for _, row in found]

    def _query_exactly(
        self, collection: Any, vectors: NDArray[np.float32], n_results: int, selection: Selection
    ) -> list[Neighbours]:
        """Compare with every passage: Chroma's index (HNSW) does not always reach all of them."""
        import numpy as np

        try:
            stored = collection.get(**selection.filters, include=["embeddings"])
        except Exception as error:
            raise self._explained(error, vectors.shape[1], selection) from error
        keys = np.asarray(stored["ids"], dtype=object)
        rows = np.asarray(stored["embeddings"], dtype=np.float64)
        if not len(keys):
            return [neighbours([], n_results) for _ in vectors]
        if rows.shape[1] != vectors.shape[1]:
            raise self._misfit(vectors.shape[1], f"its vectors have {rows.shape[1]}")
        orders = _nearest_rows(rows, keys, vectors, n_results)
        wanted = {keys[row] for order in orders for row, _ in order}
        passages = {key: (text or "", metadata or {}) for key, text, metadata in self._get(wanted, *_PASSAGE)}
        return [
            neighbours(
                [
                    Hit(keys[row], *passages[keys[row]], distance, stored["embeddings"][row])
                    for row, distance in order
                    if keys[row] in passages  # it may have been removed in the meantime
                ],
                n_results,
            )
            for order in orders
        ]

    def _get(self, ids: Iterable[str], *parts: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and these parts of each passage that exists, in batches of the size that Chroma accepts."""
        collection = self.open()
        distinct = list(dict.fromkeys(ids))
        for start in range(0, len(distinct), self._max_batch):
            got = self._asked(collection.get, ids=distinct[start : start + self._max_batch], include=list(parts))
            yield from zip(got["ids"], *(got[part] for part in parts), strict=True)

    def _count_of(self, collection: Any, selection: Selection) -> int:
        return len(self.ids(selection)) if selection.filters else int(self._asked(collection.count))

    def _upsert(self, collection: Any, records: Sequence[PassageRecord], vectors: Any) -> AddReport:
        ids = [record.id for record in records]
        known = self._asked(collection.get, ids=ids, include=["metadatas"])
        old_metadata = dict(zip(known["ids"], known["metadatas"], strict=True))
        try:
            collection.upsert(
                ids=ids,
                documents=[record.text for record in records],
                embeddings=vectors,
                metadatas=[_replacing(old_metadata.get(record.id), marked(record)) for record in records],
            )
        except Exception as error:
            raise self._explained(error, vectors.shape[1]) from error
        return AddReport(added=len(ids) - len(old_metadata), replaced=len(old_metadata))


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


def _change(records: Sequence[PassageRecord], vectors: Any, removed: Sequence[str], growth: int) -> StoreChange:
    return StoreChange(
        ids=(*(record.id for record in records), *removed),
        vectors=unit_rows(vectors).tobytes() if records else b"",
        metadatas=tuple(None if record.metadata is None else dict(record.metadata) for record in records),
        growth=growth,
    )


def _replacing(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    # Chroma's upsert keeps old keys that the new metadata lacks; None removes them.
    return {**dict.fromkeys(old or {}), **(new or {})} or None
