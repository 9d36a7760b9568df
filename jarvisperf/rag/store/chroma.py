"""Writes the passages of one Chroma collection, and reads them (``reading.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.rag.results import AddReport
from jarvisperf.rag.store.change import MOST_VECTORS_PER_CALL, StoreChange, unit_rows
from jarvisperf.rag.store.chroma_collection import PASSAGE, ChromaCollection, parts_of, replacing
from jarvisperf.rag.store.collection import set_properties
from jarvisperf.rag.store.reading import PassageReader
from jarvisperf.rag.store.records import marked, without_ours
from jarvisperf.rag.store.waiting import new_token, placeholders, tokens_in, with_token, without_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.generation import Heads, Home
    from jarvisperf.rag.store.model_check import ModelCheck
    from jarvisperf.rag.store.records import PassageRecord
    from jarvisperf.rag.store.waiting import WaitingPassage


class ChromaStore(PassageReader):
    """Reads and writes passages; safe to call from several threads.

    Args:
        home: Where the collection lives.
        name: The collection's name.
        record_change: Called within each recorded write, with the writer's previous token, its new token and the
            change.
        exact, model_check, changes_between: See :class:`PassageReader`.
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
        super().__init__(home, name, exact=exact, model_check=model_check, changes_between=changes_between)
        self._record_change = record_change

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
                now = tokens_in(self.asked(place.chroma.get, ids=ids, include=["metadatas"]))
                rows += [row for row, passage in enumerate(passages) if now.get(passage.id) == passage.token]
                if rows:
                    if self._model_check is not None:
                        self._model_check.record(collection, lambda: self._get_collection(self._client))
                    ids = [passages[row].id for row in rows]
                    texts = [passages[row].text for row in rows]
                    metadatas = [dict(passages[row].metadata) for row in rows]
                    growth = len(ids) - len(
                        ChromaCollection(collection, self).put(ids, texts, vectors[rows], metadatas)
                    )
                    self.asked(place.chroma.delete, ids=ids)
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
            here, place = ChromaCollection(collection, self), self._place_of_waiting(create=bool(waiting))
            for part in parts_of(range(len(records)), self.max_batch):
                rows = slice(part.start, part.stop)
                new, known = _store(here, place, records[rows], vectors[rows])
                growth, replaced = growth + new, replaced + known
            if place is not None:
                for part in parts_of(range(len(waiting)), self.max_batch):
                    moved, known = _store_waiting(here, place, waiting[part.start : part.stop])
                    growth, replaced = growth - moved, replaced + known
            removed += ids_to_remove()
            for part in parts_of(range(len(removed)), self.max_batch):
                growth -= _remove(here, place, removed[part.start : part.stop])
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
                instead: dict[str, dict[str, Any] | None] = {}
                for key, text, stored in () if place is None else place.get(ids, *PASSAGE):
                    old = without_token(stored or {})
                    changed = renewed(key, text or "", old)
                    if changed != old:  # a new token, because a vector may be about to be stored with the old metadata
                        new[key] = changed
                        instead[key] = replacing(stored, with_token(changed, new_token()))
                if place is not None:
                    place.update(instead)
                here = ChromaCollection(collection, self)
                waiting, instead = instead.keys(), {}
                for key, text, stored, vector in here.get(ids, *PASSAGE, "embeddings"):
                    old = stored or {}
                    changed = renewed(key, text or "", old)
                    if changed != old and key not in waiting:
                        new[key], instead[key] = changed, replacing(old, changed)
                        vectors.append(vector)
                here.update(instead)
            return len(new)

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
                self.asked(set_properties, collection=collection, properties=properties)


def _store(
    here: ChromaCollection, place: ChromaCollection | None, records: Sequence[PassageRecord], vectors: Any
) -> tuple[int, int]:
    """Return by how many passages the collection grew, and how many were known."""
    ids = [record.id for record in records]
    texts = [record.text for record in records]
    known = here.put(ids, texts, vectors, [marked(record) for record in records])
    waited = set() if place is None else place.drop(ids)
    return len(ids) - len(known), len(known | waited)


def _store_waiting(
    here: ChromaCollection, place: ChromaCollection, records: Sequence[PassageRecord]
) -> tuple[int, int]:
    """Return how many passages left the collection, and how many were known."""
    ids = [record.id for record in records]
    token = new_token()
    metadatas = [with_token(marked(record), token) for record in records]
    known = place.put(ids, [record.text for record in records], placeholders(len(ids)), metadatas)
    dropped = here.drop(ids)
    return len(dropped), len(known | dropped)


def _remove(here: ChromaCollection, place: ChromaCollection | None, ids: list[str]) -> int:
    """Return how many passages left the collection."""
    dropped = here.drop(ids)
    if place is not None:
        place.drop(ids)
    return len(dropped)


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
