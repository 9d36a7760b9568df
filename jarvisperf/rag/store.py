"""The documents and their vectors in one Chroma collection."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.errors import RagError, StoreError
from jarvisperf.rag.results import AddReport, SearchResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.generation import Home

SPACE = "cosine"

_INCLUDED = ["documents", "metadatas", "distances"]
_NOT_WORTH_COUNTING = 1000  # to ask for more results than there are passages is slower than to count them, from here
_PARTS = ("ids", *_INCLUDED)


@dataclass(frozen=True, slots=True)
class Record:
    """One passage to store: its id, its text and what to keep beside it."""

    id: str
    text: str
    metadata: Mapping[str, Any] | None


class ChromaStore:
    """Opens its collection at the first use; safe to call from several threads.

    Args:
        home: Where the collection lives.
        name: The collection's name.
    """

    def __init__(self, home: Home, name: str) -> None:
        self._home = home
        self._name = name
        self._lock = threading.RLock()
        self._collection: Any = None
        self._max_batch = 0
        self._known_to_hold_documents = False

    @property
    def is_open(self) -> bool:
        """Whether Chroma has been loaded and the collection opened."""
        return self._collection is not None

    def open(self) -> Any:
        """The collection, opened if it is not yet.

        Raises:
            MissingPackageError: chromadb is not installed.
            StoreError: The store or the collection cannot be opened.
        """
        with self._lock:
            if self._collection is None:
                client = self._home.connect()
                try:
                    collection = self._get_collection(client)
                    self._home.settle(str(collection.id))
                    self._max_batch = int(client.get_max_batch_size())
                except BaseException:
                    self._home.disconnect()
                    raise
                self._collection = collection
            return self._collection

    def close(self) -> None:
        """Close the collection; it opens again when it is used again."""
        with self._lock:
            if self._collection is not None:
                self._collection = None
                self._known_to_hold_documents = False
                self._home.disconnect()

    def count(self) -> int:
        """The number of passages."""
        return int(self.open().count())

    def is_empty(self) -> bool:
        """Whether there is no passage; cheap once there was one."""
        if not self._known_to_hold_documents:
            self._known_to_hold_documents = self.count() > 0
        return not self._known_to_hold_documents

    def query(self, vector: NDArray[np.float32], n_results: int) -> list[SearchResult]:
        """The ``n_results`` passages nearest to ``vector``, or all if there are fewer; nearest first.

        Raises:
            StoreError: The vector does not fit the collection.
        """
        collection = self.open()
        if n_results > _NOT_WORTH_COUNTING:  # Chroma refuses numbers beyond 32 bits
            n_results = min(n_results, max(1, self.count()))
        try:
            found = collection.query(query_embeddings=[vector], n_results=n_results, include=_INCLUDED)
        except Exception as error:
            raise self._explained(error, len(vector)) from error
        results = [_result(*(found[part][0][row] for part in _PARTS)) for row in range(len(found["ids"][0]))]
        if len(results) < n_results and len(results) < self.count():
            return self._query_exactly(collection, vector, n_results)
        return results

    def _query_exactly(self, collection: Any, vector: NDArray[np.float32], n_results: int) -> list[SearchResult]:
        """Compare with every passage: Chroma's index (HNSW) does not always reach all of them."""
        import numpy as np

        stored = collection.get(include=["documents", "metadatas", "embeddings"])
        rows = np.asarray(stored["embeddings"], dtype=np.float32)
        norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
        distances = 1.0 - (rows @ vector) / np.maximum(norms, np.finfo(np.float32).tiny)
        nearest = np.argsort(distances, kind="stable")[:n_results]
        return [
            _result(stored["ids"][row], stored["documents"][row], stored["metadatas"][row], distances[row])
            for row in nearest
        ]

    def upsert(self, records: Sequence[Record], vectors: NDArray[np.float32]) -> AddReport:
        """Store records with distinct ids, one row of ``vectors`` each; those with known ids are replaced.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: Chroma refuses the vectors.
            ValueError: Chroma refuses the metadata.
        """
        collection = self.open()
        with self._home.writing(str(collection.id)):
            return self._upsert(collection, records, vectors)

    def replace_source(
        self, source: str, prefix: str, records: Sequence[Record], vectors: NDArray[np.float32] | None
    ) -> AddReport:
        """Make ``records`` the only ones of this source whose ids begin with ``prefix``.

        New ones are written before old ones are removed: an interruption leaves too much rather than too little.

        Args:
            source: What the metadata of the records has as ``source``.
            prefix: What their ids begin with; others of the same source are left alone.
            records: The new ones, with distinct ids.
            vectors: One row each; None where there are no records.

        Raises:
            StoreInUseError, StoreError, ValueError: As :meth:`upsert`.
        """
        collection = self.open()
        current = {record.id for record in records}
        with self._home.writing(str(collection.id)):
            report = AddReport() if vectors is None else self._upsert(collection, records, vectors)
            stored = collection.get(where={"source": source}, include=[])["ids"]
            gone = [key for key in stored if key.startswith(prefix) and key not in current]
            for start in range(0, len(gone), self._max_batch):
                collection.delete(ids=gone[start : start + self._max_batch])
        self._known_to_hold_documents = False  # its last passage may have gone
        return report + AddReport(removed=len(gone))

    def _upsert(self, collection: Any, records: Sequence[Record], vectors: NDArray[np.float32]) -> AddReport:
        report = AddReport()
        for start in range(0, len(records), self._max_batch):
            part = slice(start, start + self._max_batch)
            report += self._upsert_batch(collection, records[part], vectors[part])
        return report

    def _upsert_batch(self, collection: Any, records: Sequence[Record], vectors: NDArray[np.float32]) -> AddReport:
        ids = [record.id for record in records]
        known = collection.get(ids=ids, include=["metadatas"])
        old_metadata = dict(zip(known["ids"], known["metadatas"], strict=True))
        try:
            collection.upsert(
                ids=ids,
                documents=[record.text for record in records],
                embeddings=vectors,
                metadatas=[_replacing(old_metadata.get(record.id), record.metadata) for record in records],
            )
        except Exception as error:
            raise self._explained(error, vectors.shape[1]) from error
        return AddReport(added=len(ids) - len(old_metadata), replaced=len(old_metadata))

    def _get_collection(self, client: Any) -> Any:
        try:
            collection = client.get_or_create_collection(
                self._name, embedding_function=None, configuration={"hnsw": {"space": SPACE}}
            )
        except Exception as error:
            raise StoreError(f"cannot open the collection {self._name!r}: {error}") from error
        space = ((collection.configuration_json or {}).get("hnsw") or {}).get("space", SPACE)
        if space != SPACE:
            raise StoreError(
                f"the collection {self._name!r} measures distance by {space!r}, and scores here need {SPACE!r}:"
                " use another collection"
            )
        return collection

    def _explained(self, error: Exception, dimension: int) -> Exception:
        if isinstance(error, RagError | ValueError | TypeError):
            return error
        if "dimension" in str(error):
            return StoreError(
                f"the model gives vectors of {dimension} numbers, which the collection {self._name!r} does not"
                f" hold ({error}): use the model it was built with, or another collection"
            )
        return StoreError(f"the collection {self._name!r} failed: {error}")


def last_of_each_id(records: Iterable[Record]) -> list[Record]:
    """The records without repetitions of an id, of which the last one counts, in the order of the first."""
    return list({record.id: record for record in records}.values())


def _replacing(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    # Chroma's upsert keeps the old keys that the new metadata does not name; None takes them away.
    return {**dict.fromkeys(old or {}), **(new or {})} or None


def _result(key: str, text: str | None, metadata: Mapping[str, Any] | None, distance: float) -> SearchResult:
    kept = dict(metadata or {})
    source = kept.get("source")
    return SearchResult(
        id=key,
        text=text or "",
        score=1.0 - float(distance),
        metadata=kept,
        source=source if isinstance(source, str) else None,
    )
