"""Computes the vectors of passages that wait for them: in the background, or for a caller that needs them now.

A thread starts when passages have been added or a search has met waiting ones, and ends when none are left. It takes
about a second's work at a time, so that a query never waits long for the model, and memory stays bounded. An error ends
it; the next search or addition starts it again, and its message is shown until then. A caller that waits computes
vectors as well, and gets the error itself.

The thread is not a daemon: a program that ends without closing its RAG first finishes what it has added. Work on
passages that others left waiting stops with the program, and the next one continues it.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.endings import finish_before_the_end, is_ending
from jarvisperf.error_text import in_one_line
from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.embedding.documents import document_vectors, kept_if_stored
from jarvisperf.rag.errors import StoreInUseError
from jarvisperf.rag.store.generation import BusyError
from jarvisperf.rag.store.records import hit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.cache import EmbeddingCache
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.records import Hit
    from jarvisperf.rag.store.waiting import WaitingPassage

_SECONDS_AT_A_TIME: Final = 1.0  # a query may wait this long for the model
_FIRST_AT_A_TIME: Final = 64
_FEWEST_AT_A_TIME: Final = 32  # fewer would cost bfloat16 a third of its speed
_MOST_AT_A_TIME: Final = 256
_SECONDS_BETWEEN_FAILURES: Final = 5.0
_MOST_SECONDS_OF_GIVING_WAY: Final = 0.2
_MOST_SECONDS_OF_A_SEARCH: Final = 2.0  # a live writer is done with a batch by then

_log = logging.getLogger(__name__)


class BackgroundEmbedder:
    """Embeds the waiting passages of one store; safe to call from several threads.

    Args:
        store: The passages.
        embedder: Embeds them.
        vectors: Caches vectors; None for no caching.
        count: Called with the number of vectors that were computed, and of those that were known.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: ChromaStore,
        embedder: Embedder,
        vectors: EmbeddingCache | None,
        count: Callable[[int, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._vectors = vectors
        self._count = count
        self._clock = clock
        self._at_a_time = _FIRST_AT_A_TIME
        self._failed_at: float | None = None
        self.failure: str | None = None
        self._begin()
        tell_when_forked(self, BackgroundEmbedder.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Leave the thread, and what it was to finish, to the parent."""
        self._begin()

    def _begin(self) -> None:
        self._at_work = threading.RLock()  # held while a few passages are embedded and stored
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._additions = self._finished_additions = 0

    @property
    def has_added(self) -> bool:
        """Whether anything that this object has added is still waiting."""
        return self._additions > self._finished_additions

    def note_added(self) -> None:
        """Start embedding what the caller has added; the program does not end before it is done."""
        with self._starting:
            self._additions += 1
        self.start(even_after_failure=True)

    def start(self, *, even_after_failure: bool = False) -> None:
        """Start embedding in the background, unless that is under way or has just failed."""
        with self._starting:
            if self._stopping or (self._thread is not None and self._thread.is_alive()):
                return
            if self._has_just_failed() and not even_after_failure:
                return
            context = contextvars.copy_context()  # an embedder may read the caller's context variables
            self._thread = threading.Thread(target=lambda: context.run(self._run), name="jarvisperf-rag-embed")
            self._thread.start()
            finish_before_the_end(self._thread)

    def finish(self) -> None:
        """Embed everything that waits, together with the background, and return when nothing is left.

        Raises:
            StoreInUseError: Another process has the folder open.
            Exception: Whatever the embedder or the store raises.
        """
        while self.embed_some():
            pass

    def finish_for_a_search(self) -> None:
        """Embed everything that waits, unless other writers keep the vectors from being stored.

        ``failure`` then names them. A client of a server that died while writing would do so for minutes.

        Raises:
            Exception: Whatever the embedder or the store raises.
        """
        patient_until = self._clock() + (0.0 if self._has_just_failed() else _MOST_SECONDS_OF_A_SEARCH)
        while True:
            try:
                if not self._embed_some():
                    return
            except StoreInUseError as error:
                self.note_failure(error)
                return
            except BusyError as error:
                if self._clock() >= patient_until:
                    self.note_failure(error)
                    return
                _give_way()

    def embed_some(self, most: int | None = None) -> bool:
        """Embed and store some waiting passages, or let another writer go first; return whether there were any.

        Args:
            most: How many at most; None for about a second's work.
        """
        try:
            return self._embed_some(most)
        except BusyError:
            _give_way()
        return True

    def _embed_some(self, most: int | None = None) -> bool:
        with self._at_work:
            additions = self._additions
            passages = self._store.first_waiting(most or self._at_a_time)
            if not passages:
                self._finished_additions = max(additions, self._finished_additions)
                self.failure = None
                return False
            self._store.check_model()
            rows, embedded = self._timed_vectors(passages)
            self._count(embedded, len(passages) - embedded)
            with kept_if_stored([one.text for one in passages], self._embedder, self._vectors):
                self._store.store_vectors(passages, rows)
            self.failure = None
            return True

    def _timed_vectors(self, passages: Sequence[WaitingPassage]) -> tuple[NDArray[np.float32], int]:
        """Compute vectors, and adapt how many are computed at a time."""
        start = self._clock()
        rows, embedded = document_vectors([one.text for one in passages], self._embedder, self._vectors)
        seconds = self._clock() - start
        if seconds > _SECONDS_AT_A_TIME:
            self._at_a_time = max(_FEWEST_AT_A_TIME, self._at_a_time // 2)
        elif seconds < _SECONDS_AT_A_TIME / 2:
            self._at_a_time = min(_MOST_AT_A_TIME, self._at_a_time * 2)
        return rows, embedded

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """Keep this process from storing any vectors while the body runs."""
        with self._at_work:
            yield

    def hits(self, ids: Sequence[str], query: Any) -> list[Hit]:
        """Return those of these passages that still wait, with their distance to a query's vector.

        Their vectors are computed now, before those of others, and kept in the embedding cache.
        """
        passages = self._store.waiting_passages(ids) if ids else []
        if not passages:
            return []
        with self._at_work:
            rows, embedded = document_vectors([one.text for one in passages], self._embedder, self._vectors)
        self._count(embedded, 0)
        return [hit_of(one.id, one.text, one.metadata, row, query) for one, row in zip(passages, rows, strict=True)]

    def _has_just_failed(self) -> bool:
        return self._failed_at is not None and self._clock() - self._failed_at < _SECONDS_BETWEEN_FAILURES

    def note_failure(self, error: Exception) -> None:
        """Keep the failure, which searches report until embedding succeeds again."""
        self._failed_at = self._clock()
        self.failure = in_one_line(error)

    def stop(self) -> None:
        """Let the thread end after the passages at hand, and wait for that."""
        with self._starting:
            self._stopping = True
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping and (self.has_added or not is_ending()):
                if self.embed_some():
                    continue
                with self._starting:  # something may have been added since nothing was left
                    if not self.has_added:
                        self._thread = None
                        return
        except Exception as error:  # noqa: BLE001 - kept for those who search, raised for those who wait
            self.note_failure(error)
            if not self._stopping:
                _log.warning("passages wait for their vectors, which could not be computed: %s", self.failure)


def _give_way() -> None:
    time.sleep(random.uniform(0, _MOST_SECONDS_OF_GIVING_WAY))  # noqa: S311 - two clients must not keep step
