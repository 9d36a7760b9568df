"""Reads from a model's files how many tokens it reads, and which prompts it puts before a text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.errors import ModelNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

_NO_LIMIT = 1_000_000  # transformers writes numbers above this where there is no limit


def limit_in(folder: Path) -> int | None:
    """Return the maximum number of tokens of a text, prompt and special tokens included; None if the files do not say.

    Raises:
        ModelNotFoundError: A file is not JSON.
    """
    for file, name in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        most = _fields(folder / file).get(name)
        if isinstance(most, int) and 0 < most < _NO_LIMIT:
            return most
    return None


def prompts_in(folder: Path) -> dict[str, str]:
    """Return the prompts of a model by name.

    Raises:
        ModelNotFoundError: A file is not JSON.
    """
    prompts = _fields(folder / "config_sentence_transformers.json").get("prompts") or {}
    return {name: prompt for name, prompt in prompts.items() if isinstance(prompt, str)}


def _fields(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        fields = json.loads(file.read_bytes())
    except ValueError as error:
        raise ModelNotFoundError(f"{file} is not JSON: {error}") from error
    return fields if isinstance(fields, dict) else {}
