"""The documents and their vectors in one Chroma collection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.answers.changes import MOST_VECTORS_PER_CALL, Change
from jarvisperf.rag.results import AddReport
from jarvisperf.rag.search.footprint import unit_rows
from jarvisperf.rag.store.collection import Collection
from jarvisperf.rag.store.exact import nearest_rows
from jarvisperf.rag.store.hits import Found, Hit, found_in
from jarvisperf.rag.store.records import MARK, marked, without_mark
from jarvisperf.rag.store.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.answers.changes import ChangeLog
    from jarvisperf.rag.store.generation import Home
    from jarvisperf.rag.store.records import Record

_PASSAGE = ("documents", "metadatas")
_INCLUDED = [*_PASSAGE, "distances"]
_NOT_WORTH_COUNTING = 1000  # to ask for more results than there are passages is slower than to count them, from here
_PAGE = 10_000
# Chroma asks SQLite for the texts of all that it found in one statement, which takes 32,766 variables.
_MOST_TEXTS_AT_ONCE = 30_000


class ChromaStore(Collection):
    """Reads and writes passages; safe to call from several threads.

    Args:
        home: Where the collection lives.
        name: The collection's name.
        changes: Where writes are recorded.
        exact: Compare every query with every passage, instead of asking Chroma's index.
    """

    def __init__(self, home: Home, name: str, changes: ChangeLog, *, exact: bool = False) -> None:
        super().__init__(home, name)
        self._changes = changes
        self.exact = exact
        self._known_to_hold_documents = False

    def is_empty(self) -> bool:
        """Whether there is no passage; cheap once there was one."""
        if not self._known_to_hold_documents:
            self._known_to_hold_documents = self.count() > 0
        return not self._known_to_hold_documents

    def query(
        self,
        vectors: NDArray[np.float32],
        n_results: int,
        selection: Selection = EVERYTHING,
        *,
        with_vectors: bool = False,
    ) -> list[Found]:
        """For each vector the ``n_results`` passages nearest to it, or all if there are fewer; nearest first.

        Args:
            vectors: One row per query.
            n_results: How many passages.
            selection: Which ones may be found.
            with_vectors: Give the passages' vectors too.

        Raises:
            StoreError: The vectors do not fit the collection.
            ValueError: Chroma refuses a filter.
        """
        collection = self.open()
        if self.exact:
            return self._query_exactly(collection, vectors, n_results, selection)
        # Chroma refuses numbers beyond 32 bits. What was found is still what this many were wanted of.
        most = n_results if n_results <= _NOT_WORTH_COUNTING else min(n_results, max(1, self.count()))
        if most > _MOST_TEXTS_AT_ONCE:
            return self._query_exactly(collection, vectors, n_results, selection)
        include = [*_INCLUDED, "embeddings"] if with_vectors else _INCLUDED
        at_once = _MOST_TEXTS_AT_ONCE // most
        found: list[Found] = []
        for start in range(0, len(vectors), at_once):
            part = list(vectors[start : start + at_once])
            try:
                answer = collection.query(query_embeddings=part, n_results=most, include=include, **selection.filters)
            except Exception as error:
                raise self._explained(error, vectors.shape[1], selection) from error
            found += [found_in(answer, row, n_results) for row in range(len(part))]
        fewest = min(len(one.hits) for one in found)
        if fewest < most and fewest < self._count_of(collection, selection):
            return self._query_exactly(collection, vectors, n_results, selection)
        return found

    def pages(self, include: Sequence[str]) -> Iterator[Any]:
        """All passages, some thousands at a time, as Chroma's ``get`` gives them."""
        collection = self.open()
        offset = 0
        while True:
            page = collection.get(limit=_PAGE, offset=offset, include=list(include))
            if page["ids"]:
                yield page
            if len(page["ids"]) < _PAGE:
                return
            offset += _PAGE

    def nearness(self, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, Hit]:
        """The passages with these ids, those that are there, with their distance to a query's vector."""
        import numpy as np

        hits = {}
        for key, text, metadata, row in self._get(ids, "documents", "metadatas", "embeddings"):
            length = max(float(np.linalg.norm(row)) * float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny))
            hits[key] = Hit(key, text or "", without_mark(metadata), 1.0 - float(row @ vector) / length, row)
        return hits

    def ids(self, selection: Selection) -> list[str]:
        """The ids of the passages that a selection has.

        Raises:
            ValueError: Chroma refuses a filter.
        """
        try:
            found: list[str] = self.open().get(**selection.filters, include=[])["ids"]
        except Exception as error:
            raise self._explained(error, 0, selection) from error
        return found

    def marks(self, ids: Sequence[str]) -> dict[str, str]:
        """For each of these ids that is there, what tells its content: see :func:`jarvisperf.rag.store.records.mark_of`.

        Raises:
            StoreError: The folder was removed or replaced while it was open.
        """
        self.open()
        self._home.check_in_place()  # Chroma, where it has to open a file of it, only says that it could not
        return {key: str((metadata or {}).get(MARK, "")) for key, metadata in self._get(ids, "metadatas")}

    def existing(self, ids: Sequence[str]) -> list[str]:
        """Those of these ids that are there."""
        return [key for (key,) in self._get(ids)]

    def marks_of_source(self, source: str, prefix: str) -> dict[str, str]:
        """Like :meth:`marks`, for the passages of a source whose ids begin with ``prefix``."""
        found = self.ids(Selection(where={"source": source}))
        return self.marks([key for key in found if key.startswith(prefix)])

    def sources(self) -> dict[str, int]:
        """How many passages there are of each source, in the order of the sources' names."""
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
        records: Sequence[Record],
        vectors: NDArray[np.float32] | tuple[()],
        gone: Callable[[], Sequence[str]] = tuple,
        *,
        recorded: bool = True,
    ) -> AddReport:
        """Store records with distinct ids, then remove others; both are one write.

        New ones are written before old ones are removed: an interruption leaves too much rather than too little.

        Args:
            records: What to store; those with known ids are replaced.
            vectors: One row each.
            gone: Called within the write, gives the ids to remove.
            recorded: Cached answers may be weighed against this write; else they all end with it.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: Chroma refuses the vectors.
            ValueError: Chroma refuses the metadata.
            RuntimeError: The store has been closed.
        """
        with self._write_lock:
            return self._write(records, vectors, gone, recorded=recorded)

    def _write(
        self,
        records: Sequence[Record],
        vectors: NDArray[np.float32] | tuple[()],
        gone: Callable[[], Sequence[str]],
        *,
        recorded: bool,
    ) -> AddReport:
        collection = self.open()
        report = AddReport()
        removed: list[str] = []
        fits = recorded and len(records) <= MOST_VECTORS_PER_CALL

        def publish(previous: str, token: str) -> None:
            if fits:
                self._changes.record(previous, token, _change(records, vectors, removed))

        with self._home.writing(str(collection.id), publish):
            for start in range(0, len(vectors), self._max_batch):
                part = slice(start, start + self._max_batch)
                report += self._upsert(collection, records[part], vectors[part])
            removed += gone()
            for start in range(0, len(removed), self._max_batch):
                collection.delete(ids=removed[start : start + self._max_batch])
        if removed:
            self._known_to_hold_documents = False  # the last passage may have gone
        return report + AddReport(removed=len(removed))

    def _query_exactly(
        self, collection: Any, vectors: NDArray[np.float32], n_results: int, selection: Selection
    ) -> list[Found]:
        """Compare with every passage: Chroma's index (HNSW) does not always reach all of them."""
        import numpy as np

        try:
            stored = collection.get(**selection.filters, include=["embeddings"])
        except Exception as error:
            raise self._explained(error, vectors.shape[1], selection) from error
        keys = np.asarray(stored["ids"], dtype=object)
        rows = np.asarray(stored["embeddings"], dtype=np.float64)
        if not len(keys):
            return [Found([], n_results) for _ in vectors]
        if rows.shape[1] != vectors.shape[1]:
            raise self._misfit(vectors.shape[1], f"it holds vectors of {rows.shape[1]}")
        orders = nearest_rows(rows, keys, vectors, n_results)
        wanted = {keys[row] for order in orders for row, _ in order}
        passages = {key: (text or "", without_mark(told)) for key, text, told in self._get(wanted, *_PASSAGE)}
        return [
            Found(
                [
                    Hit(keys[row], *passages[keys[row]], distance, stored["embeddings"][row])
                    for row, distance in order
                    if keys[row] in passages  # or else it was removed just now
                ],
                n_results,
            )
            for order in orders
        ]

    def _get(self, ids: Iterable[str], *parts: str) -> Iterator[tuple[Any, ...]]:
        """The id and these parts of each passage that is there; in portions, for Chroma takes so many ids at once."""
        collection = self.open()
        distinct = list(dict.fromkeys(ids))
        for start in range(0, len(distinct), self._max_batch):
            got = collection.get(ids=distinct[start : start + self._max_batch], include=list(parts))
            yield from zip(got["ids"], *(got[part] for part in parts), strict=True)

    def _count_of(self, collection: Any, selection: Selection) -> int:
        return len(self.ids(selection)) if selection.filters else int(collection.count())

    def _upsert(self, collection: Any, records: Sequence[Record], vectors: Any) -> AddReport:
        ids = [record.id for record in records]
        known = collection.get(ids=ids, include=["metadatas"])
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


def _change(records: Sequence[Record], vectors: Any, removed: Sequence[str]) -> Change:
    return Change(
        ids=(*(record.id for record in records), *removed),
        vectors=unit_rows(vectors) if records else b"",
        metadatas=tuple(None if record.metadata is None else dict(record.metadata) for record in records),
    )


def _replacing(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    # Chroma's upsert keeps the old keys that the new metadata does not name; None takes them away.
    return {**dict.fromkeys(old or {}), **(new or {})} or None
