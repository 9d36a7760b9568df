"""The kinds of answers, search results and contexts: how each is built from results, and how it is cached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from jarvisperf.rag.results import Context, decode_results, encode_results
from jarvisperf.rag.search.context import build_context, context_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.search.retriever import Results

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AnswerKind(Generic[T]):
    """A kind of answer.

    Attributes:
        name: ``search`` or ``context``.
        build: Builds the answer from the results.
        pack: Converts the answer to bytes.
        unpack: Converts the bytes back; the answer must be immutable, because it is shared.
        limits: Limits that the answer depends on, as part of the cache key.
    """

    name: str
    build: Callable[[Results], T]
    pack: Callable[[T], bytes]
    unpack: Callable[[bytes], T]
    limits: tuple[str, ...] = ()


def _unpack_results(packed: bytes) -> Results:
    return tuple(decode_results(packed))


def _context_of(results: Results) -> Context:
    return Context(build_context(results))


def _unpack_context(packed: bytes) -> Context:
    return Context(packed, "utf-8")


SEARCH: Final[AnswerKind[Results]] = AnswerKind("search", tuple, encode_results, _unpack_results)
CONTEXT: Final[AnswerKind[Context]] = AnswerKind("context", _context_of, str.encode, _unpack_context)


def context_within(
    max_chars: int | None, max_tokens: int | None, count_tokens: Callable[[str], int] | None
) -> AnswerKind[Context]:
    """Return the kind of contexts within limits; see ``context_limits`` for the arguments and errors."""
    if max_chars is None and max_tokens is None:
        return CONTEXT
    build, limits = context_limits(max_chars, max_tokens, count_tokens)
    return AnswerKind("context", lambda results: Context(build(results)), str.encode, _unpack_context, limits)
