"""Reads and writes the passages of one Chroma collection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.results import AddReport
from jarvisperf.rag.store.change import MOST_VECTORS_PER_CALL, StoreChange, unit_rows
from jarvisperf.rag.store.collection import Collection, set_properties
from jarvisperf.rag.store.filters import EVERYTHING, MARK, Selection
from jarvisperf.rag.store.records import Hit, hit_of, marked, neighbours, neighbours_in, without_ours
from jarvisperf.rag.store.vectors_in_memory import VectorsInMemory
from jarvisperf.rag.store.waiting import (
    WaitingCollection,
    new_token,
    passages_in,
    placeholders,
    tokens_in,
    with_token,
    without_token,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.filters import Filter
    from jarvisperf.rag.store.generation import CollectionState, Heads, Home
    from jarvisperf.rag.store.model_check import ModelCheck
    from jarvisperf.rag.store.records import Neighbours, PassageRecord
    from jarvisperf.rag.store.waiting import WaitingPassage

MOST_IN_MEMORY = 10_000
"""Up to this many passages, searches compare with every one in memory unless ``exact`` asks for it at any size."""

_PASSAGE = ("documents", "metadatas")
_INCLUDED = [*_PASSAGE, "distances"]
_COUNT_ABOVE = 1000  # above this, counting the passages is faster than requesting more results than there are
_PAGE = 10_000
_ATTEMPTS = 5
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
        self._waiting = WaitingCollection()
        self._known_to_wait: tuple[CollectionState, dict[str, str]] | None = None

    def is_empty(self) -> bool:
        """Return whether there are no passages; cheap once one has been seen."""
        if not self._known_to_hold_documents:
            self._known_to_hold_documents = self.count() > 0
        return not self._known_to_hold_documents

    def count(self) -> int:
        """Return the number of passages, those that wait for their vectors included."""
        place, collection = self._place_of_waiting(), self.open()
        if place is None:
            return int(self._asked(collection.count))
        for _ in range(_ATTEMPTS):
            first = int(self._asked(place.count))
            count = first + int(self._asked(collection.count))
            if int(self._asked(place.count)) == first:  # none has moved from one to the other in between
                break
        return count

    def check_model(self) -> None:
        """Check that the model's vectors fit those that are stored.

        Raises:
            StoreError: The collection was built with another model.
        """
        if self._model_check is not None and not self.is_empty():
            self.open()
            self._model_check.check(lambda: self._get_collection(self._client))

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
        if self._in_memory is not None and (self.exact or self._asked(collection.count) <= MOST_IN_MEMORY):
            return self._query_in_memory(self._in_memory, vectors, n_results, selection)
        if self.exact:
            return self._query_exactly(collection, vectors, n_results, selection)
        # Chroma rejects numbers of more than 32 bits; the radius still depends on how many were requested.
        requested = (
            n_results if n_results <= _COUNT_ABOVE else min(n_results, max(1, int(self._asked(collection.count))))
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
                raise self._explained(error, vectors.shape[1], selection) from error
            for row in range(len(part)):
                one = neighbours_in(answer, row, n_results)
                fewest = min(fewest, len(one.hits))
                found.append(one)
        if fewest < requested and fewest < self._count_of(collection, selection):
            return self._query_exactly(collection, vectors, n_results, selection)
        return found

    def pages(self, include: Sequence[str]) -> Iterator[Any]:
        """Yield all passages in pages of up to 10,000, as Chroma's ``get`` returns them; each passage once."""
        place, collection = self._place_of_waiting(), self.open()
        seen: set[str] = set()
        if place is not None:
            ids = self._ids_in(place, EVERYTHING)  # at once: those that leave before they are read are in the other one
            for part in _parts(range(len(ids)), self._max_batch):
                page = self._asked(place.get, ids=ids[part.start : part.stop], include=list(include))
                seen.update(page["ids"])
                yield page
        for page in self._pages(collection, include):
            yield _without(seen, page, include)

    def nearness(self, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, Hit]:
        """Return those of these passages that have a vector, with their distance to a query's vector."""
        return {
            key: hit_of(key, text, metadata, row, vector)
            for key, text, metadata, row in self._get_in(self.open(), ids, *_PASSAGE, "embeddings")
        }

    def ids(self, selection: Selection) -> list[str]:
        """Return the ids of the passages in a selection.

        Raises:
            ValueError: Chroma rejects a filter.
        """
        return list(dict.fromkeys(key for place in self._places() for key in self._ids_in(place, selection)))

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

    def waiting(self, selection: Selection = EVERYTHING) -> dict[str, str]:
        """Return the ids of the passages in a selection that wait for their vectors, with their tokens.

        Raises:
            ValueError: Chroma rejects a filter.
        """
        state = self._home.read_state() if selection == EVERYTHING else None
        known = self._waiting_at(state)
        if known is not None:
            return known
        place = self._place_of_waiting()
        found: dict[str, str] = {}
        if place is not None:
            try:
                pages = self._pages(place, ["metadatas"], selection)
                found = {key: token for page in pages for key, token in tokens_in(page).items()}
            except Exception as error:
                raise self._explained(error, 0, selection) from error
        if state is not None and not state.writing and self._home.read_state() == state:
            self._known_to_wait = (state, found)
        return found

    def count_waiting(self) -> int:
        """Return how many passages wait for their vectors."""
        known = self._waiting_at(self._home.read_state())
        if known is not None:
            return len(known)
        place = self._place_of_waiting()
        return 0 if place is None else int(self._asked(place.count))

    def _waiting_at(self, state: CollectionState | None) -> dict[str, str] | None:
        """Return what :meth:`waiting` found in this state; None if that is unknown, or a write is under way."""
        known = self._known_to_wait
        if known is None or state is None or state.writing or known[0] != state:
            return None
        return known[1]

    def waiting_passages(self, ids: Sequence[str]) -> list[WaitingPassage]:
        """Return those of these passages that wait for their vectors."""
        place = self._place_of_waiting()
        if place is None:
            return []
        parts = (ids[start : start + self._max_batch] for start in range(0, len(ids), self._max_batch))
        return [one for part in parts for one in passages_in(self._asked(place.get, ids=part, include=list(_PASSAGE)))]

    def first_waiting(self, count: int) -> list[WaitingPassage]:
        """Return up to ``count`` passages that wait for their vectors."""
        place = self._place_of_waiting()
        return [] if place is None else list(passages_in(self._asked(place.get, limit=count, include=list(_PASSAGE))))

    def store_vectors(self, passages: Sequence[WaitingPassage], vectors: NDArray[np.float32]) -> int:
        """Store the vectors of passages that still wait for them unchanged, as one write.

        Returns:
            The number of those passages.

        Raises:
            BusyError: Another client of the server is writing: try again.
            StoreInUseError, StoreError, RuntimeError: See :meth:`write`.
        """
        with self._write_lock:
            if self._home.notices_all_writes:
                self.settle_state()
            collection = self.open()
            rows: list[int] = []
            growth = 0

            def publish(previous: str, token: str) -> None:
                self._record_change(
                    previous,
                    token,
                    StoreChange(
                        tuple(passages[row].id for row in rows),
                        unit_rows(vectors[rows]).tobytes() if rows else b"",
                        tuple(without_ours(passages[row].metadata) for row in rows),
                        growth,
                        texts_stay=growth == len(rows),  # none of them replaces what a killed process left
                    ),
                )

            with self._home.writing(str(collection.id), publish, gives_way=True):
                place = self._place_of_waiting()
                if place is None:
                    return 0
                ids = [passage.id for passage in passages]
                now = tokens_in(self._asked(place.get, ids=ids, include=["metadatas"]))
                rows += [row for row, passage in enumerate(passages) if now.get(passage.id) == passage.token]
                if rows:
                    if self._model_check is not None:
                        self._model_check.record(collection, lambda: self._get_collection(self._client))
                    ids = [passages[row].id for row in rows]
                    texts = [passages[row].text for row in rows]
                    metadatas = [dict(passages[row].metadata) for row in rows]
                    growth = len(ids) - len(self._put(collection, ids, texts, vectors[rows], metadatas))
                    self._asked(place.delete, ids=ids)
            return len(rows)

    def write(
        self,
        records: Sequence[PassageRecord],
        vectors: NDArray[np.float32] | tuple[()],
        ids_to_remove: Callable[[], Sequence[str]] = tuple,
        *,
        waiting: Sequence[PassageRecord] = (),
        recorded: bool = True,
    ) -> AddReport:
        """Store records with distinct ids, then remove other passages, as one write.

        New passages are written before old ones are removed, so an interruption leaves too much rather than too little.

        Args:
            records: The records to store; passages with the same ids are replaced.
            vectors: One row per record.
            ids_to_remove: Called within the write; returns the ids to remove.
            waiting: Records to store without vectors; their ids are not among those of ``records``.
            recorded: Record the change so that unaffected cached answers survive; otherwise the write invalidates all.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: Chroma rejects the vectors.
            ValueError: Chroma rejects the metadata.
            RuntimeError: The store has been closed.
        """
        with self._write_lock:
            return self._write(records, vectors, ids_to_remove, waiting, recorded=recorded)

    def _write(
        self,
        records: Sequence[PassageRecord],
        vectors: NDArray[np.float32] | tuple[()],
        ids_to_remove: Callable[[], Sequence[str]],
        waiting: Sequence[PassageRecord],
        *,
        recorded: bool,
    ) -> AddReport:
        if self._home.notices_all_writes:
            self.settle_state()
        collection = self.open()
        removed: list[str] = []
        growth = replaced = 0
        fits = recorded and len(records) + len(waiting) <= MOST_VECTORS_PER_CALL

        def publish(previous: str, token: str) -> None:
            if fits:
                change = _change(records, vectors, waiting, removed, growth)
                self._record_change(previous, token, change)

        with self._home.writing(str(collection.id), publish):
            if (records or waiting) and self._model_check is not None:
                self._model_check.record(collection, lambda: self._get_collection(self._client))
            place = self._place_of_waiting(create=bool(waiting))
            for part in _parts(range(len(records)), self._max_batch):
                rows = slice(part.start, part.stop)
                new, known = self._store(collection, place, records[rows], vectors[rows])
                growth, replaced = growth + new, replaced + known
            for part in _parts(range(len(waiting)), self._max_batch):
                moved, known = self._store_waiting(collection, place, waiting[part.start : part.stop])
                growth, replaced = growth - moved, replaced + known
            removed += ids_to_remove()
            for part in _parts(range(len(removed)), self._max_batch):
                ids = removed[part.start : part.stop]
                growth -= len(self._drop(collection, ids))
                self._drop(place, ids)
        if removed:
            self._known_to_hold_documents = False  # the last passage may be gone
        return AddReport(
            added=len(records) + len(waiting) - replaced,
            replaced=replaced,
            removed=len(removed),
            waiting=len(waiting),
        )

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
            vectors: list[Any] = []

            def publish(previous: str, token: str) -> None:
                if len(new) <= MOST_VECTORS_PER_CALL:
                    # Without the vectors of those that wait, all count as near.
                    rows = unit_rows(vectors).tobytes() if len(vectors) == len(new) and vectors else b""
                    metadatas = tuple(without_ours(metadata) for metadata in new.values())
                    self._record_change(previous, token, StoreChange(tuple(new), rows, metadatas))

            with self._home.writing(str(collection.id), publish):
                ids = ids_to_update()
                place = self._place_of_waiting()
                replacing: dict[str, dict[str, Any] | None] = {}
                for key, text, stored in () if place is None else self._get_in(place, ids, *_PASSAGE):
                    old = without_token(stored or {})
                    changed = renewed(key, text or "", old)
                    if changed != old:  # a new token, because a vector may be about to be stored with the old metadata
                        new[key] = changed
                        replacing[key] = _replacing(stored, with_token(changed, new_token()))
                self._update(place, replacing)
                waiting, replacing = replacing.keys(), {}
                for key, text, stored, vector in self._get_in(collection, ids, *_PASSAGE, "embeddings"):
                    old = stored or {}
                    changed = renewed(key, text or "", old)
                    if changed != old and key not in waiting:
                        new[key], replacing[key] = changed, _replacing(old, changed)
                        vectors.append(vector)
                self._update(collection, replacing)
            return len(new)

    def _update(self, place: Any, metadatas: Mapping[str, dict[str, Any] | None]) -> None:
        keys = list(metadatas)
        for rows in _parts(range(len(keys)), self._max_batch):
            part = keys[rows.start : rows.stop]
            self._asked(place.update, ids=part, metadatas=[metadatas[key] for key in part])

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
        return any(self._asked(place.get, where=dict(where), limit=1, include=[])["ids"] for place in self._places())

    def _query_in_memory(
        self, in_memory: VectorsInMemory, vectors: NDArray[np.float32], n_results: int, selection: Selection
    ) -> list[Neighbours]:
        stored = in_memory.current()
        among: list[int] | None = None
        if selection.filters:
            passing = self._ids_in(self.open(), selection)
            among = [stored.row_of[key] for key in passing if key in stored.row_of]
        if not len(stored.ids):
            return [neighbours([], n_results) for _ in vectors]
        if stored.rows.shape[1] != vectors.shape[1]:
            raise self._misfit(vectors.shape[1], f"its vectors have {stored.rows.shape[1]}")
        orders = [stored.nearest(vector, n_results, among) for vector in vectors]
        wanted = {key for order in orders for key, _ in order}
        found = self._get_in(self.open(), wanted, *_PASSAGE)
        passages = {key: (text or "", metadata or {}) for key, text, metadata in found}
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
        collection = self.open()
        if ids is None:
            pages = self._pages(collection, ["embeddings"])
            found = [row for page in pages for row in zip(page["ids"], page["embeddings"], strict=True)]
        else:
            found = [(key, row) for key, row in self._get_in(collection, ids, "embeddings")]
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
        found = self._get_in(collection, wanted, *_PASSAGE)
        passages = {key: (text or "", metadata or {}) for key, text, metadata in found}
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

    def _places(self) -> list[Any]:
        """Return the Chroma collections that hold passages, first that of waiting ones, whose version is the newer."""
        place = self._place_of_waiting()
        collection = self.open()
        return [collection] if place is None else [place, collection]

    def _place_of_waiting(self, *, create: bool = False) -> Any | None:
        collection = self.open()
        return self._asked(self._waiting.open, client=self._client, main_id=str(collection.id), create=create)

    def _get(self, ids: Iterable[str], *parts: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and these parts of each passage that exists, with or without a vector."""
        distinct = list(dict.fromkeys(ids))
        found: set[str] = set()
        for place in self._places():
            for row in self._get_in(place, distinct, *parts):
                if row[0] not in found:
                    found.add(row[0])
                    yield row

    def _get_in(self, collection: Any, ids: Iterable[str], *parts: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and these parts of each passage in one Chroma collection, in batches that Chroma accepts."""
        distinct = list(dict.fromkeys(ids))
        for part in _parts(range(len(distinct)), self._max_batch):
            got = self._asked(collection.get, ids=distinct[part.start : part.stop], include=list(parts))
            yield from zip(got["ids"], *(got[name] for name in parts), strict=True)

    def _ids_in(self, collection: Any, selection: Selection) -> list[str]:
        try:
            found: list[str] = collection.get(**selection.filters, include=[])["ids"]
        except Exception as error:
            raise self._explained(error, 0, selection) from error
        return found

    def _count_of(self, collection: Any, selection: Selection) -> int:
        return len(self._ids_in(collection, selection)) if selection.filters else int(self._asked(collection.count))

    def _store(self, collection: Any, place: Any, records: Sequence[PassageRecord], vectors: Any) -> tuple[int, int]:
        """Return by how many passages the collection grew, and how many were known."""
        ids = [record.id for record in records]
        texts = [record.text for record in records]
        known = self._put(collection, ids, texts, vectors, [marked(record) for record in records])
        return len(ids) - len(known), len(known | self._drop(place, ids))

    def _store_waiting(self, collection: Any, place: Any, records: Sequence[PassageRecord]) -> tuple[int, int]:
        """Return how many passages left the collection, and how many were known."""
        ids = [record.id for record in records]
        token = new_token()
        metadatas = [with_token(marked(record), token) for record in records]
        known = self._put(place, ids, [record.text for record in records], placeholders(len(ids)), metadatas)
        dropped = self._drop(collection, ids)
        return len(dropped), len(known | dropped)

    def _put(
        self, place: Any, ids: list[str], texts: list[str], vectors: Any, metadatas: Sequence[Mapping[str, Any]]
    ) -> set[str]:
        """Store passages in a Chroma collection; return the ids that it had."""
        known = self._asked(place.get, ids=ids, include=["metadatas"])
        old = dict(zip(known["ids"], known["metadatas"], strict=True))
        try:
            place.upsert(
                ids=ids,
                documents=texts,
                embeddings=vectors,
                metadatas=[_replacing(old.get(key), new) for key, new in zip(ids, metadatas, strict=True)],
            )
        except Exception as error:
            raise self._explained(error, len(vectors[0])) from error
        return set(old)

    def _pages(self, place: Any, include: Sequence[str], selection: Selection = EVERYTHING) -> Iterator[Any]:
        offset = 0
        while True:
            page = self._asked(place.get, limit=_PAGE, offset=offset, include=list(include), **selection.filters)
            if page["ids"]:
                yield page
            if len(page["ids"]) < _PAGE:
                return
            offset += _PAGE

    def _drop(self, place: Any, ids: list[str]) -> set[str]:
        """Remove passages from a Chroma collection, if there is one; return the ids that it had."""
        found = [] if place is None else self._asked(place.get, ids=ids, include=[])["ids"]
        if found:
            self._asked(place.delete, ids=found)
        return set(found)


def _parts(rows: range, size: int) -> Iterator[range]:
    """Yield parts of at most ``size`` rows."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


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


def _change(
    records: Sequence[PassageRecord],
    vectors: Any,
    waiting: Sequence[PassageRecord],
    removed: Sequence[str],
    growth: int,
) -> StoreChange:
    stored = [*records, *waiting]
    return StoreChange(
        ids=(*(record.id for record in stored), *removed),
        vectors=unit_rows(vectors).tobytes() if records and not waiting else b"",
        metadatas=tuple(None if record.metadata is None else dict(record.metadata) for record in stored),
        growth=growth,
    )


def _without(ids: set[str], page: Any, include: Sequence[str]) -> Any:
    """Return a page of Chroma's ``get`` without the passages with these ids."""
    if ids.isdisjoint(page["ids"]):
        return page
    rows = [row for row, key in enumerate(page["ids"]) if key not in ids]
    return {part: [page[part][row] for row in rows] for part in ("ids", *include)}


def _replacing(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    # Chroma's upsert keeps old keys that the new metadata lacks; None removes them.
    return {**dict.fromkeys(old or {}), **(new or {})} or None
