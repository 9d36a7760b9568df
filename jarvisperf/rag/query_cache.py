"""Answers to queries, kept in a cache under everything that they depend on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.generation import State

T = TypeVar("T")

KEY_SCHEMA = "1"  # to be raised when the form of keys or of cached answers changes
_KEY_BYTES = 20


class KeyValueCache(Protocol):
    """The part of :class:`jarvisperf.cache.SmartCache` that is used here."""

    def get(self, key: str) -> Any:
        """The value, or None."""
        ...

    def set(self, key: str, value: Any, *, ttl: float) -> Any:
        """Keep the value for ``ttl`` seconds; returns False where it could not."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, apart from the state of the collection.

    Attributes:
        kind: ``search`` or ``context``.
        query: The normalised query.
        n_results: How many passages.
        model: The identity of the embedder.
    """

    kind: str
    query: str
    n_results: int
    model: str


@dataclass(frozen=True, slots=True)
class AnswerForm(Generic[T]):
    """How an answer is kept in the cache: as bytes or text, which nobody can change.

    Attributes:
        pack: Makes what is kept.
        unpack: Makes the answer again; None where the value is none of ours.
    """

    pack: Callable[[T], Any]
    unpack: Callable[[Any], T | None]


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer and where it came from.

    Attributes:
        value: The answer.
        from_cache: It was found; otherwise it was computed.
        key: The key under which the cache has it now; None where it could not be cached.
    """

    value: T
    from_cache: bool
    key: str | None


def answer_key(question: Question, state: State) -> str:
    """The cache key: ``rag:<kind>:`` and 40 hexadecimal digits.

    BLAKE2b (RFC 7693) of all parts, each after its length, so different parts cannot give the same input.
    """
    parts = framed(
        KEY_SCHEMA,
        question.query,
        question.model,
        str(question.n_results),
        state.collection,
        state.generation,
    )
    return f"rag:{question.kind}:{hashlib.blake2b(parts, digest_size=_KEY_BYTES).hexdigest()}"


def answer(
    question: Question,
    cache: KeyValueCache,
    read_state: Callable[[], State | None],
    form: AnswerForm[T],
    compute: Callable[[], T],
    ttl_seconds: float,
) -> Answer[T]:
    """Find the answer in the cache, or compute it and keep it.

    The state is read before the answer is computed and once more after: what was computed while the collection
    changed is returned, but not kept.

    Args:
        question: What is asked.
        cache: Where answers are kept.
        read_state: Gives the state of the collection now; None: unknown.
        form: How the answer is kept.
        compute: Computes the answer.
        ttl_seconds: How long the cache keeps it.
    """
    state = read_state()
    if state is None or state.writing:
        return Answer(compute(), from_cache=False, key=None)
    key = answer_key(question, state)
    kept = cache.get(key)
    if kept is not None:
        found = form.unpack(kept)
        if found is not None:
            return Answer(found, from_cache=True, key=key)
    computed = compute()
    if read_state() != state:
        return Answer(computed, from_cache=False, key=None)
    kept_now = cache.set(key, form.pack(computed), ttl=ttl_seconds)
    return Answer(computed, from_cache=False, key=None if kept_now is False else key)
