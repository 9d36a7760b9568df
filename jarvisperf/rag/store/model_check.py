"""Checks that a collection's vectors come from the model in use; against another model's vectors, scores are noise.

The model's identity is recorded in the collection's metadata with the first passage. Another identity need not mean
other vectors: the same model in bfloat16, on another backend or from another folder has its own. So the model embeds a
few stored passages again, and the check compares the results with the stored vectors.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.store.change import unit_rows
from jarvisperf.rag.store.collection import set_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    class Model(Protocol):
        """The part of an embedder that is used here."""

        @property
        def identity(self) -> str | None:
            """Distinguishes its vectors from those of others."""
            ...

        def embed_documents(self, texts: Sequence[str]) -> Any:
            """Return one row per text."""
            ...


IDENTITY_KEY: Final = "jarvisperf-model"
"""The key of the model's identity in the collection's metadata."""

_NAME_KEY: Final = "jarvisperf-model-name"
_PASSAGES: Final = 4
# The same model in bfloat16 gives 0.996 and more; models of one family trained differently are far below.
_MIN_COSINE: Final = 0.98


class ModelCheck:
    """Checks one model against a collection, again when that has another model; safe to call from several threads.

    Args:
        model: The embedder.
        name: The collection's name.
    """

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name
        self._fits: tuple[str, str | None, Any] | None = None
        self._lock = threading.Lock()
        renew_lock_when_forked(self)

    def check(self, read_again: Callable[[], Any]) -> None:
        """Check that the model fits a Chroma collection.

        Args:
            read_again: Returns it with its current metadata, because another model may have filled it since.

        Raises:
            StoreError: The collection was built with another model.
        """
        collection = read_again()
        recorded = (collection.metadata or {}).get(IDENTITY_KEY)
        now = (str(collection.id), self._model.identity, recorded)
        if self._fits == now:
            return
        with self._lock:
            if not collection.count():
                return  # another model may fill it
            if recorded is None or recorded != now[1]:
                self._compare(collection)
            self._fits = now

    def record(self, collection: Any, read_again: Callable[[], Any]) -> None:
        """Record the model of a collection that is empty or has none; called while it may be written to.

        Args:
            collection: The collection.
            read_again: See :meth:`check`.

        Raises:
            StoreError: Another model has filled the collection since the check.
        """
        identity = self._model.identity
        recorded = (read_again().metadata or {}).get(IDENTITY_KEY)
        if identity is None or recorded == identity:
            return
        if recorded is not None and collection.count() > 0:
            self.check(read_again)
            return
        set_properties(collection, {IDENTITY_KEY: identity, _NAME_KEY: self._model_name()})

    def _compare(self, collection: Any) -> None:
        import numpy as np

        try:
            found = collection.get(limit=_PASSAGES, include=["documents", "embeddings"])
        except Exception as error:
            raise StoreError(f"the collection {self._name!r} failed: {error}") from error
        texts = [text for text in found["documents"] if text]
        if len(texts) < len(found["ids"]) or not texts:
            return  # nothing to compare, or passages that this package did not write
        stored = unit_rows(found["embeddings"])
        rows = unit_rows(self._model.embed_documents(texts))
        if stored.shape == rows.shape and float(np.min(np.sum(stored * rows, axis=1))) >= _MIN_COSINE:
            return
        if stored.shape[1] != rows.shape[1]:
            return  # the search or write itself reports the dimensions
        metadata = collection.metadata or {}
        built_with = metadata.get(_NAME_KEY) or metadata.get(IDENTITY_KEY) or "another model"
        raise StoreError(
            f"the collection {self._name!r} was built with the model {built_with}, but is used with"
            f" {self._model_name()}. Use the former; or, to re-embed, add the documents to another collection, or"
            " delete all passages of this one and add them again"
        )

    def _model_name(self) -> str:
        name: str | None = getattr(self._model, "name", None)
        return name or str(self._model.identity)
