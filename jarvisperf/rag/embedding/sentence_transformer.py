"""The embedder on sentence-transformers, loaded when the first text is embedded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.embedding.choice import choose_model, fingerprint
from jarvisperf.rag.embedding.micro_batch import MicroBatcher
from jarvisperf.rag.embedding.model_loading import load_model, not_found
from jarvisperf.rag.embedding.options import ModelOptions
from jarvisperf.rag.errors import missing_package

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_BATCH = 32
_BATCH_IN_BFLOAT16 = 64
# So many stay in a core's cache: in batches of 32 one core (512 KB of L2) took 1.33 times as long for texts of 480
# characters as in batches of 8.
_BATCH_PER_CORE = 8
_QUERIES_TOGETHER = 32
# More than any model here reads; the tokenizer's memory grows with the length of a text without spaces.
_MOST_CHARACTERS = 50_000


class SentenceTransformerEmbedder:
    """A sentence-transformers model.

    Queries that come together are embedded together, but not in bfloat16: there the others in a batch change a vector
    (to a cosine of 0.996 with itself), and a cached answer is to be what a search gives.

    Args:
        named: A folder or a hub name; None: chosen by :func:`jarvisperf.rag.embedding.choice.choose_model`.
        setting: What ``JARVISPERF_MODEL`` names; used where ``named`` is None.
        options: How the model is run.
    """

    def __init__(
        self,
        named: str | os.PathLike[str] | None = None,
        setting: str | None = None,
        options: ModelOptions | None = None,
    ) -> None:
        self._named = named
        self._setting = setting
        self._options = ModelOptions() if options is None else options
        self._lock = threading.Lock()  # tokenizers are not thread-safe
        self._identity_lock = threading.Lock()
        self._identity: str | None = None
        self._model: Any = None
        self._tokenizer: Any = None
        together = 1 if self._options.uses_bfloat16 else _QUERIES_TOGETHER
        self._queries = MicroBatcher(self._embed_queries, self._lock, together)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def identity(self) -> str | None:
        """Fingerprint of the model's files, and its options; None for a hub model that is not on this machine yet.

        Raises:
            ModelNotFoundError: The folder that was named is not there.
        """
        if self._identity is None:
            with self._identity_lock:
                choice = choose_model(self._named, self._setting)
                folder = choice.folder()
                if folder is not None:
                    self._identity = f"sentence-transformers:3:{fingerprint(folder)}:{self._options.identity()}"
                elif choice.is_folder:
                    raise not_found(choice, "there is no such folder")
        return self._identity

    def load(self) -> None:
        """Load the model, if it is not yet.

        Raises:
            ModelNotFoundError: The model cannot be had.
            MissingPackageError: sentence-transformers, or what the backend needs, is not installed.
        """
        with self._lock:
            self._loaded()

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length 1 per text.

        Raises:
            ModelNotFoundError, MissingPackageError: As :meth:`load`.
        """
        with self._lock:
            model = self._loaded()
            batch = self._batch_of_documents(model)
            return _unit(model.encode_document(_readable(texts), batch_size=batch, show_progress_bar=False))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The query's vector, of length 1.

        Raises:
            ModelNotFoundError, MissingPackageError: As :meth:`load`.
        """
        vector: NDArray[np.float32] = self._queries.vector(text)
        return vector

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length 1 per query, the same as :meth:`embed_query` gives but for the noise of float32.

        Raises:
            ModelNotFoundError, MissingPackageError: As :meth:`load`.
        """
        import numpy as np

        if self._options.uses_bfloat16:
            return np.stack([self.embed_query(text) for text in texts])
        with self._lock:
            return self._embed_queries(texts)

    def count_tokens(self, text: str) -> int:
        """How many tokens the model's tokenizer makes of a text.

        Raises:
            ModelNotFoundError: The model cannot be had, or has no tokenizer.json.
            MissingPackageError: tokenizers is not installed.
        """
        if self._tokenizer is None:
            self._tokenizer = self._load_tokenizer()
        with self._lock:
            return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def unload(self) -> None:
        """Let go of the model; it loads again when it is used again."""
        with self._lock:
            self._model = None

    def _embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return _unit(self._loaded().encode_query(_readable(texts), batch_size=_BATCH, show_progress_bar=False))

    def _batch_of_documents(self, model: Any) -> int:
        if self._options.uses_bfloat16:
            return _BATCH_IN_BFLOAT16
        if self._options.backend != "torch" or model.device.type != "cpu":
            return _BATCH
        import torch

        return min(_BATCH, _BATCH_PER_CORE * int(torch.get_num_threads()))

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = load_model(choose_model(self._named, self._setting), self._options)
        return self._model

    def _load_tokenizer(self) -> Any:
        choice = choose_model(self._named, self._setting)
        folder = choice.folder()
        if folder is None or not (folder / "tokenizer.json").is_file():
            raise not_found(choice, "it has no tokenizer.json to count tokens with")
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise missing_package("tokenizers") from error
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def _readable(texts: Sequence[str]) -> list[str]:
    return [text[:_MOST_CHARACTERS] for text in texts]


def _unit(vectors: Any) -> NDArray[np.float32]:
    # By sentence-transformers it would be done in the model's own dtype, and lengths in bfloat16 are off by 0.4 %.
    import numpy as np

    rows = np.asarray(vectors, dtype=np.float32)
    units: NDArray[np.float32] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny
    )
    return units
