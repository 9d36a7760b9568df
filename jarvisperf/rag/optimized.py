"""The face of this package: documents in, passages and contexts out, answers cached as long as they are true."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from jarvisperf.rag.changes import ChangeLog
from jarvisperf.rag.checks import number_between, ttl_seconds, whole_number
from jarvisperf.rag.context import build_context
from jarvisperf.rag.embedder import embedder_for
from jarvisperf.rag.embedding_cache import EmbeddingCache
from jarvisperf.rag.keywords import KeywordIndex
from jarvisperf.rag.places import checked_cache, home_of, vectors_file
from jarvisperf.rag.query_cache import Answer, AnswerForm, Computed, QueryCache
from jarvisperf.rag.request import SearchRequest, checked_request
from jarvisperf.rag.results import AddReport, SearchResult, decode_results, encode_results
from jarvisperf.rag.retrieval import Results, Retriever
from jarvisperf.rag.semantic import SemanticTier
from jarvisperf.rag.sentence_model import SentenceTransformerEmbedder
from jarvisperf.rag.stats import PerformanceStats, QueryStats
from jarvisperf.rag.store import ChromaStore
from jarvisperf.rag.texts import check_unicode
from jarvisperf.rag.twins import async_twin

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedder import Embedder
    from jarvisperf.rag.filters import Filter
    from jarvisperf.rag.generation import Heads, State
    from jarvisperf.rag.ingestor import Ingestor
    from jarvisperf.rag.model_options import ModelOptions
    from jarvisperf.rag.query_cache import KeyValueCache

T = TypeVar("T")

_WARM_UP_TEXT = "warm up"
_log = logging.getLogger(__name__)


class OptimizedRAG:
    """Retrieval over one collection of documents.

    Making one costs nothing: the model, Chroma and the cache are loaded when they are first needed, and an answer
    that the cache has needs neither the model nor Chroma. Safe to call from several threads. Each method that may
    take long has a twin for coroutines, which runs it in a thread: ``asearch`` for ``search``, and so on.

    A cached answer is never stale: after a write by this process or another one, through this class, an answer from
    before is used only where the write provably leaves it as it is. That is exact with ``exact=True``; with Chroma's
    index, which is approximate, an answer that is kept is as good as when it was computed. Writes that go past this
    class, straight to Chroma, are not noticed.

    Several processes may read one folder, but only one may have it open while it is written to; for more give them
    one server, with ``chroma_url``.

    Args:
        path: The folder of the documents; None: ``chroma`` in the data folder of the settings.
        cache: What answers are cached in; None: the process's own, :func:`jarvisperf.cache.get_smart_cache`.
        model: A folder or hub name of a sentence-transformers model, or an :class:`Embedder`; None: the setting
            ``JARVISPERF_MODEL``, else an installed model, else all-MiniLM-L6-v2 from the hub.
        collection: The collection's name: 3 to 512 letters, digits, dots, hyphens and underscores.
        chroma_url: ``http://host:port`` of a Chroma server, instead of a folder.
        model_options: How a sentence-transformers model is run: device, backend, dtype, dimension, prompts.
        embedding_cache: The SQLite file in which vectors of documents are kept; True: beside the documents (for a
            server: in the cache folder of the settings); False: none.
        exact: Compare with every passage instead of asking Chroma's index: right always, slow on large collections.
        semantic_threshold: The least cosine similarity at which a question that says the same in other words gets the
            cached answer of the other one; see ``semantic.py``. None: never.

    Raises:
        TypeError: An argument is something else.
        ValueError: Both path and chroma_url are given, one of them or the model is empty, or the URL has a wrong form.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        cache: KeyValueCache | None = None,
        model: str | os.PathLike[str] | Embedder | None = None,
        collection: str = "documents",
        chroma_url: str | None = None,
        *,
        model_options: ModelOptions | None = None,
        embedding_cache: str | os.PathLike[str] | bool = True,
        exact: bool = False,
        semantic_threshold: float | None = None,
    ) -> None:
        if not isinstance(collection, str):
            raise TypeError(f"collection is {collection!r}: give a string")
        check_unicode(collection, "collection")
        self._given_cache = checked_cache(cache)
        threshold = number_between("semantic_threshold", semantic_threshold, 0, 1)
        self._home = home_of(path, chroma_url, collection)
        file = vectors_file(embedding_cache, path, chroma_url)
        self._vectors = None if file is None else EmbeddingCache(file)
        self._changes = ChangeLog(self._cache)
        self._store = ChromaStore(self._home, collection, self._changes, exact=exact)
        self._embedder = embedder_for(model, model_options)
        self._made_embedder = self._embedder is not model
        self._stats = QueryStats()
        self._answers = QueryCache(self._cache, self._changes, self._state)
        self._retriever = Retriever(self._store, self._embedder, KeywordIndex(self._store, self._state), self._stats)
        self._semantic = None if threshold is None else SemanticTier(threshold)
        self._counted: tuple[Heads, int] | None = None
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
        return list(self._timed(lambda: self._searched(request).value))

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
        start = self._stats.clock()
        call = _plain_call("search", query, n_results, where, where_document, min_score, diversity, hybrid or None)
        found = self._recalled(call, cache_ttl, start)
        if found is None:
            request = checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
            found = self._answered("search", request, (), _RESULTS, tuple, cache_ttl, call)
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
            for query in _several("queries", queries)
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
        build, _ = self._context_builder(max_chars, max_tokens)
        return self._timed(lambda: build(self._searched(request).value))

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
        start = self._stats.clock()
        options = (max_chars, max_tokens, where, where_document, min_score, diversity, hybrid or None)
        call = _plain_call("context", query, n_results, *options)
        found = self._recalled(call, cache_ttl, start)
        if found is None:
            request = checked_request(query, n_results, where, where_document, min_score, diversity, hybrid)
            build, limits = self._context_builder(max_chars, max_tokens)
            found = self._answered("context", request, limits, _TEXT, build, cache_ttl, call)
        return str(found)

    def batch_add_texts(
        self,
        texts: Iterable[str],
        batch_size: int = 100,
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        ids: Iterable[str] | None = None,
        *,
        show_progress: bool | None = None,
    ) -> AddReport:
        """Add texts, batch by batch; what is already stored when something fails stays.

        A text without an id gets one from its content, so adding it twice leaves one. What is there already just so
        is neither embedded nor written. A known id with another text or metadata is replaced. Empty and blank texts
        are skipped. A model reads about the first 1000 characters of a text: split long ones.

        Args:
            texts: The texts; may be a generator of more than memory holds.
            batch_size: How many are embedded and stored at a time, at least 1.
            metadatas: Beside each text a dictionary of strings, numbers, booleans or lists of them, or None.
            ids: An id for each text.
            show_progress: Whether to show a bar on standard error; None: where that is a terminal.

        Raises:
            TypeError: One string is given instead of several, a text is no string, or a metadata no dictionary.
            ValueError: Another number of metadatas or ids than of texts, an id twice, a batch size below 1, or
                metadata that Chroma refuses.
            ModelNotFoundError: No model can be had.
            StoreInUseError: Another process has the folder open.
            StoreError: The store cannot be opened or written, or does not fit the model.
        """
        self._check_open()
        size = whole_number("batch_size", batch_size)
        return self._counted_in(self._ingestor().add_texts(texts, size, metadatas, ids, show_progress))

    def add_document_optimized(self, path: str | os.PathLike[str]) -> AddReport:
        """Add a file, split along its structure; adding it again replaces what has changed in it.

        Each passage has as metadata its ``source`` (the file's full path), ``position`` (from 0) and, under a
        heading, ``section``.

        Args:
            path: A .md, .rst, .txt, .html, .pdf or .docx file.

        Raises:
            FileNotFoundError: There is no such file.
            DocumentError: The type is not supported, or the file is damaged, or its text or name is not UTF-8.
            MissingPackageError: What reads this type of file is not installed.
            ModelNotFoundError, StoreInUseError, StoreError: As :meth:`batch_add_texts`.
        """
        self._check_open()
        return self._counted_in(self._ingestor().add_file(path))

    def add_documents(self, paths: Iterable[str | os.PathLike[str]], *, show_progress: bool | None = None) -> AddReport:
        """Add files; one that cannot be read is in the report's ``failures``, and the others are added.

        Args:
            paths: Files as for :meth:`add_document_optimized`.
            show_progress: Whether to show a bar on standard error; None: where that is a terminal.

        Raises:
            TypeError: One path is given instead of several.
            ModelNotFoundError, StoreInUseError, StoreError: As :meth:`batch_add_texts`; they concern all files.
        """
        self._check_open()
        return self._counted_in(self._ingestor().add_files(_several("paths", paths), show_progress))

    def delete(self, ids: Iterable[str] | None = None, source: str | os.PathLike[str] | None = None) -> int:
        """Remove passages.

        Args:
            ids: The ids of passages; those that are not there are no error.
            source: Remove all passages with this ``source``; a path stands for the file's full path.

        Returns:
            How many passages were removed.

        Raises:
            TypeError: One id is given instead of several.
            ValueError: Neither is given.
            StoreInUseError: Another process has the folder open.
            StoreError: The store cannot be opened or written.
        """
        self._check_open()
        if ids is None and source is None:
            raise ValueError("neither ids nor source is given: say what to delete")
        wanted = [] if ids is None else list(_several("ids", ids))
        for key in wanted:
            if not isinstance(key, str):
                raise TypeError(f"ids has {key!r}: give strings")
        return self._ingestor().delete(wanted, None if source is None else self._stored_source(source))

    def sources(self) -> dict[str, int]:
        """How many passages there are of each source.

        Raises:
            StoreError: The store cannot be opened.
        """
        self._check_open()
        return self._store.sources()

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
        build, limits = self._context_builder(None, None)
        cached = 0
        for query in _several("queries", queries):
            search = self._find("search", checked_request(query, 5), (), _RESULTS, tuple, seconds)
            context = self._find("context", checked_request(query, 3), limits, _TEXT, build, seconds)
            cached += search.key is not None and context.key is not None
        return cached

    def warm_up(self) -> None:
        """Load everything that a search needs, and search once: Chroma loads its index at the first query.

        Raises:
            ModelNotFoundError, MissingPackageError, StoreError: As :meth:`search`.
        """
        self._check_open()
        vector = self._embedder.embed_query(_WARM_UP_TEXT)
        if not self._store.is_empty():
            self._store.query(vector.reshape(1, -1), 1)

    def preload(self) -> threading.Thread:
        """Do :meth:`warm_up` in a background thread.

        Returns:
            The thread; what goes wrong in it is raised by the next search.
        """
        self._check_open()
        thread = threading.Thread(target=self._warm_up_quietly, name="jarvisperf-rag-preload", daemon=True)
        thread.start()
        return thread

    def get_performance_stats(self) -> PerformanceStats:
        """What happened so far; loads nothing. :class:`PerformanceStats` says what each figure is."""
        is_open = self._store.is_open
        return self._stats.summary(
            chunks=self._store.count() if is_open else None,
            documents=self._count_documents() if is_open else None,
            model_loaded=bool(getattr(self._embedder, "loaded", True)),
        )

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` has been called."""
        return self._closed

    def close(self) -> None:
        """Close the store, and let go of the model unless it was given as an object; the cache stays. Twice is once."""
        self._closed = True
        self._store.close()
        if self._vectors is not None:
            self._vectors.close()
        if self._made_embedder and isinstance(self._embedder, SentenceTransformerEmbedder):
            self._embedder.unload()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    asearch = async_twin(search)
    asearch_cached = async_twin(search_cached)
    asearch_many = async_twin(search_many)
    agenerate_context = async_twin(generate_context)
    agenerate_context_cached = async_twin(generate_context_cached)
    abatch_add_texts = async_twin(batch_add_texts)
    aadd_document_optimized = async_twin(add_document_optimized)
    aadd_documents = async_twin(add_documents)
    adelete = async_twin(delete)
    asources = async_twin(sources)
    awarm_up = async_twin(warm_up)
    awarm_up_cache = async_twin(warm_up_cache)

    def _recalled(self, call: Hashable, cache_ttl: float, start: float) -> Any:
        """The answer to a call like one before, where it is in memory and nothing was written since."""
        self._check_open()
        ttl_seconds(cache_ttl)
        model = self._embedder.identity
        if call is None or model is None:
            return None
        recalled = self._answers.recall(call, model, self._home.read_state())
        if recalled is not None:
            seconds = self._stats.clock() - start
            self._stats.count_stage("cache", seconds)
            self._stats.count_query("memory", seconds, cached_call=True)
        return recalled

    def _answered(
        self,
        kind: str,
        request: SearchRequest,
        limits: tuple[str, ...],
        form: AnswerForm[T],
        finish: Callable[[Results], T],
        ttl: float,
        call: Hashable,
    ) -> T:
        start = self._stats.clock()
        found = self._find(kind, request, limits, form, finish, ttl, call)
        seconds = self._stats.clock() - start
        if found.path != "computed":
            self._stats.count_stage("cache", seconds)
        self._stats.count_query(found.path, seconds, cached_call=True)
        return found.value

    def _find(
        self,
        kind: str,
        request: SearchRequest,
        limits: tuple[str, ...],
        form: AnswerForm[T],
        finish: Callable[[Results], T],
        ttl: float,
        call: Hashable = None,
    ) -> Answer[T]:
        vectors: list[NDArray[np.float32] | None] = []

        def compute() -> Computed[T]:
            computed = self._searched(request, *vectors)
            return Computed(finish(computed.value), computed.footprint)

        model = self._embedder.identity
        if model is None:
            return Answer(compute().value, "computed", None)
        question = request.question(kind, model, *limits, exact=self._store.exact)
        semantic = self._semantic
        if semantic is None:
            found = self._answers.answer(question, form, compute, ttl, call)
        else:

            def alike() -> str | None:
                vectors.append(self._retriever.embed(request.query))
                return None if vectors[0] is None else semantic.similar(request.query, vectors[0], asked)

            asked = (kind, model, question.options)
            found = self._answers.answer(question, form, compute, ttl, None, alike)
            if found.path == "computed" and found.key is not None and vectors and vectors[0] is not None:
                semantic.remember(request.query, vectors[0], asked)
        if found.key is not None:
            self._stats.note_key(found.key, ttl)
        return found

    def _searched(self, request: SearchRequest, *vector: NDArray[np.float32] | None) -> Computed[Results]:
        return self._retriever.search(request, vector[0] if vector else self._retriever.embed(request.query))

    def _timed(self, compute: Callable[[], T]) -> T:
        start = self._stats.clock()
        value = compute()
        self._stats.count_query("computed", self._stats.clock() - start, cached_call=False)
        return value

    def _context_builder(
        self, max_chars: int | None, max_tokens: int | None
    ) -> tuple[Callable[[Results], str], tuple[str, ...]]:
        """What makes a context of results within the limits, and the limits as part of a cache key."""
        if max_chars is not None and max_tokens is not None:
            raise ValueError(f"both max_chars ({max_chars}) and max_tokens ({max_tokens}) are given: give one of them")
        if max_chars is not None:
            most = whole_number("max_chars", max_chars)
            return (lambda results: build_context(results, most)), ("characters", hex(most))
        if max_tokens is not None:
            limit = whole_number("max_tokens", max_tokens)
            count_tokens = getattr(self._embedder, "count_tokens", None)
            if count_tokens is None:
                raise ValueError("max_tokens needs an embedder with the method count_tokens: give max_chars instead")
            return (lambda results: build_context(results, limit, count_tokens)), ("tokens", hex(limit))
        return build_context, ()

    def _state(self) -> State | None:
        state = self._home.read_state()
        if state is None or state.writing:
            self._store.open()  # resolves what a dead writer left
            state = self._home.read_state()
        return state

    def _cache(self) -> KeyValueCache:
        if self._given_cache is not None:
            return self._given_cache
        from jarvisperf.cache import get_smart_cache

        return get_smart_cache()

    def _ingestor(self) -> Ingestor:
        from jarvisperf.rag.ingestor import Ingestor

        return Ingestor(self._store, self._embedder, self._vectors)

    def _counted_in(self, report: AddReport) -> AddReport:
        self._stats.count_vectors(report.embedded, report.reused)
        return report

    def _stored_source(self, source: str | os.PathLike[str]) -> str:
        if not isinstance(source, str | os.PathLike):
            raise TypeError(f"source is {source!r}: give a string or a path")
        given = os.fsdecode(source)
        check_unicode(given, "source")
        no_path = "\0" in given
        return given if no_path or self._store.marks_of_source(given, "") else str(Path(given).expanduser().resolve())

    def _count_documents(self) -> int:
        state = self._home.read_state()
        if self._counted is None or state is None or self._counted[0] != state.heads:
            with_source = self._store.sources()
            count = self._store.count() - sum(with_source.values()) + len(with_source)
            if state is None or state.writing:
                return count
            self._counted = (state.heads, count)
        return self._counted[1]

    def _warm_up_quietly(self) -> None:
        try:
            self.warm_up()
        except Exception as error:  # noqa: BLE001 - the next search meets it again and raises it where it is seen
            _log.warning("preloading failed: %s", error)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this OptimizedRAG is closed: make a new one")


def _unpack_results(kept: bytes) -> Results:
    return tuple(decode_results(kept))


_RESULTS: AnswerForm[Results] = AnswerForm(encode_results, _unpack_results)
_TEXT: AnswerForm[str] = AnswerForm(str.encode, bytes.decode)


def _plain_call(kind: str, query: object, n_results: object, *options: object) -> Hashable:
    """What a call is remembered by: those without options alone, for that is how most are made."""
    for option in options:
        if option is not None:
            return None
    return (kind, query, n_results) if type(query) is str and type(n_results) is int else None


def _several(name: str, items: Iterable[T]) -> Iterable[T]:
    if isinstance(items, str | bytes | os.PathLike):
        kind = "string" if isinstance(items, str) else type(items).__name__
        raise TypeError(f"{name} is the {kind} {items!r}: give a list of strings")
    if not isinstance(items, Iterable):
        raise TypeError(f"{name} is {items!r}: give a list of strings")
    return items
