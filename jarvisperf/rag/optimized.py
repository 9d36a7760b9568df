"""Retrieval over one collection of documents: add texts and files, search them, build contexts for language models."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar

from jarvisperf.checks import number, seconds, whole_number
from jarvisperf.rag.answers.changes import ChangeLog
from jarvisperf.rag.answers.kinds import CONTEXT, SEARCH, context_within
from jarvisperf.rag.answers.paraphrases import SemanticTier
from jarvisperf.rag.answers.query_cache import QueryCache, ServedAnswer, cache_getter
from jarvisperf.rag.build import home_of, vectors_file
from jarvisperf.rag.embedding.background import BackgroundEmbedder
from jarvisperf.rag.embedding.cache import EmbeddingCache
from jarvisperf.rag.embedding.documents import query_vector
from jarvisperf.rag.embedding.protocol import embedder_for
from jarvisperf.rag.embedding.sentence_transformer import SentenceTransformerEmbedder
from jarvisperf.rag.paths import absolute_path
from jarvisperf.rag.results import Context, SearchResults
from jarvisperf.rag.search.footprint import Computed
from jarvisperf.rag.search.keywords import KeywordIndex
from jarvisperf.rag.search.request import checked_request, is_plain, with_where
from jarvisperf.rag.search.retriever import Retriever
from jarvisperf.rag.stats import QueryStats
from jarvisperf.rag.store.chroma import ChromaStore
from jarvisperf.rag.store.model_check import ModelCheck
from jarvisperf.rag.texts import check_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import TracebackType
    from typing import Unpack

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.answers.changes import KeyValueCache
    from jarvisperf.rag.answers.kinds import AnswerKind
    from jarvisperf.rag.answers.query_cache import PlainCall
    from jarvisperf.rag.editing import Chosen, Editor
    from jarvisperf.rag.embedding.options import ModelOptions
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.ingest.ingestor import Ingestor
    from jarvisperf.rag.ingest.limits import PassageLimits
    from jarvisperf.rag.results import AddReport, Difference, StoredPassage
    from jarvisperf.rag.search.request import SearchOptions, SearchRequest
    from jarvisperf.rag.search.retriever import Results
    from jarvisperf.rag.stats import PerformanceStats
    from jarvisperf.rag.store.filters import Filter
    from jarvisperf.rag.store.generation import CollectionState
    from jarvisperf.rag.store.server.options import ServerOptions

P = ParamSpec("P")
T = TypeVar("T")

_WARM_UP_TEXT: Final = "warm up"
_NUMBERS: Final = (int, float)
_log = logging.getLogger(__name__)


def _in_thread(method: Callable[P, T]) -> Callable[P, Coroutine[object, object, T]]:
    """Return the coroutine version of a method, which runs the method in a thread."""

    @functools.wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        import asyncio  # imported here, because it is a fifth of what a fresh process loads for a cached answer

        return await asyncio.to_thread(method, *args, **kwargs)

    run.__name__ = f"a{method.__name__}"
    run.__qualname__ = f"{method.__qualname__.rpartition('.')[0]}.{run.__name__}"
    run.__doc__ = f"Run :meth:`{method.__name__}` in a thread of the event loop's pool."
    return run


class OptimizedRAG:
    """Retrieval over one collection of documents.

    Creating one costs nothing: the model, Chroma and the cache are loaded on first use, and a cached answer needs
    neither the model nor Chroma. Safe to call from several threads. Each method that may block has a coroutine version
    that runs it in a thread: ``asearch`` for ``search``, and so on.

    A cached answer is never stale: after a write, by this process or another one that uses this class, an earlier
    answer is used only if the write provably leaves it unchanged. This is exact where each query is compared with every
    passage: with ``exact=True``, and in a folder with up to 10,000 passages. With Chroma's approximate index, an answer
    that is kept is as good as when it was computed. Writes that bypass this class
    are noticed in a folder, and invalidate all answers. On a server, passages that they add or remove are noticed, but
    nothing shows that they have updated one: if that may happen, use ``shared_collection=True``.

    Several processes may read one folder, but only one may have it open while it is written to. To write from several
    processes, use a server and ``chroma_url``.

    Args:
        path: The folder of the documents; None uses ``chroma`` in the configured data folder.
        cache: Caches answers; None uses the process's default cache, :func:`jarvisperf.cache.get_smart_cache`.
        model: A folder or hub name of a sentence-transformers model, or an :class:`Embedder`. None uses the setting
            ``JARVISPERF_MODEL``, else an installed model, else all-MiniLM-L6-v2 from the hub.
        collection: The collection's name: 3 to 512 letters, digits, dots, hyphens and underscores.
        chroma_url: ``http://host:port`` of a Chroma server, instead of a folder.
        model_options: How to run a sentence-transformers model: device, backend, dtype, dimension, prompts.
        embedding_cache: The SQLite file that caches the vectors of documents. True places it in the folder of the
            documents (with a server, in the configured cache folder); False disables it.
        exact: Compare with every passage at any size: always right, but slow on large collections. By default, a
            server, and a folder with more than 10,000 passages, use Chroma's index.
        max_tokens: Maximum length of the passages of files, in tokens of the model; None for what the collection has,
            else 256. It is stored with the collection; another value is refused (:meth:`resplit` changes it).
        overlap: Maximum number of tokens at the end of a passage that the next one repeats; None for what the
            collection has, else 0.
        server_options: The token, tenant and database for a Chroma server.
        embed_in_background: Adding many passages returns when they can be found by words; their vectors follow. False
            computes all vectors before an addition returns.
        shared_collection: Programs that do not use this class write to the collection on a server. Answers are then
            not cached, so ``search_cached`` searches.
        semantic_threshold: Minimum cosine similarity at which a paraphrased question gets the cached answer of the
            original; see ``answers/paraphrases.py``. None disables this.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: Both path and chroma_url are given, one of them or the model is empty, the URL is malformed, or an
            option for a server is given without one.
    """

    def __init__(  # noqa: PLR0913 - a RAG has many settings; all but five are keyword-only
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
        max_tokens: int | None = None,
        overlap: int | None = None,
        server_options: ServerOptions | None = None,
        embed_in_background: bool = True,
        shared_collection: bool = False,
        semantic_threshold: float | None = None,
    ) -> None:
        if not isinstance(embed_in_background, bool):
            raise TypeError(f"embed_in_background is {embed_in_background!r}: give True or False")
        if not isinstance(collection, str):
            raise TypeError(f"collection is {collection!r}: give a string")
        check_unicode(collection, "collection")
        cache_in_use = cache_getter(cache)
        self._semantic: SemanticTier | None = None
        if semantic_threshold is not None:
            self._semantic = SemanticTier(number("semantic_threshold", semantic_threshold, at_least=0, at_most=1))
        self._home = home_of(path, chroma_url, collection, server_options, shared_collection=shared_collection)
        self._is_shared = shared_collection
        self._name = collection
        file = vectors_file(embedding_cache, path, chroma_url)
        self._vectors = None if file is None else EmbeddingCache(file)
        changes = ChangeLog(cache_in_use)
        self._embedder = embedder_for(model, model_options)
        model_check = ModelCheck(self._embedder, collection)
        self._store = ChromaStore(
            self._home,
            collection,
            changes.record,
            exact=exact,
            model_check=model_check,
            changes_between=changes.between,
        )
        self._passage_lengths = (max_tokens, overlap)
        if self._passage_lengths != (None, None):
            self._limits()  # checks them
        self._owns_embedder = self._embedder is not model
        self._stats = QueryStats()
        self._clock = self._stats.clock
        self._counted: tuple[CollectionState, int] | None = None
        state_of_keywords = _unknown_state if shared_collection else self._store.settle_state
        keywords = KeywordIndex(self._store, state_of_keywords, changes.between)
        self._background = BackgroundEmbedder(self._store, self._embedder, self._vectors, self._stats.count_vectors)
        self._embeds_in_background = embed_in_background
        self._retriever = Retriever(self._store, self._embedder, keywords, self._background, self._stats)
        self._answers = QueryCache(cache_in_use, changes, self._home.read_state, self._store.settle_state)
        self._closed = False

    def search(
        self, query: str, n_results: int = 5, where: Filter | None = None, **options: Unpack[SearchOptions]
    ) -> SearchResults:
        """Find the passages nearest in meaning to the query, nearest first.

        Args:
            query: The query.
            n_results: Maximum number of passages, at least 1.
            where: Chroma's filter on metadata, such as ``{"language": "pt"}``. A ``source`` may be a file's path as in
                :meth:`delete`.
            **options: All are optional:
                ``where_document``: Chroma's filter on text, such as ``{"$contains": "word"}``.
                ``min_score``: Minimum cosine similarity, from -1 to 1.
                ``diversity``: From 0 to 1: prefer passages that differ from each other (maximal marginal relevance).
                ``hybrid``: Search by keywords as well (BM25), and merge both rankings by how far passages stand out.

        Returns:
            A list. Its attribute ``complete`` is False if more than 512 passages wait for their vectors: of these, only
            those that share words with the query were compared. Fewer are embedded first.

        Raises:
            TypeError: An argument has the wrong type, or an option is unknown.
            ValueError: The query is blank, a number is out of range, or Chroma rejects a filter.
            ModelNotFoundError: No embedding model is available.
            MissingPackageError: A required package is not installed.
            StoreError: The store cannot be opened or does not fit the model.
        """
        found = self._uncached(SEARCH, checked_request(query, n_results, with_where(where, options)))
        return self._results(found.value, complete=found.complete)

    def search_cached(
        self,
        query: str,
        n_results: int = 5,
        where: Filter | None = None,
        *,
        cache_ttl: float = 600,
        **options: Unpack[SearchOptions],
    ) -> SearchResults:
        """Return what :meth:`search` returns, from the cache if it has the answer.

        Args:
            query: The query; queries that differ only in white space or Unicode form count as the same.
            n_results: See :meth:`search`.
            where: See :meth:`search`.
            cache_ttl: Seconds to cache the answer; 0 disables caching.
            **options: See :meth:`search`.

        Raises:
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: See :meth:`search`.
        """
        found, complete = self._cached(SEARCH, query, n_results, cache_ttl, with_where(where, options))
        return SearchResults(found) if complete else self._results(found, complete=False)

    def search_many(
        self, queries: Iterable[str], n_results: int = 5, where: Filter | None = None, **options: Unpack[SearchOptions]
    ) -> list[SearchResults]:
        """Search for many queries at once: one batch for the model, one for Chroma.

        Args:
            queries: The queries.
            n_results: See :meth:`search`.
            where: See :meth:`search`.
            **options: See :meth:`search`.

        Returns:
            For each query, in order, what :meth:`search` returns.

        Raises:
            TypeError: One string is given instead of several.
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: See :meth:`search`.
        """
        self._check_open()
        requests = [
            checked_request(query, n_results, with_where(where, options)) for query in _several("queries", queries)
        ]
        found = self._retriever.search_many(requests)
        return [self._results(one.value, complete=one.complete) for one in found]

    def generate_context(
        self,
        query: str,
        n_results: int = 3,
        max_chars: int | None = None,
        max_tokens: int | None = None,
        where: Filter | None = None,
        **options: Unpack[SearchOptions],
    ) -> Context:
        """Build the context for a language model: the nearest passages, numbered, with their sources.

        Args:
            query: The query.
            n_results: Maximum number of passages, at least 1; a repeated text is included once.
            max_chars: Maximum number of characters of the context.
            max_tokens: Maximum number of the embedding model's tokens; give at most one of the two limits.
            where: See :meth:`search`.
            **options: See :meth:`search`.

        Raises:
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: See :meth:`search`.
        """
        request = checked_request(query, n_results, with_where(where, options))
        found = self._uncached(self._context_kind(max_chars, max_tokens), request)
        return self._context(found.value, complete=found.complete)

    def generate_context_cached(
        self,
        query: str,
        n_results: int = 3,
        max_chars: int | None = None,
        max_tokens: int | None = None,
        where: Filter | None = None,
        *,
        cache_ttl: float = 300,
        **options: Unpack[SearchOptions],
    ) -> Context:
        """Return what :meth:`generate_context` returns, from the cache if it has the answer.

        Args:
            query: The query; queries that differ only in white space or Unicode form count as the same.
            n_results: See :meth:`generate_context`.
            max_chars: See :meth:`generate_context`.
            max_tokens: See :meth:`generate_context`.
            where: See :meth:`search`.
            cache_ttl: Seconds to cache the answer; 0 disables caching.
            **options: See :meth:`search`.

        Raises:
            TypeError, ValueError, ModelNotFoundError, MissingPackageError, StoreError: See :meth:`search`.
        """
        kind = self._context_kind(max_chars, max_tokens)
        context, complete = self._cached(kind, query, n_results, cache_ttl, with_where(where, options))
        return self._context(context, complete=complete)

    def warm_up_cache(self, queries: Iterable[str], cache_ttl: float = 600) -> int:
        """Cache the answers to these queries: searches and contexts with the default number of passages.

        Passages that wait for their vectors are embedded first.

        Returns:
            The number of queries that the cache can now answer.

        Raises:
            TypeError: One string is given instead of several.
            TypeError, ValueError, ModelNotFoundError, StoreError: See :meth:`search`.
        """
        self._check_open()
        ttl_seconds = seconds("cache_ttl", cache_ttl)
        self._background.finish()
        cached = 0
        for query in _several("queries", queries):
            search = self._answer(SEARCH, checked_request(query, 5, {}), ttl_seconds)
            context = self._answer(CONTEXT, checked_request(query, 3, {}), ttl_seconds)
            cached += search.key is not None and context.key is not None
        return cached

    def batch_add_texts(
        self,
        texts: Iterable[str],
        batch_size: int = 100,
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        ids: Iterable[str] | None = None,
        *,
        show_progress: bool | None = None,
    ) -> AddReport:
        """Add texts in batches; batches that were stored before an error remain stored.

        A text without an id gets one derived from it and its metadata, so adding it twice stores it once. Unchanged
        texts are neither embedded nor written again. A known id with a different text or metadata is replaced. Empty
        and blank texts are skipped. A model reads only about the first 1000 characters of a text, so split long ones.

        The vectors of up to 64 new texts per call are computed before it returns. Those of more follow in the
        background; until then, the texts are found by their words. See :meth:`wait`.

        Args:
            texts: The texts; may be a generator, so they need not fit in memory.
            batch_size: Number of texts embedded and stored at a time, at least 1.
            metadatas: For each text, a dictionary of strings, numbers, booleans or lists of them, or None.
            ids: An id for each text.
            show_progress: Whether to show a progress bar on standard error; None shows it only on a terminal.

        Raises:
            TypeError: One string is given instead of several, a text is not a string, or an entry of ``metadatas`` is
                not a dictionary.
            ValueError: The number of metadatas or ids differs from that of texts, an id repeats, the batch size is
                below 1, or Chroma rejects some metadata.
            ModelNotFoundError: No embedding model is available.
            StoreInUseError: Another process has the folder open.
            StoreError: The store cannot be opened or written, or does not fit the model.
        """
        self._check_open()
        size = whole_number("batch_size", batch_size, at_least=1)
        return self._added(lambda ingestor: ingestor.add_texts(texts, size, metadatas, ids, show_progress))

    def add_document_optimized(self, path: str | os.PathLike[str]) -> AddReport:
        """Add a file, split along its structure; adding it again replaces what has changed.

        Each passage has the metadata ``source`` (the file's absolute path), ``position`` (from 0), where it begins
        (``line``, ``page`` or ``cell``, from 1), and, under a heading, ``section``; with code that says so, its
        ``code_language``. Front matter in Markdown is added. What of the file cannot be read, such as a scanned page,
        is named in the report's ``failures``.

        Args:
            path: A .md, .rst, .txt, .html, .pdf, .docx, .ipynb, .csv or .tsv file.

        Raises:
            FileNotFoundError: There is no such file.
            DocumentError: The type is not supported, the file is damaged, or its text or name is not UTF-8.
            MissingPackageError: The reader for this type of file is not installed.
            ModelNotFoundError, StoreInUseError, StoreError: See :meth:`batch_add_texts`.
        """
        self._check_open()
        return self._added(lambda ingestor: ingestor.add_file(path))

    def add_documents(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        keep_missing: bool = False,
        show_progress: bool | None = None,
    ) -> AddReport:
        """Add files and folders; what cannot be read is listed in the report's ``failures``.

        Of a folder, all documents are added, and the passages of files that it no longer contains are removed; the
        report names them in ``missing``, and files of other types in ``unsupported``. Hidden files and folders, virtual
        environments, ``node_modules``, caches, and what ``.gitignore`` or ``.jarvisperfignore`` names, are passed over.

        Args:
            paths: Files as for :meth:`add_document_optimized`, and folders; or one folder.
            keep_missing: Keep the passages of files that a folder no longer contains.
            show_progress: Whether to show a progress bar on standard error; None shows it only on a terminal.

        Raises:
            TypeError: One file is given instead of several.
            ModelNotFoundError, StoreInUseError, StoreError: See :meth:`batch_add_texts`; they concern all files.
        """
        self._check_open()
        given: Any = paths
        if isinstance(paths, str | os.PathLike) and absolute_path(paths).is_dir():
            given = [paths]
        several = _several("paths", given)
        return self._added(lambda ingestor: ingestor.add_files(several, show_progress, keep_missing=keep_missing))

    def get(
        self,
        ids: Iterable[str] | None = None,
        source: str | os.PathLike[str] | None = None,
        *,
        where: Filter | None = None,
        where_document: Filter | None = None,
    ) -> list[StoredPassage]:
        """Return stored passages, ordered by source, position and id; without arguments, all of them.

        Args:
            ids: The ids of passages; unknown ids are ignored.
            source: Passages with this ``source`` as well; a path stands for the file's absolute path.
            where: Of the passages named by id or source, or of all, only those that pass this filter; see
                :meth:`search`.
            where_document: The same for Chroma's filter on text.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: Chroma rejects a filter.
            StoreError: The store cannot be opened.
        """
        self._check_open()
        return self._editor().get(_chosen(ids, source, where, where_document))

    def update(
        self,
        metadata: Mapping[str, Any],
        ids: Iterable[str] | None = None,
        source: str | os.PathLike[str] | None = None,
        *,
        where: Filter | None = None,
        where_document: Filter | None = None,
    ) -> int:
        """Change the metadata of stored passages; their ids, texts and vectors stay.

        What is changed in a passage of a file stays until that part of the file is changed.

        Args:
            metadata: The keys to set, as in :meth:`batch_add_texts`; None removes a key.
            ids: Which passages; see :meth:`get`.
            source: See :meth:`get`.
            where: See :meth:`get`.
            where_document: See :meth:`get`.

        Returns:
            The number of passages that changed.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: No passages are named, Chroma rejects a filter, or the metadata cannot be stored.
            StoreInUseError: Another process has the folder open.
            StoreError: The store cannot be opened or written.
        """
        self._check_open()
        choice = _chosen(ids, source, where, where_document)
        if choice.is_everything:
            raise ValueError("neither ids, source nor a filter is given: say what to update")
        return self._editor().update(choice, metadata)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        source: str | os.PathLike[str] | None = None,
        *,
        where: Filter | None = None,
        where_document: Filter | None = None,
    ) -> int:
        """Remove passages.

        Args:
            ids: The ids of passages; unknown ids are ignored.
            source: Remove passages with this ``source`` as well; a path stands for the file's absolute path.
            where: Of the passages named by id or source, or of all, remove only those that pass this filter; see
                :meth:`search`.
            where_document: The same for Chroma's filter on text.

        Returns:
            The number of passages removed.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: No argument is given, or Chroma rejects a filter.
            StoreInUseError: Another process has the folder open.
            StoreError: The store cannot be opened or written.
        """
        self._check_open()
        choice = _chosen(ids, source, where, where_document)
        if choice.is_everything:
            raise ValueError("neither ids, source nor a filter is given: say what to delete")
        return self._editor().delete(choice)

    def verify(self, paths: Iterable[str | os.PathLike[str]]) -> list[Difference]:
        """Compare files and folders with the passages that were made from them, without loading the model.

        Args:
            paths: Files and folders, as for :meth:`add_documents`, which repairs what differs.

        Returns:
            One entry per file that differs.

        Raises:
            TypeError: One path is given instead of several.
            ValueError: A path cannot be one: a link to itself, the home of an unknown user, or a name with a NUL.
            OSError: A folder cannot be listed.
            MissingPackageError: The reader for a type of file is not installed.
            StoreError: The store cannot be opened.
        """
        from jarvisperf.rag.ingest.verification import differences

        self._check_open()
        places = [absolute_path(path) for path in _several("paths", paths)]
        return list(differences(self._store, self._embedder, self._limits().current(), places))

    def resplit(self) -> AddReport:
        """Split the files of the collection again, with this object's ``max_tokens`` and ``overlap`` or the defaults.

        Files are read again from where they were; the report's ``failures`` name those that no longer exist, whose
        passages stay as they are. An interrupted call can be repeated.

        Raises:
            ValueError: The model reads fewer tokens than ``max_tokens``, or cannot count them.
            ModelNotFoundError, StoreInUseError, StoreError: See :meth:`batch_add_texts`.
        """
        self._check_open()
        return self._added(lambda ingestor: ingestor.split_again())

    def wait(self) -> None:
        """Return when every passage has its vector; passages that wait for theirs are embedded by this call as well.

        Raises:
            ModelNotFoundError, MissingPackageError, StoreInUseError, StoreError: The vectors cannot be computed or
                stored. The passages keep waiting, so the call can be repeated.
        """
        self._check_open()
        self._background.finish()

    def sources(self) -> dict[str, int]:
        """Return the number of passages of each source.

        Raises:
            StoreError: The store cannot be opened.
        """
        self._check_open()
        return self._store.sources()

    def warm_up(self) -> None:
        """Load everything that a search needs, and search once, because Chroma loads its index at the first query.

        Raises:
            ModelNotFoundError, MissingPackageError, StoreError: See :meth:`search`.
        """
        self._check_open()
        vector = query_vector(self._embedder.embed_query(_WARM_UP_TEXT))
        if not self._store.is_empty():
            self._store.query(vector.reshape(1, -1), 1)

    def preload(self) -> threading.Thread:
        """Run :meth:`warm_up` in a background thread.

        Returns:
            The thread. If it fails, the next search raises the error.
        """
        self._check_open()
        thread = threading.Thread(target=self._warm_up_quietly, name="jarvisperf-rag-preload", daemon=True)
        thread.start()
        return thread

    def get_performance_stats(self) -> PerformanceStats:
        """Return the statistics so far, without loading anything; :class:`PerformanceStats` explains each figure."""
        is_open = self._store.is_open
        return self._stats.summary(
            chunks=self._store.count() if is_open else None,
            documents=self._count_documents() if is_open else None,
            waiting=self._store.count_waiting() if is_open else None,
            model_loaded=bool(getattr(self._embedder, "loaded", True)),
            prompts=getattr(self._embedder, "prompts", None),
        )

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` has been called."""
        return self._closed

    def close(self, *, wait: bool = True) -> None:
        """Close the store, and unload the model unless an embedder was passed in; the cache stays open.

        Closing twice has no further effect. Leaving a ``with`` block by an exception closes without waiting.

        Args:
            wait: First compute the vectors of what this object has added. What is left waits for the next search, by
                this program or another.

        Raises:
            Exception: See :meth:`wait`; everything is closed all the same.
        """
        try:
            if wait and not self._closed and self._background.has_added:
                self._background.finish()
        finally:
            self._closed = True
            self._background.stop()
            self._store.close()
            if self._vectors is not None:
                self._vectors.close()
            if self._owns_embedder and isinstance(self._embedder, SentenceTransformerEmbedder):
                self._embedder.unload()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(wait=kind is None)

    asearch = _in_thread(search)
    asearch_cached = _in_thread(search_cached)
    asearch_many = _in_thread(search_many)
    agenerate_context = _in_thread(generate_context)
    agenerate_context_cached = _in_thread(generate_context_cached)
    awarm_up_cache = _in_thread(warm_up_cache)
    abatch_add_texts = _in_thread(batch_add_texts)
    aadd_document_optimized = _in_thread(add_document_optimized)
    aadd_documents = _in_thread(add_documents)
    aget = _in_thread(get)
    aupdate = _in_thread(update)
    adelete = _in_thread(delete)
    averify = _in_thread(verify)
    aresplit = _in_thread(resplit)
    await_ = _in_thread(wait)  # "await" is a keyword
    asources = _in_thread(sources)
    awarm_up = _in_thread(warm_up)

    def _cached(
        self, kind: AnswerKind[T], query: str, n_results: int, cache_ttl: float, options: Mapping[str, Any]
    ) -> tuple[T, bool]:
        """Answer one query from memory, the cache or the store, and count it; return whether the answer is complete."""
        start = self._clock()
        self._check_open()
        call: PlainCall | None = None
        is_usual = (
            not self._is_shared
            and type(query) is str
            and type(n_results) is int
            and type(cache_ttl) in _NUMBERS
            and not kind.limits
        )
        if is_usual and (not options or is_plain(options)):
            call = (kind.name, query, n_results, cache_ttl)
            model = self._embedder.identity
            if model is not None:
                recalled: T | None = self._answers.recall(call, model, self._home.read_state())
                if recalled is not None:
                    self._stats.count_recalled(self._clock() - start)
                    return recalled, True
        request = checked_request(query, n_results, options)
        ttl_seconds = seconds("cache_ttl", cache_ttl)
        start = self._clock()
        answer = self._answer(kind, request, ttl_seconds, call)
        self._stats.count_query(answer.path, self._clock() - start, cached_call=True)
        return answer.value, answer.complete

    def _uncached(self, kind: AnswerKind[T], request: SearchRequest) -> Computed[T]:
        """Compute the answer to one request without the cache, and count it."""
        self._check_open()
        start = self._clock()
        found = self._retriever.search(request, self._retriever.embed(request.query))
        self._stats.count_query("computed", self._clock() - start, cached_call=False)
        return Computed(kind.build(found.value), found.footprint, found.complete, found.lasting)

    def _answer(
        self, kind: AnswerKind[T], request: SearchRequest, ttl_seconds: float, call: PlainCall | None = None
    ) -> ServedAnswer[T]:
        """Answer one request from the cache or the store, without counting it."""
        vectors: list[NDArray[np.float32] | None] = []  # the query's, once it has been embedded

        def compute() -> Computed[T]:
            vector = vectors[0] if vectors else self._retriever.embed(request.query)
            found = self._retriever.search(request, vector)
            return Computed(kind.build(found.value), found.footprint, found.complete, found.lasting)

        model = self._embedder.identity
        if model is None or self._is_shared:
            computed = compute()
            return ServedAnswer(computed.value, "computed", None, computed.complete)
        question = request.question(kind.name, model, *kind.limits, exact=self._store.exact)
        prepare = functools.partial(self._retriever.embed_few, request.n_results)
        semantic = self._semantic
        if semantic is None:
            answer = self._answers.answer(question, kind, compute, ttl_seconds, call, prepare=prepare)
        else:
            asked = (kind.name, model, question.options)

            def alike() -> str | None:
                vectors.append(self._retriever.embed(request.query))
                return None if vectors[0] is None else semantic.similar(request.query, vectors[0], asked)

            answer = self._answers.answer(question, kind, compute, ttl_seconds, None, alike, prepare)
            if answer.path == "computed" and answer.key is not None and vectors and vectors[0] is not None:
                semantic.remember(request.query, vectors[0], asked)
        if answer.key is not None:
            self._stats.note_key(answer.key, ttl_seconds)
        return answer

    def _context_kind(self, max_chars: int | None, max_tokens: int | None) -> AnswerKind[Context]:
        return context_within(max_chars, max_tokens, getattr(self._embedder, "count_tokens", None))

    def _results(self, found: Results, *, complete: bool) -> SearchResults:
        results = SearchResults(found)
        if not complete:
            results.complete, results.problem = False, self._background.failure
        return results

    def _context(self, text: Context, *, complete: bool) -> Context:
        return text if complete else text.incomplete(self._background.failure)

    def _added(self, add: Callable[[Ingestor], AddReport]) -> AddReport:
        """Add something, count its vectors, and start embedding what waits."""
        from jarvisperf.rag.ingest.ingestor import Ingestor

        ingestor = Ingestor(
            self._store, self._embedder, self._vectors, self._limits(), defers=self._embeds_in_background
        )
        try:
            report = add(ingestor)
        finally:
            if ingestor.has_deferred:  # even if an error came later
                self._background.note_added()
        self._stats.count_vectors(report.embedded, report.reused)
        return report

    def _limits(self) -> PassageLimits:
        from jarvisperf.rag.ingest.limits import PassageLimits

        return PassageLimits(self._store, self._embedder, self._name, *self._passage_lengths)

    def _editor(self) -> Editor:
        from jarvisperf.rag.editing import Editor

        return Editor(self._store, self._embedder.identity)

    def _count_documents(self) -> int:
        state = None if self._is_shared else self._home.read_state()
        if self._counted is None or state is None or self._counted[0] != state:
            with_source = self._store.sources()
            count = self._store.count() - sum(with_source.values()) + len(with_source)
            if state is None or state.writing:
                return count
            self._counted = (state, count)
        return self._counted[1]

    def _warm_up_quietly(self) -> None:
        try:
            self.warm_up()
        except Exception as error:  # noqa: BLE001 - the next search hits the same error and raises it
            _log.warning("preloading failed: %s", error)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this OptimizedRAG is closed: create a new one")


def _chosen(
    ids: Iterable[str] | None,
    source: str | os.PathLike[str] | None,
    where: Filter | None,
    where_document: Filter | None,
) -> Chosen:
    from jarvisperf.rag.editing import chosen

    return chosen(None if ids is None else _several("ids", ids), source, where, where_document)


def _unknown_state() -> CollectionState | None:
    return None


def _several(name: str, items: Iterable[T]) -> Iterable[T]:
    """Return the items after checking that they are not a single string or path.

    Raises:
        TypeError: They are a single string or path, or are not iterable.
    """
    if isinstance(items, str | bytes | os.PathLike):
        kind = "string" if isinstance(items, str) else type(items).__name__
        raise TypeError(f"{name} is the {kind} {items!r}: give a list of strings")
    if not isinstance(items, Iterable):
        raise TypeError(f"{name} is {items!r}: give a list of strings")
    return items
