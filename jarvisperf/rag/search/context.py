"""Builds the text that a language model gets: numbered passages with their sources, within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.rag.checks import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.rag.results import SearchResult

_BETWEEN = "\n\n"


def build_context(results: Sequence[SearchResult], most: int | None = None, measure: Callable[[str], int] = len) -> str:
    """Number the passages from 1, name their sources, and leave out repetitions of the same text.

    Args:
        results: The passages, best first.
        most: The size that the context may have; the first passage that does not fit ends it, cut at a word where
            it is the first of all. None: no limit.
        measure: The size of a text: its characters, or its tokens.

    Returns:
        For each passage a line ``[1] source, section`` and the text below it, with an empty line between two
        passages; an empty string where there are none.
    """
    context = ""
    for number, result in enumerate(_distinct(results), 1):
        passage = f"[{number}]{_origin(result)}\n{result.text}"
        longer = f"{context}{_BETWEEN}{passage}" if context else passage
        if most is not None and measure(longer) > most:
            return context or _cut(passage, most, measure)
        context = longer
    return context


def context_limits(
    max_chars: int | None, max_tokens: int | None, count_tokens: Callable[[str], int] | None
) -> tuple[Callable[[Sequence[SearchResult]], str], tuple[str, ...]]:
    """What makes a context of results within the limits, and the limits as part of a cache key.

    Args:
        max_chars: How many characters; None: any number.
        max_tokens: How many tokens; None: any number.
        count_tokens: Counts them; None: cannot be counted.

    Raises:
        TypeError: A limit is no whole number.
        ValueError: Both limits are given, one is below 1, or tokens cannot be counted.
    """
    if max_chars is not None and max_tokens is not None:
        raise ValueError(f"both max_chars ({max_chars}) and max_tokens ({max_tokens}) are given: give one of them")
    if max_chars is not None:
        most = whole_number("max_chars", max_chars)
        return (lambda results: build_context(results, most)), ("characters", hex(most))
    if max_tokens is not None:
        limit = whole_number("max_tokens", max_tokens)
        if count_tokens is None:
            raise ValueError("max_tokens needs an embedder with the method count_tokens: give max_chars instead")
        return (lambda results: build_context(results, limit, count_tokens)), ("tokens", hex(limit))
    return build_context, ()


def _distinct(results: Sequence[SearchResult]) -> list[SearchResult]:
    best = {" ".join(result.text.split()): result for result in reversed(results)}
    return [result for result in results if best[" ".join(result.text.split())] is result]


def _cut(passage: str, most: int, measure: Callable[[str], int]) -> str:
    """The longest beginning that fits, without a torn word; empty where not even a word of the text does."""
    fits, too_long = 0, len(passage)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if measure(passage[:middle].rstrip()) <= most:
            fits = middle
        else:
            too_long = middle
    heading_length = passage.index("\n") + 1
    kept = passage[:fits]
    if fits < len(passage) and not passage[fits].isspace():
        kept = kept[: max(kept.rfind(" "), kept.rfind("\n"), 0)]
    kept = kept.rstrip()
    return kept if len(kept) > heading_length else ""


def _origin(result: SearchResult) -> str:
    known = [part for part in (result.source, result.metadata.get("section")) if isinstance(part, str)]
    return f" {', '.join(known)}" if known else ""
