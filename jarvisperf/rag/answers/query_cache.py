"""Answers to queries, kept in a cache for as long as they are true.

The key of an answer is all that it depends on except the state of the collection; that is in the entry: the
generation before it was computed, and its footprint. An entry of the present generation is used as it is. One of an
older generation is used where every write since is known and leaves it alone, else it is computed anew. So an answer
that was computed before a write and stored after it is weighed against that write like any other.

An entry that is used is remembered in decoded form beside the bytes that the cache holds. The cache is still asked
each time: what was removed from it, or has expired, is not used.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from jarvisperf.rag.search.footprint import Footprint, survives
from jarvisperf.rag.store.generation import Heads
from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.answers.changes import ChangeLog
    from jarvisperf.rag.store.generation import State

T = TypeVar("T")

PlainCall: TypeAlias = tuple[str, str, int]
"""What a call without options is remembered by: its kind, the query as it was given, and the number of results."""

KEY_SCHEMA = "3"  # to be raised when the form of keys or of cached answers changes
_KEY_BYTES = 20
_MOST_REMEMBERED: Final = 4096
_RENEW_AFTER_CHANGES: Final = 32  # from here on the way from the entry's generation is long: store it with the present


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
        model: The identity of the embedder.
        options: Everything else that changes the answer, each in a form of its own.
    """

    kind: str
    query: str
    model: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerForm(Generic[T]):
    """How an answer is kept in the cache.

    Attributes:
        pack: Makes bytes of it.
        unpack: Makes the answer again, of values that nobody can change.
    """

    pack: Callable[[T], bytes]
    unpack: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Computed(Generic[T]):
    """An answer that was computed, and what it depends on; without a footprint it ends with any write."""

    value: T
    footprint: Footprint | None


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer and where it came from.

    Attributes:
        value: The answer.
        path: Where it was found: ``memory``, ``redis``, ``disk``; or ``computed``.
        key: The key under which the cache has it now; None where it could not be cached.
    """

    value: T
    path: str
    key: str | None


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    schema: str
    heads: Heads
    expires: float
    footprint: Footprint | None
    body: bytes


class _Remembered(Generic[T]):
    """A decoded entry, true in ``state``."""

    __slots__ = ("blob", "entry", "state", "value")

    def __init__(self, blob: bytes, entry: _Entry, value: T) -> None:
        self.blob = blob
        self.entry = entry
        self.value = value
        self.state: State | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Entry)


class QueryCache:
    """Finds answers, proves that they are still true, and keeps new ones; safe to call from several threads.

    Args:
        cache: Gives the cache.
        changes: What writes did.
        read_state: The state of the collection now; None: unknown.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        cache: Callable[[], KeyValueCache],
        changes: ChangeLog,
        read_state: Callable[[], State | None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._changes = changes
        self._read_state = read_state
        self._wall_clock = wall_clock
        self._remembered: dict[str, _Remembered[Any]] = {}
        self._keys: dict[PlainCall, tuple[str, str, str]] = {}
        self._lock = threading.Lock()

    def recall(self, call: PlainCall, model: str, state: State | None) -> Any:
        """The answer to a call that was answered before, where nothing has changed since; else None.

        The short way for what is in memory.

        Args:
            call: What :meth:`answer` was told as ``call``.
            model: The identity of the embedder now.
            state: The state of the collection now.
        """
        known = self._keys.get(call)
        if known is None or state is None or state.writing or known[1] != model or known[2] != state.collection:
            return None
        remembered = self._remembered.get(known[0])
        if remembered is None or remembered.state is not state or self._cache().get(known[0]) is not remembered.blob:
            return None
        return remembered.value

    def answer(
        self,
        question: Question,
        form: AnswerForm[T],
        compute: Callable[[], Computed[T]],
        ttl_seconds: float,
        call: PlainCall | None = None,
        alike: Callable[[], str | None] | None = None,
    ) -> Answer[T]:
        """Find the answer, or compute it and keep it.

        Args:
            question: What is asked.
            form: How the answer is kept.
            compute: Computes the answer.
            ttl_seconds: How long the cache keeps it.
            call: A name under which :meth:`recall` may find it; None: none.
            alike: Gives, where there is no answer, another query whose answer will do; None: none does.
        """
        state = self._read_state()
        if state is None or state.writing:
            return Answer(compute().value, "computed", None)
        key = answer_key(question, state.collection)
        with self._lock:
            if call is not None:
                self._keys[call] = (key, question.model, state.collection)
                _shorten(self._keys)
        found = self._find(key, form, state)
        if found is not None:
            return found
        other = alike() if alike is not None else None
        if other is not None:
            found = self._find(answer_key(replace(question, query=other), state.collection), form, state)
            if found is not None:
                return replace(found, path="semantic")
        computed = compute()
        if self._read_state() != state:
            return Answer(computed.value, "computed", None)
        entry = _Entry(
            KEY_SCHEMA, state.heads, self._wall_clock() + ttl_seconds, computed.footprint, form.pack(computed.value)
        )
        blob = _packed(entry)
        kept = self._cache().set(key, blob, ttl=ttl_seconds)
        if kept is False:
            return Answer(computed.value, "computed", None)
        self._remember(key, blob, entry, computed.value).state = state
        return Answer(computed.value, "computed", key)

    def _find(self, key: str, form: AnswerForm[T], state: State) -> Answer[T] | None:
        blob, path = _get_with_path(self._cache(), key)
        if blob is None:
            return None
        remembered = self._remembered.get(key)
        if remembered is None or remembered.blob is not blob:
            try:
                entry = _decoder.decode(blob)
                if entry.schema != KEY_SCHEMA:
                    return None
                remembered = self._remember(key, blob, entry, form.unpack(entry.body))
            except (msgspec.DecodeError, TypeError, UnicodeDecodeError):
                return None  # of another version or another writer; it is replaced
        if remembered.state is not state and not self._still_true(key, remembered, state):
            return None
        return Answer(remembered.value, path, key)

    def _still_true(self, key: str, remembered: _Remembered[T], state: State) -> bool:
        entry = remembered.entry
        known_heads = entry.heads if remembered.state is None else remembered.state.heads
        if known_heads != state.heads:
            if entry.footprint is None:
                return False
            changes = self._changes.between(known_heads, state.heads)
            if changes is None or not survives(entry.footprint, changes):
                return False
            if len(changes) >= _RENEW_AFTER_CHANGES:
                self._renew(key, entry, state)
        remembered.state = state
        return True

    def _renew(self, key: str, entry: _Entry, state: State) -> None:
        seconds = entry.expires - self._wall_clock()
        if seconds > 0:
            renewed = msgspec.structs.replace(entry, heads=state.heads)
            self._cache().set(key, _packed(renewed), ttl=seconds)

    def _remember(self, key: str, blob: bytes, entry: _Entry, value: T) -> _Remembered[T]:
        remembered = _Remembered(blob, entry, value)
        with self._lock:
            self._remembered[key] = remembered
            _shorten(self._remembered)
        return remembered


def plain_call(kind: str, query: object, n_results: object) -> PlainCall | None:
    """What a call is remembered by; None where its arguments are not of the usual types."""
    return (kind, query, n_results) if type(query) is str and type(n_results) is int else None


def answer_key(question: Question, collection: str) -> str:
    """The cache key: ``rag:<kind>:`` and 40 hexadecimal digits.

    BLAKE2b (RFC 7693) of all parts, each after its length, so different parts cannot give the same input.

    Args:
        question: What is asked.
        collection: The id that Chroma gave to the collection.
    """
    parts = framed(KEY_SCHEMA, question.query, question.model, collection, *question.options)
    return f"rag:{question.kind}:{hashlib.blake2b(parts, digest_size=_KEY_BYTES).hexdigest()}"


def _packed(entry: _Entry) -> bytes:
    try:
        return _encoder.encode(entry)
    except OverflowError:  # a whole number of more than 64 bits in its filter, which Chroma takes for a float
        return _encoder.encode(msgspec.structs.replace(entry, footprint=None))


def _get_with_path(cache: KeyValueCache, key: str) -> tuple[Any, str]:
    """The value and the tier that had it; the tiers are those of a SmartCache."""
    from_memory = getattr(cache, "get_from_memory", None)
    if from_memory is None:
        return cache.get(key), "memory"
    blob = from_memory(key)
    if blob is not None:
        return blob, "memory"
    hits_before = _tier_hits(cache)
    blob = cache.get(key)
    redis_hits, disk_hits = (now - before for now, before in zip(_tier_hits(cache), hits_before, strict=True))
    return blob, "disk" if disk_hits > redis_hits else "redis" if redis_hits else "memory"


def _tier_hits(cache: Any) -> tuple[int, int]:
    # Another thread's hit may be counted here: the figure is for statistics only.
    if not cache.may_block:
        return 0, 0
    stats = cache.get_stats()
    return stats["redis_hits"], stats["disk_hits"]


def _shorten(oldest_first: dict[Any, Any]) -> None:
    while len(oldest_first) > _MOST_REMEMBERED:
        del oldest_first[next(iter(oldest_first))]
