"""A search request: the caller's validated options, and the corresponding question for the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from jarvisperf.checks import number, whole_number
from jarvisperf.rag.search.sources import with_absolute_sources
from jarvisperf.rag.store.filters import EVERYTHING, Selection, canonical, checked_filter
from jarvisperf.rag.texts import normalise_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.rag.store.filters import Filter

_MAX_RESULTS: Final = 2**31 - 1  # Chroma's limit; no collection has more passages


class SearchOptions(TypedDict, total=False):
    """The keyword arguments that all searches share; :meth:`jarvisperf.rag.OptimizedRAG.search` explains them."""

    where_document: Filter | None
    min_score: float | None
    diversity: float | None
    hybrid: bool


_DEFAULTS: Final[Mapping[str, object]] = {
    "where": None,
    "where_document": None,
    "min_score": None,
    "diversity": None,
    "hybrid": False,
}


class Question(NamedTuple):
    """Everything that an answer depends on, except the state of the collection.

    Attributes:
        kind: ``search`` or ``context``.
        query: The normalised query.
        model: The identity of the embedder.
        options: Everything else, one string per option.
    """

    kind: str
    query: str
    model: str
    options: tuple[str, ...]


class SearchRequest(NamedTuple):
    """The checked arguments of one search.

    Attributes:
        query: The normalised query.
        n_results: Maximum number of passages.
        selection: The passages that may be returned.
        min_score: Minimum cosine similarity; None for no minimum.
        diversity: From 0 (the nearest) to 1 (the most different), by maximal marginal relevance; None for the nearest.
        hybrid: Fuse the results with those of a keyword search.
    """

    query: str
    n_results: int
    selection: Selection
    min_score: float | None
    diversity: float | None
    hybrid: bool

    def question(self, kind: str, model: str, *more: str, exact: bool) -> Question:
        """Return the question to ask the cache.

        Args:
            kind: ``search`` or ``context``.
            model: The identity of the embedder.
            more: Further options that the answer depends on.
            exact: Whether each query is compared with every passage.
        """
        filtered = self.selection is not EVERYTHING
        options = (
            repr(exact),
            str(self.n_results),
            canonical("where", self.selection.where) if filtered else "",
            canonical("where_document", self.selection.where_document) if filtered else "",
            repr(self.min_score),
            repr(self.diversity),
            repr(self.hybrid),
            *more,
        )
        return Question(kind, self.query, model, options)


def checked_request(query: str, n_results: int, options: Mapping[str, Any]) -> SearchRequest:
    """Check the arguments of a search.

    Raises:
        TypeError: An argument has the wrong type, or an option is unknown.
        ValueError: An argument is out of range, or the query is blank.
    """
    if not options.keys() <= _DEFAULTS.keys():
        unknown = next(name for name in options if name not in _DEFAULTS)
        raise TypeError(f"unknown search option {unknown!r}; choose from: {', '.join(_DEFAULTS)}")
    where, where_document = options.get("where"), options.get("where_document")
    min_score, diversity, hybrid = options.get("min_score"), options.get("diversity"), options.get("hybrid", False)
    if not isinstance(hybrid, bool):
        raise TypeError(f"hybrid is {hybrid!r}: give True or False")
    selection = EVERYTHING
    if where is not None or where_document is not None:
        selection = selection_of(where, where_document)
    return SearchRequest(
        normalise_query(query),
        min(whole_number("n_results", n_results, at_least=1), _MAX_RESULTS),
        selection,
        number("min_score", min_score, at_least=-1, at_most=1) if min_score is not None else None,
        number("diversity", diversity, at_least=0, at_most=1) if diversity is not None else None,
        hybrid,
    )


def selection_of(where: Filter | None, where_document: Filter | None) -> Selection:
    """Return the passages that pass two filters.

    Raises:
        TypeError: A filter has the wrong type, or holds something that no filter can have.
        ValueError: A filter is empty or nested too deeply.
    """
    checked = checked_filter("where", where)
    return Selection(
        None if checked is None else with_absolute_sources(checked), checked_filter("where_document", where_document)
    )


def with_where(where: Filter | None, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of a search together with its filter on metadata."""
    return options if where is None else {**options, "where": where}


def is_plain(options: Mapping[str, Any]) -> bool:
    """Return whether every option has its default value."""
    for name, value in options.items():  # noqa: SIM110 - half the time of all(): this runs for every query with options
        if name not in _DEFAULTS or value is not _DEFAULTS[name]:
            return False
    return True
