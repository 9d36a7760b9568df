"""Computes the answer to a search: queries the store, and ranks the hits as requested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jarvisperf.rag.embedding.documents import check_finite, query_vector
from jarvisperf.rag.search.footprint import Computed, Footprint
from jarvisperf.rag.search.ranking import fused, marginal_relevance
from jarvisperf.rag.search.waiting_words import WaitingWords
from jarvisperf.rag.store.change import EVERYWHERE, unit_rows
from jarvisperf.rag.store.filters import EVERYTHING
from jarvisperf.rag.store.records import neighbours, results_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.background import BackgroundEmbedder
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.results import SearchResult
    from jarvisperf.rag.search.keywords import KeywordIndex
    from jarvisperf.rag.search.request import SearchRequest
    from jarvisperf.rag.stats import QueryStats
    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.records import Hit, Neighbours

Results = tuple["SearchResult", ...]

MOST_EMBEDDED_FIRST = 512
"""While at most this many passages wait for their vectors, a search computes these before it answers."""

_MIN_WAITING_CANDIDATES = 16
_ATTEMPTS = 5

_CANDIDATES_PER_RESULT = 4
_MIN_CANDIDATES = 20
# The shape of the tail of a ranking cannot be told from fewer.
_MIN_CANDIDATES_OF_A_RANKING = 50


class _Found(NamedTuple):
    """The passages nearest to a query.

    Attributes:
        nearest: The passages.
        complete: Whether the query was compared with every passage.
        lasting: Whether all of them have their vectors.
    """

    nearest: Neighbours
    complete: bool = True
    lasting: bool = True


class Retriever:
    """Searches a store; safe to call from several threads.

    Args:
        store: The passages.
        embedder: Embeds queries.
        keywords: Finds passages by keywords, for hybrid searches.
        background: Embeds the passages that wait for their vectors.
        stats: Receives the times of the stages.
    """

    def __init__(
        self,
        store: ChromaStore,
        embedder: Embedder,
        keywords: KeywordIndex,
        background: BackgroundEmbedder,
        stats: QueryStats,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._keywords = keywords
        self._background = background
        self._waiting_words = WaitingWords(store)
        self._stats = stats

    def embed(self, text: str) -> NDArray[np.float32] | None:
        """Return the vector of a query; None if the store is empty, so that no model needs to be loaded."""
        if self._store.is_empty():
            return None
        self._store.check_model()
        with self._stats.timed_stage("embed"):
            vector = query_vector(self._embedder.embed_query(text))
        check_finite(vector.reshape(1, -1), [text])
        return vector

    def search(self, request: SearchRequest, vector: NDArray[np.float32] | None) -> Computed[Results]:
        """Answer one request, given the vector of its query."""
        if vector is None:
            self._store.check_filters(request.selection)
            where = request.selection.where
            return Computed((), Footprint(b"", EVERYWHERE, (), None if where is None else dict(where)))
        self.embed_few(request.n_results)
        with self._stats.timed_stage("search"):
            found = self._found(request, vector)
            return self._answer(request, vector, found)

    def search_many(self, requests: Sequence[SearchRequest]) -> list[Computed[Results]]:
        """Answer requests that differ only in their queries: one batch for the model, one for Chroma."""
        if not requests:
            return []
        if self._store.is_empty():
            self._store.check_filters(requests[0].selection)
            return [Computed((), None) for _ in requests]
        self._store.check_model()
        with self._stats.timed_stage("embed"):
            queries = [request.query for request in requests]
            rows = self._rows(queries)
        check_finite(rows, queries)
        self.embed_few(requests[0].n_results)
        if self._store.count_waiting():
            return [self.search(request, row) for request, row in zip(requests, rows, strict=True)]
        with self._stats.timed_stage("search"):
            found = self._neighbours(requests[0], rows)
            return [
                self._answer(request, row, _Found(one)) for request, row, one in zip(requests, rows, found, strict=True)
            ]

    def embed_few(self, n_results: int) -> bool:
        """If passages wait for their vectors: compute those of a few now, and start on those of many.

        Args:
            n_results: How many passages are requested; if all that wait may be returned, they are few.

        Returns:
            Whether the store may have changed.

        Raises:
            Exception: Whatever the embedder or the store raises.
        """
        waiting = self._store.count_waiting()
        if not waiting:
            return False
        if waiting <= max(MOST_EMBEDDED_FIRST, n_results):
            self._background.finish_for_a_search()
        else:
            self._background.start()
        return True

    def _found(self, request: SearchRequest, vector: NDArray[np.float32]) -> _Found:
        """Return the nearest passages: of those that have vectors, and of those that wait and share words."""
        rows = vector.reshape(1, -1)
        for _ in range(_ATTEMPTS):
            with self._background.halted():
                before = self._store.waiting(request.selection)
                chosen = self._chosen(request, before)
                hits = self._background.hits(chosen, vector)
                (found,) = self._neighbours(request, rows)
                # Others may have stored the vector of a passage, or replaced it, which moves it.
                if len(hits) == len(chosen) and self._store.waiting(request.selection).keys() == before.keys():
                    break
        return _joined(request, found, hits, before)

    def _chosen(self, request: SearchRequest, waiting: Mapping[str, str]) -> list[str]:
        count = max(_MIN_WAITING_CANDIDATES, request.n_results)
        if len(waiting) <= count:
            return list(waiting)
        everything = waiting if request.selection == EVERYTHING else self._store.waiting()
        return self._waiting_words.best(request.query, count, everything, waiting)

    def _rows(self, queries: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        embed_queries = getattr(self._embedder, "embed_queries", None)
        if embed_queries is not None:
            return np.asarray(embed_queries(queries), dtype=np.float32)
        return np.stack([query_vector(self._embedder.embed_query(query)) for query in queries])

    def _neighbours(self, request: SearchRequest, rows: NDArray[np.float32]) -> list[Neighbours]:
        with_vectors = request.diversity is not None
        return self._store.query(rows, _candidates(request), request.selection, with_vectors=with_vectors)

    def _answer(self, request: SearchRequest, vector: NDArray[np.float32], found: _Found) -> Computed[Results]:
        hits = found.nearest.hits
        if request.hybrid:
            hits = self._with_keywords(request, vector, hits)
        if request.min_score is not None:
            hits = [hit for hit in hits if 1.0 - hit.distance >= request.min_score]
        if request.diversity is not None:
            hits = marginal_relevance(vector, hits, request.n_results, request.diversity)
        results = results_of(hits[: request.n_results])
        footprint = None if request.hybrid else _footprint(request, vector, found.nearest)
        return Computed(results, footprint, found.complete, found.lasting)

    def _with_keywords(self, request: SearchRequest, vector: Any, hits: list[Hit]) -> list[Hit]:
        words = self._keywords.best(request.query, _candidates(request), request.selection)
        by_id = {hit.id: hit for hit in hits}
        missing = [key for key, _ in words if key not in by_id]
        if missing:
            by_id |= self._store.nearness(missing, vector)
        order = fused([[(hit.id, 1.0 - hit.distance) for hit in hits], words], len(hits))
        return [by_id[key] for key in order if key in by_id]


def _joined(request: SearchRequest, found: Neighbours, hits: Sequence[Hit], waiting: Mapping[str, str]) -> _Found:
    if not waiting:
        return _Found(found)
    # The version that waits is the newer one.
    both = [*(hit for hit in found.hits if hit.id not in waiting), *hits]
    nearest = neighbours(both, len(both))
    return _Found(
        nearest._replace(hits=nearest.hits[: _candidates(request)]),
        complete=len(hits) == len(waiting),
        lasting=False,
    )


def _candidates(request: SearchRequest) -> int:
    if request.diversity is None and not request.hybrid:
        return request.n_results
    fewest = _MIN_CANDIDATES_OF_A_RANKING if request.hybrid else _MIN_CANDIDATES
    return max(fewest, _CANDIDATES_PER_RESULT * request.n_results)


def _footprint(request: SearchRequest, vector: NDArray[np.float32], found: Neighbours) -> Footprint:
    radius = found.radius
    if request.min_score is not None:  # passages beyond it are not returned
        radius = min(radius, 1.0 - request.min_score)
    where = request.selection.where
    ids = tuple([hit.id for hit in found.hits])
    return Footprint(unit_rows(vector).tobytes(), radius, ids, None if where is None else dict(where))
