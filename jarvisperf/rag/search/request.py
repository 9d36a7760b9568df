"""What a search asks for, checked and in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvisperf.rag.answers.query_cache import Question
from jarvisperf.rag.checks import number_between, whole_number
from jarvisperf.rag.store.filters import canonical, checked_filter
from jarvisperf.rag.store.selection import Selection
from jarvisperf.rag.texts import normalise_query

if TYPE_CHECKING:
    from jarvisperf.rag.store.filters import Filter

_MOST_RESULTS = 2**31 - 1  # nobody has more passages


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search.

    Attributes:
        query: The normalised query.
        n_results: How many passages.
        selection: Which ones may be found.
        min_score: The least cosine similarity; None: any.
        diversity: From 0 (the nearest) to 1 (the most different): maximal marginal relevance; None: the nearest.
        hybrid: Fuse with a search for the query's words.
    """

    query: str
    n_results: int
    selection: Selection
    min_score: float | None
    diversity: float | None
    hybrid: bool

    def question(self, kind: str, model: str, *more: str, exact: bool) -> Question:
        """The question that the cache is asked; ``exact`` as for :class:`jarvisperf.rag.store.chroma.ChromaStore`."""
        options = (
            repr(exact),
            str(self.n_results),
            canonical("where", self.selection.where),
            canonical("where_document", self.selection.where_document),
            repr(self.min_score),
            repr(self.diversity),
            repr(self.hybrid),
            *more,
        )
        return Question(kind, self.query, model, options)


def checked_request(
    query: str,
    n_results: int,
    where: Filter | None = None,
    where_document: Filter | None = None,
    min_score: float | None = None,
    diversity: float | None = None,
    hybrid: bool = False,
) -> SearchRequest:
    """Check what a caller of search gave.

    Raises:
        TypeError: An argument has a type that it cannot have.
        ValueError: An argument has a value that it cannot have.
    """
    if not isinstance(hybrid, bool):
        raise TypeError(f"hybrid is {hybrid!r}: give True or False")
    return SearchRequest(
        normalise_query(query),
        min(whole_number("n_results", n_results), _MOST_RESULTS),
        Selection(checked_filter("where", where), checked_filter("where_document", where_document)),
        number_between("min_score", min_score, -1, 1),
        number_between("diversity", diversity, 0, 1),
        hybrid,
    )
