"""The face of this package: documents in, passages and contexts out, answers cached as long as they are true."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from jarvisperf.rag.context import build_context
from jarvisperf.rag.embedder import Embedder, SentenceTransformerEmbedder, embedder_for
from jarvisperf.rag.ingestion import batches, records_of_passages, records_of_texts, source_prefix
from jarvisperf.rag.query_cache import Answer, AnswerForm, Question, answer
from jarvisperf.rag.results import AddReport, SearchResult, decode_results, encode_results
from jarvisperf.rag.stats import PerformanceStats, QueryStats
from jarvisperf.rag.store import ChromaStore, last_of_each_id
from jarvisperf.rag.texts import check_unicode, normalise_query
from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.generation import Home, State
    from jarvisperf.rag.query_cache import KeyValueCache
    from jarvisperf.rag.store import Record

T = TypeVar("T")


class OptimizedRAG:
    """Retrieval over one collection of documents.

    Making one costs nothing: the model, Chroma and the cache are loaded when they are first needed, and an answer
    that the cache has needs neither the model nor Chroma. Safe to call from several threads.

    A cached answer is never stale: after a write by this process or another one, through this class, answers from
    before it are not found any more. Writes that go past this class, straight to Chroma, are not noticed.

    Several processes may read one folder, but only one may have it open while it is written to; for more give them
    one server, with ``chroma_url``.

    Args:
        path: The folder of the documents; None: ``chroma`` in the data folder of the settings.
        cache: What answers are cached in; None: the process's own, :func:`jarvisperf.cache.get_smart_cache`.
        model: A folder or hub name of a sentence-transformers model, or an :class:`Embedder`; None: the setting
            ``JARVISPERF_MODEL``, else an installed model, else all-MiniLM-L6-v2 from the hub.
        collection: The collection's name: 3 to 512 letters, digits, dots, hyphens and underscores.
        chroma_url: ``http://host:port`` of a Chroma server, instead of a folder.

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
    ) -> None:
        _check_collection(collection)
        _check_cache(cache)
        self._home = _home(path, chroma_url, collection)
        self._store = ChromaStore(self._home, collection)
        self._embedder = embedder_for(model)
        self._given_cache = cache
        self._stats = QueryStats()
        self._closed = False

    def search(self, query: str, n_results: int = 5) -> list[SearchResult]:
        """Find the passages nearest in meaning to the query, nearest first; all there are if fewer than asked for.

        Raises:
            TypeError: The query is no string, or ``n_results`` no whole number.
            ValueError: The query is blank, or ``n_results`` below 1.
            ModelNotFoundError: No model can be had.
            StoreError: The store cannot be opened or does not fit the model.
        """
        text, count = self._checked(query, n_results)
        with self._stats.timed_query():
            return self._search(text, count)

    def search_cached(self, query: str, n_results: int = 5, cache_ttl: float = 600) -> list[SearchResult]:
        """Like :meth:`search`, from the cache where it has the answer.

        Args:
            query: The query; the same but for white space and Unicode form is the same query.
            n_results: How many passages, at least 1.
            cache_ttl: How many seconds an answer is kept; 0: not at all.

        Raises:
            TypeError, ValueError, ModelNotFoundError, StoreError: As :meth:`search`.
        """
        text, count = self._checked(query, n_results)
        seconds = _ttl_seconds(cache_ttl)
        with self._stats.timed_query():
            found = self._search_cached(text, count, seconds)
        self._stats.count_cached_call(hit=found.from_cache)
        return found.value

    def generate_context(self, query: str, n_results: int = 3) -> str:
        """Build the context for a language model: the nearest passages, numbered, with their sources.

        Raises:
            TypeError, ValueError, ModelNotFoundError, StoreError: As :meth:`search`.
        """
        text, count = self._checked(query, n_results)
        with self._stats.timed_query():
            return build_context(self._search(text, count))

    def generate_context_cached(self, query: str, n_results: int = 3, cache_ttl: float = 300) -> str:
        """Like :meth:`generate_context`, from the cache where it has the answer.

        Args:
            query: The query; the same but for white space and Unicode form is the same query.
            n_results: How many passages, at least 1.
            cache_ttl: How many seconds an answer is kept; 0: not at all.

        Raises:
            TypeError, ValueError, ModelNotFoundError, StoreError: As :meth:`search`.
        """
        text, count = self._checked(query, n_results)
        seconds = _ttl_seconds(cache_ttl)
        with self._stats.timed_query():
            found = self._context_cached(text, count, seconds)
        self._stats.count_cached_call(hit=found.from_cache)
        return found.value

    def batch_add_texts(
        self,
        texts: Iterable[str],
        batch_size: int = 100,
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        ids: Iterable[str] | None = None,
    ) -> AddReport:
        """Add texts, batch by batch; what is already stored when something fails stays.

        A text without an id gets one from its content, so adding it twice leaves one. A known id is replaced, text
        and metadata. Empty and blank texts are skipped. A model reads about the first 1000 characters of a text:
        split long ones.

        Args:
            texts: The texts; may be a generator.
            batch_size: How many are embedded and stored at a time, at least 1.
            metadatas: Beside each text a dictionary of strings, numbers, booleans or lists of them, or None.
            ids: An id for each text.

        Raises:
            TypeError: One string is given instead of several, a text is no string, or a metadata no dictionary.
            ValueError: Another number of metadatas or ids than of texts, an id twice, a batch size below 1, or
                metadata that Chroma refuses.
            ModelNotFoundError: No model can be had.
            StoreInUseError: Another process has the folder open.
            StoreError: The store cannot be opened or written, or does not fit the model.
        """
        self._check_open()
        size = _whole_number("batch_size", batch_size)
        report = AddReport()
        for batch in batches(records_of_texts(texts, metadatas, ids), size):
            records = [record for record in batch if record is not None]
            distinct = last_of_each_id(records)
            report += AddReport(skipped=len(batch) - len(records), replaced=len(records) - len(distinct))
            if distinct:
                report += self._store.upsert(distinct, self._embed(distinct))
                self._stats.forget_keys()
        return report

    def add_document_optimized(self, path: str | os.PathLike[str]) -> AddReport:
        """Add a file, split along its structure; adding it again replaces what was stored of it.

        Each passage has as metadata its ``source`` (the file's full path), ``position`` (from 0) and, under a
        heading, ``section``.

        Args:
            path: A .md, .rst or .txt file in UTF-8.

        Raises:
            FileNotFoundError: There is no such file.
            DocumentError: The type is not supported, or the file or its name is not UTF-8.
            ModelNotFoundError, StoreInUseError, StoreError: As :meth:`batch_add_texts`.
        """
        from jarvisperf.rag.documents import read_passages

        self._check_open()
        file = Path(path).expanduser().resolve()
        source = str(file)
        records = records_of_passages(read_passages(file), source)
        vectors = self._embed(records) if records else None
        report = self._store.replace_source(source, source_prefix(source), records, vectors)
        self._stats.forget_keys()
        return report

    def warm_up_cache(self, queries: Iterable[str], cache_ttl: float = 600) -> int:
        """Put the answers to these queries into the cache: searches and contexts of the usual number of passages.

        Returns:
            How many queries the cache now answers.

        Raises:
            TypeError: One string is given instead of several.
            TypeError, ValueError, ModelNotFoundError, StoreError: As :meth:`search`.
        """
        if isinstance(queries, str):
            raise TypeError(f"queries is the string {queries!r}: give a list of strings")
        seconds = _ttl_seconds(cache_ttl)
        cached = 0
        for query in queries:
            search = self._search_cached(*self._checked(query, 5), seconds)
            context = self._context_cached(*self._checked(query, 3), seconds)
            cached += search.key is not None and context.key is not None
        return cached

    def get_performance_stats(self) -> PerformanceStats:
        """What happened so far; loads nothing. :class:`PerformanceStats` says what each figure is."""
        return self._stats.summary(
            documents=self._store.count() if self._store.is_open else None,
            model_loaded=bool(getattr(self._embedder, "loaded", True)),
        )

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` has been called."""
        return self._closed

    def close(self) -> None:
        """Close the store and let go of the model; the cache stays as it is. Closing twice is once."""
        self._closed = True
        self._store.close()
        if isinstance(self._embedder, SentenceTransformerEmbedder):
            self._embedder.unload()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _search(self, text: str, n_results: int) -> list[SearchResult]:
        if self._store.is_empty():
            return []  # without loading a model
        return self._store.query(self._embedder.embed_query(text), n_results)

    def _search_cached(self, text: str, n_results: int, ttl: float) -> Answer[list[SearchResult]]:
        return self._cached("search", text, n_results, ttl, _RESULTS, lambda: self._search(text, n_results))

    def _context_cached(self, text: str, n_results: int, ttl: float) -> Answer[str]:
        def compute() -> str:
            return build_context(self._search(text, n_results))

        return self._cached("context", text, n_results, ttl, _TEXT, compute)

    def _cached(
        self, kind: str, text: str, n_results: int, ttl: float, form: AnswerForm[T], compute: Callable[[], T]
    ) -> Answer[T]:
        model = self._embedder.identity
        if model is None:
            return Answer(compute(), from_cache=False, key=None)
        question = Question(kind, text, n_results, model)
        found = answer(question, self._cache(), self._state, form, compute, ttl)
        if found.key is not None:
            self._stats.note_key(found.key, ttl)
        return found

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

    def _embed(self, records: Sequence[Record]) -> NDArray[np.float32]:
        import numpy as np

        vectors = np.asarray(self._embedder.embed_documents([record.text for record in records]), dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(records):
            raise ValueError(
                f"the embedder gave an array of shape {vectors.shape} for {len(records)} texts: one row each"
            )
        return vectors

    def _checked(self, query: str, n_results: int) -> tuple[str, int]:
        self._check_open()
        return normalise_query(query), _whole_number("n_results", n_results)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this OptimizedRAG is closed: make a new one")


def _unpack_results(kept: Any) -> list[SearchResult] | None:
    try:
        return decode_results(kept)
    except (msgspec.DecodeError, TypeError):
        return None


def _unpack_text(kept: Any) -> str | None:
    return kept if isinstance(kept, str) else None


_RESULTS: AnswerForm[list[SearchResult]] = AnswerForm(encode_results, _unpack_results)
_TEXT: AnswerForm[str] = AnswerForm(str, _unpack_text)


def _whole_number(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}: give a whole number")
    if value < 1:
        raise ValueError(f"{name} is {value}: give at least 1")
    return value


def _ttl_seconds(cache_ttl: float) -> float:
    if isinstance(cache_ttl, bool) or not isinstance(cache_ttl, int | float):
        raise TypeError(f"cache_ttl is {cache_ttl!r}: give a number of seconds")
    if not cache_ttl >= 0:
        raise ValueError(f"cache_ttl is {cache_ttl}: give 0 or more seconds")
    return cache_ttl


def _check_collection(collection: str) -> None:
    if not isinstance(collection, str):
        raise TypeError(f"collection is {collection!r}: give a string")
    check_unicode(collection, "collection")


def _check_cache(cache: KeyValueCache | None) -> None:
    if cache is not None and not all(callable(getattr(cache, method, None)) for method in ("get", "set")):
        raise TypeError(f"cache is {cache!r}: give a SmartCache, or another object with get and set")


def _home(path: str | os.PathLike[str] | None, chroma_url: str | None, collection: str) -> Home:
    if chroma_url is not None:
        if path is not None:
            raise ValueError(f"both path ({path}) and chroma_url ({chroma_url}) are given: give one of them")
        from jarvisperf.rag.server import ServerHome

        return ServerHome(chroma_url, collection)
    from jarvisperf.rag.embedded import EmbeddedHome

    if path is not None and not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {path!r}: give a folder")
    if path == "":
        raise ValueError("path is '': give a folder ('.' is the working folder), or None for the one of the settings")
    return EmbeddedHome(Path(path) if path is not None else read_settings().data_dir / "chroma", collection)
