"""Reads the passages of a collection, with their vectors or waiting for them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.store.chroma_collection import PASSAGE, ChromaCollection
from jarvisperf.rag.store.collection import Collection
from jarvisperf.rag.store.filters import EVERYTHING, MARK, Selection
from jarvisperf.rag.store.nearest.passages import NearestPassages
from jarvisperf.rag.store.records import hit_of
from jarvisperf.rag.store.waiting import WaitingCollection, passages_in, tokens_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.change import StoreChange
    from jarvisperf.rag.store.generation import CollectionState, Heads, Home
    from jarvisperf.rag.store.model_check import ModelCheck
    from jarvisperf.rag.store.records import Hit, Neighbours
    from jarvisperf.rag.store.waiting import WaitingPassage

_ATTEMPTS: Final = 5


class PassageReader(Collection):
    """Reads passages; safe to call from several threads.

    Args:
        home: Where the collection lives.
        name: The collection's name.
        exact: Compare each query with every passage instead of using Chroma's approximate index.
        model_check: Checks the model whose vectors are searched and written.
        changes_between: Returns the changes from one generation to a later one; None if they are unknown. With it,
            vectors are kept in memory, if the home notices all writes.
    """

    def __init__(
        self,
        home: Home,
        name: str,
        *,
        exact: bool = False,
        model_check: ModelCheck | None = None,
        changes_between: Callable[[Heads, Heads], list[StoreChange] | None] | None = None,
    ) -> None:
        super().__init__(home, name)
        self._model_check = model_check
        self.exact = exact
        self._nearest = NearestPassages(
            self,
            exact=exact,
            read_state=self.settle_state,
            changes_between=changes_between if home.notices_all_writes else None,
        )
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
        place, here = self._place_of_waiting(), self._here()
        if place is None:
            return here.count()
        for _ in range(_ATTEMPTS):
            first = place.count()
            count = first + here.count()
            if place.count() == first:  # none has moved from one to the other in between
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
            return self._nearest.query(vectors, n_results, selection, with_vectors=with_vectors)
        except Exception as error:
            is_reopened = before is not None and self._collection is not before  # by another thread
            if not is_reopened:
                if not isinstance(error, StoreError) or type(error.__cause__).__name__ != "NotFoundError":
                    raise
                self.reopen()  # it was deleted and created again
        return self._nearest.query(vectors, n_results, selection, with_vectors=with_vectors)

    def pages(self, include: Sequence[str]) -> Iterator[Any]:
        """Yield all passages in pages of up to 10,000, as Chroma's ``get`` returns them; each passage once."""
        place, here = self._place_of_waiting(), self._here()
        seen: set[str] = set()
        if place is not None:
            ids = place.ids(EVERYTHING)  # at once: those that leave before they are read are in the other one
            for page in place.batches(ids, include):
                seen.update(page["ids"])
                yield page
        for page in here.pages(include):
            yield _without(seen, page, include)

    def nearness(self, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, Hit]:
        """Return those of these passages that have a vector, with their distance to a query's vector."""
        return {
            key: hit_of(key, text, metadata, row, vector)
            for key, text, metadata, row in self._here().get(ids, *PASSAGE, "embeddings")
        }

    def ids(self, selection: Selection) -> list[str]:
        """Return the ids of the passages in a selection.

        Raises:
            ValueError: Chroma rejects a filter.
        """
        return list(dict.fromkeys(key for place in self._places() for key in place.ids(selection)))

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
            yield from self._get(ids, *PASSAGE)
            return
        for page in self.pages(PASSAGE):
            yield from zip(page["ids"], page["documents"], page["metadatas"], strict=True)

    def marks(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the content mark (``records.mark_of``) of each of these ids that exists.

        Raises:
            StoreError: The folder was removed or replaced while it was open.
        """
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
                pages = place.pages(["metadatas"], selection)
                found = {key: token for page in pages for key, token in tokens_in(page).items()}
            except Exception as error:
                raise self.explained(error, 0, selection) from error
        if state is not None and not state.writing and self._home.read_state() == state:
            self._known_to_wait = (state, found)
        return found

    def count_waiting(self) -> int:
        """Return how many passages wait for their vectors."""
        known = self._waiting_at(self._home.read_state())
        if known is not None:
            return len(known)
        place = self._place_of_waiting()
        return 0 if place is None else place.count()

    def _waiting_at(self, state: CollectionState | None) -> dict[str, str] | None:
        """Return what :meth:`waiting` found in this state; None if that is unknown, or a write is under way."""
        known = self._known_to_wait
        if known is None or state is None or state.writing or known[0] != state:
            return None
        return known[1]

    def waiting_passages(self, ids: Sequence[str]) -> list[WaitingPassage]:
        """Return those of these passages that wait for their vectors."""
        place = self._place_of_waiting()
        return [] if place is None else [one for page in place.batches(ids, PASSAGE) for one in passages_in(page)]

    def first_waiting(self, count: int) -> list[WaitingPassage]:
        """Return up to ``count`` passages that wait for their vectors."""
        place = self._place_of_waiting()
        return [] if place is None else list(passages_in(place.first(count, PASSAGE)))

    def properties(self, keys: Sequence[str]) -> list[Any]:
        """Return what is stored with the collection under these keys; None where nothing is."""
        found = self.open().metadata or {}
        return [found.get(key) for key in keys]

    def _here(self) -> ChromaCollection:
        """Return the collection of the passages that have vectors."""
        return ChromaCollection(self.open(), self)

    def _places(self) -> list[ChromaCollection]:
        """Return the Chroma collections that hold passages, first that of waiting ones, whose version is the newer."""
        place = self._place_of_waiting()
        here = self._here()
        return [here] if place is None else [place, here]

    def _place_of_waiting(self, *, create: bool = False) -> ChromaCollection | None:
        collection = self.open()
        found = self.asked(self._waiting.open, client=self._client, main_id=str(collection.id), create=create)
        return None if found is None else ChromaCollection(found, self)

    def _get(self, ids: Iterable[str], *parts: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and these parts of each passage that exists, with or without a vector."""
        distinct = list(dict.fromkeys(ids))
        found: set[str] = set()
        for place in self._places():
            for row in place.get(distinct, *parts):
                if row[0] not in found:
                    found.add(row[0])
                    yield row


def _without(ids: set[str], page: Any, include: Sequence[str]) -> Any:
    """Return a page of Chroma's ``get`` without the passages with these ids."""
    if ids.isdisjoint(page["ids"]):
        return page
    rows = [row for row, key in enumerate(page["ids"]) if key not in ids]
    return {part: [page[part][row] for row in rows] for part in ("ids", *include)}
