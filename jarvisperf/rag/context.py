"""Builds the text that a language model gets: numbered passages with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.rag.results import SearchResult


def build_context(results: Sequence[SearchResult]) -> str:
    """Number the passages from 1, name their sources, and leave out repetitions of the same text.

    Returns:
        For each passage a line ``[1] source, section`` and the text below it, with an empty line between two
        passages; an empty string where there are none.
    """
    distinct = {result.text: result for result in reversed(results)}
    passages = [result for result in results if distinct[result.text] is result]
    return "\n\n".join(f"[{number}]{_origin(result)}\n{result.text}" for number, result in enumerate(passages, 1))


def _origin(result: SearchResult) -> str:
    known = [part for part in (result.source, result.metadata.get("section")) if isinstance(part, str)]
    return f" {', '.join(known)}" if known else ""
