"""Builds the context for a language model: numbered passages with their sources, within a limit."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from jarvisperf.checks import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.rag.results import SearchResult

_BETWEEN = "\n\n"
# Thai, Lao, Myanmar and Khmer; Chinese, Japanese and Yi, with their punctuation and full-width forms.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\ua4cf\uf900-\ufaff\uff00-\uff9f\U00020000-\U0003ffff]"
)


def build_context(
    results: Sequence[SearchResult], limit: int | None = None, measure: Callable[[str], int] = len
) -> str:
    """Number the passages from 1, name their sources, and leave out repeated texts.

    Args:
        results: The passages, best first.
        limit: Maximum size of the context. The first passage that does not fit ends it; if that is the very first
            passage, it is cut after a word (in scripts without spaces, after a character). None for no limit.
        measure: Returns the size of a text, in characters or tokens.

    Returns:
        For each passage, a line ``[1] source, section`` followed by its text, with an empty line between passages; an
        empty string if there are none.
    """
    context = ""
    for number, result in enumerate(_distinct(results), 1):
        passage = f"[{number}]{_origin(result)}\n{result.text}"
        longer = f"{context}{_BETWEEN}{passage}" if context else passage
        if limit is not None and measure(longer) > limit:
            return context or _cut(passage, limit, measure)
        context = longer
    return context


def context_limits(
    max_chars: int | None, max_tokens: int | None, count_tokens: Callable[[str], int] | None
) -> tuple[Callable[[Sequence[SearchResult]], str], tuple[str, ...]]:
    """Return a function that builds a context within the limits, and the limits as part of a cache key.

    Args:
        max_chars: Maximum number of characters; None for no limit.
        max_tokens: Maximum number of tokens; None for no limit.
        count_tokens: Counts tokens; None if the embedder cannot.

    Raises:
        TypeError: A limit is not a whole number.
        ValueError: Both limits are given, one is below 1, or tokens cannot be counted.
    """
    if max_chars is not None and max_tokens is not None:
        raise ValueError(f"both max_chars ({max_chars}) and max_tokens ({max_tokens}) are given: give one of them")
    if max_chars is not None:
        limit = whole_number("max_chars", max_chars, at_least=1)
        return (lambda results: build_context(results, limit)), ("characters", hex(limit))
    if max_tokens is not None:
        limit = whole_number("max_tokens", max_tokens, at_least=1)
        if count_tokens is None:
            raise ValueError("max_tokens requires an embedder with the method count_tokens: give max_chars instead")
        return (lambda results: build_context(results, limit, count_tokens)), ("tokens", hex(limit))
    return build_context, ()


def _distinct(results: Sequence[SearchResult]) -> list[SearchResult]:
    best = {" ".join(result.text.split()): result for result in reversed(results)}
    return [result for result in results if best[" ".join(result.text.split())] is result]


def _cut(passage: str, limit: int, measure: Callable[[str], int]) -> str:
    """Return the longest prefix of whole words that fits; empty if not even one word of the text does."""
    fits, too_long = 0, len(passage)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if measure(passage[:middle].rstrip()) <= limit:
            fits = middle
        else:
            too_long = middle
    heading_length = passage.index("\n") + 1
    while heading_length < fits < len(passage) and not _is_between_words(passage, fits):
        fits -= 1
    kept = passage[:fits].rstrip()
    return kept if len(kept) > heading_length else ""


def _is_between_words(text: str, place: int) -> bool:
    """Return whether a text may be cut before this character; in scripts without spaces, each is a word."""
    before, after = text[place - 1], text[place]
    if before.isspace() or after.isspace():
        return True
    is_unspaced = _UNSPACED.match(before) is not None or _UNSPACED.match(after) is not None
    return is_unspaced and unicodedata.category(after)[0] != "M"


def _origin(result: SearchResult) -> str:
    known = [part for part in (result.source, result.metadata.get("section")) if isinstance(part, str)]
    return f" {', '.join(known)}" if known else ""
