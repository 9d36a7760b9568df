"""Keyword search: BM25 over all passages, using bm25s.

The index is kept in memory, built on first use and rebuilt when the collection has changed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.errors import missing_package
from jarvisperf.rag.search.words import words_of_passage, words_of_query
from jarvisperf.rag.store.filters import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.store.change import StoreChange
    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.filters import Selection
    from jarvisperf.rag.store.generation import CollectionState, Heads


class KeywordIndex:
    """Ranks the passages of a store by the words of a query; safe to call from several threads.

    Args:
        store: The passages.
        read_state: Returns the current state of the collection.
        changes_between: Returns the changes from one generation to a later one; None if they are unknown.
    """

    def __init__(
        self,
        store: ChromaStore,
        read_state: Callable[[], CollectionState | None],
        changes_between: Callable[[Heads, Heads], list[StoreChange] | None],
    ) -> None:
        self._store = store
        self._read_state = read_state
        self._changes_between = changes_between
        self._lock = threading.Lock()
        renew_lock_when_forked(self)
        self._state: CollectionState | None = None
        self._ids: list[str] = []
        self._ranker: Any = None

    def best(self, query: str, count: int, selection: Selection) -> list[tuple[str, float]]:
        """Return the ids and BM25 scores of up to ``count`` passages that contain words of the query, best first.

        Raises:
            MissingPackageError: bm25s is not installed.
            ValueError: Chroma rejects a filter.
        """
        import numpy as np

        with self._lock:
            self._refresh()
            ids, ranker = self._ids, self._ranker
        words = list(dict.fromkeys(words_of_query(query)))
        if ranker is None or not words:
            return []
        scores = ranker.get_scores(words)
        if selection != EVERYTHING:
            allowed = set(self._store.ids(selection))
            scores = np.where([key in allowed for key in ids], scores, 0)
        found = np.flatnonzero(scores > 0).tolist()
        best = sorted(found, key=lambda row: (-scores[row], ids[row]))[:count]
        return [(ids[row], float(scores[row])) for row in best]

    def _refresh(self) -> None:
        state = self._read_state()
        if self._ranker is not None and state is not None and not state.writing and self._has_the_texts_of(state):
            self._state = state
            return
        try:
            import bm25s
        except ImportError as error:
            raise missing_package("bm25s") from error
        self._ids, texts = [], []
        for page in self._store.pages(["documents"]):
            self._ids += page["ids"]
            texts += [words_of_passage(text or "") for text in page["documents"]]
        self._ranker = None
        if any(texts):
            self._ranker = bm25s.BM25()
            self._ranker.index([words or [""] for words in texts], show_progress=False)  # wordless texts keep their row
        self._state = state

    def _has_the_texts_of(self, state: CollectionState) -> bool:
        """Return whether the passages have had these texts since the index was built."""
        before = self._state
        if before is None or before.writing or before.collection != state.collection:
            return False
        changes = [] if before.heads == state.heads else self._changes_between(before.heads, state.heads)
        if changes is None or not all(change.texts_stay for change in changes):
            return False
        return before.count is None or before.count + sum(change.growth for change in changes) == state.count
