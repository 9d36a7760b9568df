"""The half of an OptimizedRAG that reads: searches and contexts, cached or not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from jarvisperf.rag.answers.answering import Product
from jarvisperf.rag.answers.query_cache import AnswerForm, plain_call
from jarvisperf.rag.checks import ttl_seconds
from jarvisperf.rag.results import SearchResult, decode_results, encode_results
from jarvisperf.rag.search.context import context_limits
from jarvisperf.rag.search.request import checked_request
from jarvisperf.rag.twins import async_twin

if TYPE_CHECKING:
    from jarvisperf.rag.answers.answering import Answering
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.search.retriever import Results, Retriever
    from jarvisperf.rag.store.filters import Filter

T = TypeVar("T")


def _unpack_results(kept: bytes) -> Results:
    return tuple(decode_results(kept))


_SEARCH: Product[Results] = Product("search", AnswerForm(encode_results, _unpack_results), tuple)
_TEXT: AnswerForm[str] = AnswerForm(str.encode, bytes.decode)


class Searching:
    """The methods that find passages.

    Args:
        answering: Answers requests.
        retriever: Answers many at once.
        embedder: Counts tokens.
    """

    def __init__(self, answering: Answering, retriever: Retriever, embedder: Embedder) -> None:
        self._answering = answering
        self._retriever = retriever
        self._embedder = embedder
        self._closed = False

    def search(
        self,
        query: str,
        n_results: int = 5,
        where: Filter | None = None,
        where_document: Filter | None = None,
        min_score: float | None = None,
        *,
        diversity: float | None = None,
        hybrid: bool = False,
    ) -> list[SearchResult]:
        """Find the passages nearest in meaning to the query, nearest first; all there are if fewer than asked for.

        Args:
            query: The query.
            n_results: How many passages, at least 1.
            where: Chroma's filter on metadata, such as ``{"language": "pt"}``.
            where_document: Chroma's filter on texts, such as ``{"$contains": "word"}``.
            min_score: The least cosine similarity, from -1 to 1.
            diversity: From 0 to 1: prefer passages that differ from each other (maximal marginal relevance).
            hybrid: Search for the words too (BM25), and join both by reciprocal rank.

        Raises:
            TypeError: An argument has a type that it cannot have.
            ValueError: The query is blank, a number is out of range, or Chroma refuses a filter.
            ModelNotFoundError: No model can be had.
            MissingPackageError: A package that this needs is not installed.
            StoreError: The store cannot be opened or does not fit the model.
        """
        self._check_open()
        request = checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
        found: Results = self._answering.computed(_SEARCH, request)
        return list(found)

    def search_cached(
        self,
        query: str,
        n_results: int = 5,
        where: Filter | None = None,
        where_document: Filter | None = None,
        min_score: float | None = None,
        cache_ttl: float = 600,
        *,
        diversity: float | None = None,
        hybrid: bool = False,
    ) -> list[SearchResult]:
        """Like :meth:`search`, from the cache where it has the answer.

        Args:
            query: The query; the same but for white space and Unicode form is the same query.
            n_results: As for :meth:`search`.
            where: As for :meth:`search`.
            where_document: As for :meth:`search`.
            min_score: As for :meth:`search`.
            diversity: As for :meth:`search`.
            hybrid: As for :meth:`search`.
            cache_ttl: How many seconds an answer is kept; 0: not at all.

        Raises:
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: As :meth:`search`.
        """
        start = self._answering.clock()
        self._check_open()
        seconds = ttl_seconds(cache_ttl)
        is_plain = where is None and where_document is None and min_score is None and diversity is None
        call = plain_call("search", query, n_results) if is_plain and hybrid is False else None
        found = self._answering.recalled(call, start)
        if found is None:
            request = checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
            found = self._answering.answered(_SEARCH, request, seconds, call)
        return list(found)

    def search_many(
        self,
        queries: Iterable[str],
        n_results: int = 5,
        where: Filter | None = None,
        where_document: Filter | None = None,
        min_score: float | None = None,
        *,
        diversity: float | None = None,
        hybrid: bool = False,
    ) -> list[list[SearchResult]]:
        """Search for many queries at once: one batch for the model, one for Chroma.

        Args:
            queries: The queries.
            n_results: As for :meth:`search`.
            where: As for :meth:`search`.
            where_document: As for :meth:`search`.
            min_score: As for :meth:`search`.
            diversity: As for :meth:`search`.
            hybrid: As for :meth:`search`.

        Returns:
            For each query, in their order, what :meth:`search` gives.

        Raises:
            TypeError: One string is given instead of several.
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: As :meth:`search`.
        """
        self._check_open()
        requests = [
            checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
            for query in several("queries", queries)
        ]
        return [list(results) for results in self._retriever.search_many(requests)]

    def generate_context(
        self,
        query: str,
        n_results: int = 3,
        max_chars: int | None = None,
        max_tokens: int | None = None,
        where: Filter | None = None,
        where_document: Filter | None = None,
        min_score: float | None = None,
        *,
        diversity: float | None = None,
        hybrid: bool = False,
    ) -> str:
        """Build the context for a language model: the nearest passages, numbered, with their sources.

        Args:
            query: The query.
            n_results: How many passages at most, at least 1; the same text is told once.
            max_chars: How many characters the context may have.
            max_tokens: How many tokens of the embedding model it may have; one limit or the other.
            where: As for :meth:`search`.
            where_document: As for :meth:`search`.
            min_score: As for :meth:`search`.
            diversity: As for :meth:`search`.
            hybrid: As for :meth:`search`.

        Raises:
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: As :meth:`search`.
        """
        self._check_open()
        request = checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
        return self._answering.computed(self._context(max_chars, max_tokens), request)

    def generate_context_cached(
        self,
        query: str,
        n_results: int = 3,
        max_chars: int | None = None,
        max_tokens: int | None = None,
        where: Filter | None = None,
        where_document: Filter | None = None,
        min_score: float | None = None,
        cache_ttl: float = 300,
        *,
        diversity: float | None = None,
        hybrid: bool = False,
    ) -> str:
        """Like :meth:`generate_context`, from the cache where it has the answer.

        Args:
            query: The query; the same but for white space and Unicode form is the same query.
            n_results: As for :meth:`generate_context`.
            max_chars: As for :meth:`generate_context`.
            max_tokens: As for :meth:`generate_context`.
            where: As for :meth:`search`.
            where_document: As for :meth:`search`.
            min_score: As for :meth:`search`.
            diversity: As for :meth:`search`.
            hybrid: As for :meth:`search`.
            cache_ttl: How many seconds an answer is kept; 0: not at all.

        Raises:
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: As :meth:`search`.
        """
        start = self._answering.clock()
        self._check_open()
        seconds = ttl_seconds(cache_ttl)
        is_plain = where is None and where_document is None and min_score is None and diversity is None
        is_whole = max_chars is None and max_tokens is None
        call = plain_call("context", query, n_results) if is_plain and is_whole and hybrid is False else None
        found = self._answering.recalled(call, start)
        if found is None:
            request = checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
            found = self._answering.answered(self._context(max_chars, max_tokens), request, seconds, call)
        return str(found)

    def warm_up_cache(self, queries: Iterable[str], cache_ttl: float = 600) -> int:
        """Put the answers to these queries into the cache: searches and contexts of the usual number of passages.

        Returns:
            How many queries the cache now answers.

        Raises:
            TypeError: One string is given instead of several.
            TypeError, ValueError, ModelNotFoundError, StoreError: As :meth:`search`.
        """
        self._check_open()
        seconds = ttl_seconds(cache_ttl)
        whole_context = self._context(None, None)
        cached = 0
        for query in several("queries", queries):
            search = self._answering.find(_SEARCH, checked_request(query, 5), seconds)
            context = self._answering.find(whole_context, checked_request(query, 3), seconds)
            cached += search.key is not None and context.key is not None
        return cached

    asearch = async_twin(search)
    asearch_cached = async_twin(search_cached)
    asearch_many = async_twin(search_many)
    agenerate_context = async_twin(generate_context)
    agenerate_context_cached = async_twin(generate_context_cached)
    awarm_up_cache = async_twin(warm_up_cache)

    def _context(self, max_chars: int | None, max_tokens: int | None) -> Product[str]:
        build, limits = context_limits(max_chars, max_tokens, getattr(self._embedder, "count_tokens", None))
        return Product("context", _TEXT, build, limits)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this OptimizedRAG is closed: make a new one")


def several(name: str, items: Iterable[T]) -> Iterable[T]:
    """The items, if they are several.

    Raises:
        TypeError: They are one string or path, or nothing that can be gone through.
    """
    if isinstance(items, str | bytes | os.PathLike):
        kind = "string" if isinstance(items, str) else type(items).__name__
        raise TypeError(f"{name} is the {kind} {items!r}: give a list of strings")
    if not isinstance(items, Iterable):
        raise TypeError(f"{name} is {items!r}: give a list of strings")
    return items
