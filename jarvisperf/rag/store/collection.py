"""The lifecycle of a Chroma collection (opened on first use, reopened after a fork, closed for good) and its errors."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.error_text import in_one_line
from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.errors import DimensionError, RagError, StoreError, missing_package
from jarvisperf.rag.store.filters import EVERYTHING, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.rag.store.generation import Home

SPACE = "cosine"
_TRANSPORT: Final = {"httpx", "httpcore"}  # packages whose errors say that a server could not be reached

INDEX: Final = {"space": SPACE, "ef_construction": 200, "max_neighbors": 32, "ef_search": 200}
"""Chroma's index (HNSW) for a new collection, for a recall@10 of at least 0.99 (benchmarks/rag_lab/index_recall.py)."""


def load_chromadb() -> tuple[Any, Any]:
    """Import chromadb, which takes a while; return it with settings that send no telemetry.

    Raises:
        MissingPackageError: chromadb is not installed.
    """
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError as error:
        raise missing_package("chromadb") from error
    return chromadb, Settings(anonymized_telemetry=False)


def set_properties(collection: Any, properties: Mapping[str, str | int]) -> None:
    """Add to the metadata of a Chroma collection."""
    # Chroma rejects the keys with which older versions configured the index.
    kept = {key: value for key, value in (collection.metadata or {}).items() if not key.startswith("hnsw:")}
    collection.modify(metadata={**kept, **properties})


class Collection:
    """Opens its collection on first use; safe to call from several threads.

    Args:
        home: Where the collection lives.
        name: The collection's name.
    """

    def __init__(self, home: Home, name: str) -> None:
        self._home = home
        self._name = name
        # Lock order: these two in this order, then the locks of the home.
        self._write_lock = threading.RLock()
        self._lock = threading.RLock()
        self._collection: Any = None
        self._client: Any = None
        self._of_the_parent: Any = None
        self._closed = False
        self.max_batch = 0
        tell_when_forked(self, Collection.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Reopen on next use in a forked child; that fails in a folder that the parent had opened."""
        self._write_lock = threading.RLock()
        self._lock = threading.RLock()
        if self._collection is not None:
            # Kept alive: Chroma's destructor would wait for threads that exist only in the parent.
            self._of_the_parent, self._collection = self._collection, None

    @property
    def is_open(self) -> bool:
        """Whether Chroma has been loaded and the collection opened."""
        return self._collection is not None

    def open(self) -> Any:
        """Return the Chroma collection, opening it if necessary.

        Raises:
            MissingPackageError: chromadb is not installed.
            StoreError: The store or the collection cannot be opened, or its folder was removed or replaced.
            RuntimeError: The store has been closed.
        """
        collection = self._collection
        if collection is not None:  # without the lock: a writer gets here while others wait to open or close
            self._home.check_in_place()  # Chroma would go on reading the files that were removed
            return collection
        with self._lock:
            if self._closed:
                raise RuntimeError("this OptimizedRAG is closed: create a new one")
            if self._collection is None:
                client = self._home.connect()
                try:
                    collection = self._get_collection(client)
                    self._home.settle(str(collection.id))
                    self.max_batch = int(self.asked(client.get_max_batch_size))
                except BaseException:
                    self._home.disconnect()
                    raise
                self._client, self._collection = client, collection
            return self._collection

    def reopen(self) -> None:
        """Look the collection up again and settle its state: something else may have written, or created it again."""
        with self._lock:
            self.open()
            self._client = self._home.renew()
            self._collection = self._get_collection(self._client)
            self._home.settle(str(self._collection.id))

    def close(self) -> None:
        """Close the collection for good, after any write in progress."""
        with self._write_lock, self._lock:
            self._closed = True
            if self._collection is not None:
                self._home.disconnect()
                self._client = self._collection = None

    def count(self) -> int:
        """Return the number of passages."""
        return int(self.asked(self.open().count))

    def _get_collection(self, client: Any) -> Any:
        try:
            collection = client.get_or_create_collection(
                self._name, embedding_function=None, configuration={"hnsw": dict(INDEX)}
            )
        except Exception as error:
            raise StoreError(f"cannot open the collection {self._name!r}: {error}") from error
        space = ((collection.configuration_json or {}).get("hnsw") or {}).get("space", SPACE)
        if space != SPACE:
            raise StoreError(
                f"the collection {self._name!r} has the distance {space!r}, but scores need {SPACE!r}:"
                " use another collection"
            )
        return collection

    def asked(self, ask: Callable[..., Any], **arguments: Any) -> Any:
        """Return the outcome of a call of Chroma's; a server may end at any of them.

        Raises:
            StoreError: It fails.
        """
        try:
            return ask(**arguments)
        except Exception as error:
            raise self.explained(error, 0) from error

    def explained(self, error: Exception, dimension: int, selection: Selection = EVERYTHING) -> Exception:
        """Return the error to raise for one of Chroma's, given the dimension of the vectors and the filters."""
        if type(error).__module__.partition(".")[0] in _TRANSPORT:
            return StoreError(f"the collection {self._name!r} failed: {in_one_line(error)}")
        if selection.filters and not isinstance(error, RagError) and "dimension" not in str(error):
            given = ", ".join(f"{name}={value!r}" for name, value in selection.filters.items())
            return ValueError(f"Chroma rejects the filter {given}: {in_one_line(error)}")
        if isinstance(error, RagError | ValueError | TypeError):
            return error
        if "dimension" in str(error):
            return self.misfit(dimension, str(error))
        return StoreError(f"the collection {self._name!r} failed: {error}")

    def misfit(self, dimension: int, reason: str) -> DimensionError:
        """Return the error for vectors that do not have the collection's dimension."""
        return DimensionError(
            f"the model's vectors have {dimension} dimensions, which does not fit the collection {self._name!r}"
            f" ({reason}): use the model it was built with, or another collection"
        )
