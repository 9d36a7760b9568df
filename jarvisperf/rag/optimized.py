"""The face of this package: documents in, passages and contexts out, answers cached as long as they are true."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jarvisperf.rag.answers.answering import Answering
from jarvisperf.rag.answers.changes import ChangeLog
from jarvisperf.rag.answers.paraphrases import SemanticTier
from jarvisperf.rag.answers.query_cache import QueryCache
from jarvisperf.rag.build import checked_cache, home_of, vectors_file
from jarvisperf.rag.checks import number_between, whole_number
from jarvisperf.rag.embedding.cache import EmbeddingCache
from jarvisperf.rag.embedding.protocol import embedder_for
from jarvisperf.rag.embedding.sentence_transformer import SentenceTransformerEmbedder
from jarvisperf.rag.search.keywords import KeywordIndex
from jarvisperf.rag.search.retriever import Retriever
from jarvisperf.rag.searching import Searching, several
from jarvisperf.rag.stats import QueryStats
from jarvisperf.rag.store.chroma import ChromaStore
from jarvisperf.rag.texts import check_unicode
from jarvisperf.rag.twins import async_twin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jarvisperf.rag.answers.query_cache import KeyValueCache
    from jarvisperf.rag.embedding.options import ModelOptions
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.ingest.ingestor import Ingestor
    from jarvisperf.rag.results import AddReport
    from jarvisperf.rag.stats import PerformanceStats
    from jarvisperf.rag.store.generation import Heads

_WARM_UP_TEXT = "warm up"
_log = logging.getLogger(__name__)


class OptimizedRAG(Searching):
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
        embedder = embedder_for(model, model_options)
        self._made_embedder = embedder is not model
        self._stats = QueryStats()
        self._counted: tuple[Heads, int] | None = None
        keywords = KeywordIndex(self._store, self._store.state)
        retriever = Retriever(self._store, embedder, keywords, self._stats)
        answers = QueryCache(self._cache, self._changes, self._store.state)
        semantic = None if threshold is None else SemanticTier(threshold)
        answering = Answering(self._home, self._store, embedder, retriever, answers, semantic, self._stats)
        super().__init__(answering, retriever, embedder)

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
        return self._counted_in(self._ingestor().add_files(several("paths", paths), show_progress))

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
        wanted = [] if ids is None else list(several("ids", ids))
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

    abatch_add_texts = async_twin(batch_add_texts)
    aadd_document_optimized = async_twin(add_document_optimized)
    aadd_documents = async_twin(add_documents)
    adelete = async_twin(delete)
    asources = async_twin(sources)
    awarm_up = async_twin(warm_up)

    def _cache(self) -> KeyValueCache:
        if self._given_cache is not None:
            return self._given_cache
        from jarvisperf.cache import get_smart_cache

        return get_smart_cache()

    def _ingestor(self) -> Ingestor:
        from jarvisperf.rag.ingest.ingestor import Ingestor

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
