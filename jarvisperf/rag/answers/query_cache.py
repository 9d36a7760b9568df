"""Cached answers to queries, used as long as they are provably valid.

The key of an answer contains everything that it depends on except the state of the collection. The entry contains that
state: the generation before the answer was computed, and the answer's footprint. An entry of the current generation is
used as it is. An entry of an older generation is used if every write since is known and leaves it unchanged; otherwise
the answer is computed again. An answer that was computed before a write and stored after it is checked against that
write as well. Answers computed while passages wait for their vectors are not stored.

Decoded entries are kept in memory, each with its original bytes. The cache is still queried every time, so removed and
expired entries are not used.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

import msgspec

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.answers.changes import KeyValueCache
from jarvisperf.rag.search.footprint import Footprint, survives
from jarvisperf.rag.store.generation import Heads
from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.answers.changes import ChangeLog
    from jarvisperf.rag.answers.kinds import AnswerKind
    from jarvisperf.rag.search.footprint import Computed
    from jarvisperf.rag.search.request import Question
    from jarvisperf.rag.store.change import StoreChange
    from jarvisperf.rag.store.generation import CollectionState

T = TypeVar("T")

PlainCall: TypeAlias = tuple[str, str, int, float]
"""A call without options: the kind of answer, the query as given, the number of results, and the time to live."""

KEY_SCHEMA: Final = "6"  # increment it when keys, cached answers or the ranking change
_KEY_BYTES: Final = 20
_MAX_REMEMBERED: Final = 4096
_RENEW_AFTER_CHANGES: Final = 32  # with this many changes since, store the entry again under the current generation


class FoundValue(Protocol):
    """A value and the name of the tier that had it."""

    @property
    def value(self) -> Any:
        """The value."""
        ...

    @property
    def tier(self) -> str:
        """The tier, such as ``memory``."""
        ...


class LookupCache(KeyValueCache, Protocol):
    """A cache that reports which tier a value came from, as :class:`jarvisperf.cache.SmartCache` does."""

    def lookup(self, key: str) -> FoundValue | None:
        """Return the value and its tier; None for a miss."""
        ...


class _FoundInCache(NamedTuple):
    value: Any
    tier: str


class _SingleTier:
    """A cache with ``get`` and ``set`` only, whose hits count as hits in memory."""

    def __init__(self, cache: KeyValueCache) -> None:
        self.get = cache.get
        self.set = cache.set

    def lookup(self, key: str) -> _FoundInCache | None:
        value = self.get(key)
        return None if value is None else _FoundInCache(value, "memory")


class ServedAnswer(NamedTuple, Generic[T]):
    """An answer and where it came from.

    Attributes:
        value: The answer.
        path: The cache tier that had it, ``semantic``, or ``computed``.
        key: The key under which it is cached now; None if it could not be cached.
        complete: Whether the query was compared with every passage; a cached answer always is.
    """

    value: T
    path: str
    key: str | None
    complete: bool = True


class _CachedAnswer(msgspec.Struct, frozen=True, array_like=True):
    schema: str
    heads: Heads
    count: int | None
    expires: float
    footprint: Footprint | None
    body: bytes


class _Remembered(Generic[T]):
    """A decoded entry, valid in ``state``."""

    __slots__ = ("blob", "entry", "state", "value")

    def __init__(self, blob: bytes, entry: _CachedAnswer, value: T, state: CollectionState | None = None) -> None:
        self.blob = blob
        self.entry = entry
        self.value = value
        self.state = state


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_CachedAnswer)


class QueryCache:
    """Finds answers, proves that they are still valid, and keeps new ones; safe to call from several threads.

    Args:
        cache: Returns the cache.
        changes: The log of what writes changed.
        read_state: Returns the current state of the collection; None if it is unknown.
        settle_state: Cleans up after a dead writer and returns the state.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        cache: Callable[[], LookupCache],
        changes: ChangeLog,
        read_state: Callable[[], CollectionState | None],
        settle_state: Callable[[], CollectionState | None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._changes = changes
        self._read_state = read_state
        self._settle_state = settle_state
        self._wall_clock = wall_clock
        self._remembered: dict[str, _Remembered[Any]] = {}
        self._keys: dict[PlainCall, tuple[str, str, str]] = {}
        self._lock = threading.Lock()
        renew_lock_when_forked(self)

    def recall(self, call: PlainCall, model: str, state: CollectionState | None) -> Any:
        """Return the answer to an earlier call if it is in memory and nothing has changed since; else None.

        This is the fast path of most calls.

        Args:
            call: The ``call`` passed to :meth:`answer`.
            model: The current identity of the embedder.
            state: The current state of the collection.
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
        kind: AnswerKind[T],
        compute: Callable[[], Computed[T]],
        ttl_seconds: float,
        call: PlainCall | None = None,
        alike: Callable[[], str | None] | None = None,
        prepare: Callable[[], bool] = lambda: False,
    ) -> ServedAnswer[T]:
        """Find the answer, or compute and cache it.

        Args:
            question: The question.
            kind: How the answer is packed.
            compute: Computes the answer.
            ttl_seconds: How long the cache keeps the answer.
            call: Identifies the call for :meth:`recall`; None if it has options.
            alike: Called on a miss; returns another query whose answer may be used, or None.
            prepare: Called before ``compute``; returns whether it may have changed the collection.
        """
        state = self._read_state()
        if state is None or state.writing:
            state = self._settle_state()
        if state is None or state.writing:
            return self._computed(question, kind, compute, ttl_seconds, None)
        key = answer_key(question, state.collection)
        if call is not None:
            with self._lock:
                self._keys[call] = (key, question.model, state.collection)
                _drop_oldest(self._keys)
        found = self._find(key, kind, state)
        if found is None and alike is not None:
            found = self._find_alike(question, kind, alike(), state)
        if found is not None:
            return found
        return self._computed(question, kind, compute, ttl_seconds, self._settle_state() if prepare() else state)

    def _find_alike(
        self, question: Question, kind: AnswerKind[T], query: str | None, state: CollectionState
    ) -> ServedAnswer[T] | None:
        if query is None:
            return None
        found = self._find(answer_key(question._replace(query=query), state.collection), kind, state)
        return None if found is None else found._replace(path="semantic")

    def _computed(
        self,
        question: Question,
        kind: AnswerKind[T],
        compute: Callable[[], Computed[T]],
        ttl_seconds: float,
        state: CollectionState | None,
    ) -> ServedAnswer[T]:
        """Compute an answer, and cache it if the state before is known and still current."""
        computed = compute()
        if state is None or state.writing or not computed.lasting or self._read_state() != state:
            return _uncached(computed)
        key = answer_key(question, state.collection)
        expires = self._wall_clock() + ttl_seconds
        packed = kind.pack(computed.value)
        entry = _CachedAnswer(KEY_SCHEMA, state.heads, state.count, expires, computed.footprint, packed)
        blob = _packed(entry)
        if self._cache().set(key, blob, ttl=ttl_seconds) is False:
            return _uncached(computed)
        self._remember(key, _Remembered(blob, entry, computed.value, state))
        return ServedAnswer(computed.value, "computed", key)

    def _find(self, key: str, kind: AnswerKind[T], state: CollectionState) -> ServedAnswer[T] | None:
        found = self._cache().lookup(key)
        if found is None:
            return None
        blob = found.value
        remembered = self._remembered.get(key)
        if remembered is None or remembered.blob is not blob:
            try:
                entry = _decoder.decode(blob)
                if entry.schema != KEY_SCHEMA:
                    return None
                remembered = _Remembered(blob, entry, kind.unpack(entry.body))
            except (msgspec.DecodeError, TypeError, UnicodeDecodeError):
                return None  # written by another version or another program; it will be replaced
            self._remember(key, remembered)
        if remembered.state is not state and not self._is_still_valid(key, remembered, state):
            return None
        return ServedAnswer(remembered.value, found.tier, key)

    def _is_still_valid(self, key: str, remembered: _Remembered[T], state: CollectionState) -> bool:
        entry = remembered.entry
        known = entry if remembered.state is None else remembered.state
        count, changes = known.count, self._changes_since(known.heads, state)
        if changes is None or (changes and (entry.footprint is None or not survives(entry.footprint, changes))):
            return False
        if count is not None and count + sum(change.growth for change in changes) != state.count:
            return False  # something else added or removed passages
        if len(changes) >= _RENEW_AFTER_CHANGES:
            self._renew(key, entry, state)
        remembered.state = state
        return True

    def _changes_since(self, heads: Heads, state: CollectionState) -> list[StoreChange] | None:
        return [] if heads == state.heads else self._changes.between(heads, state.heads)

    def _renew(self, key: str, entry: _CachedAnswer, state: CollectionState) -> None:
        seconds = entry.expires - self._wall_clock()
        if seconds > 0:
            renewed = msgspec.structs.replace(entry, heads=state.heads, count=state.count)
            self._cache().set(key, _packed(renewed), ttl=seconds)

    def _remember(self, key: str, remembered: _Remembered[T]) -> None:
        with self._lock:
            self._remembered[key] = remembered
            _drop_oldest(self._remembered)


def _uncached(computed: Computed[T]) -> ServedAnswer[T]:
    return ServedAnswer(computed.value, "computed", None, computed.complete)


def cache_getter(cache: KeyValueCache | None) -> Callable[[], LookupCache]:
    """Return a function that returns the cache, or for None the process's default cache at the time of the call.

    Raises:
        TypeError: The cache lacks ``get`` or ``set``.
    """
    if cache is None:
        return _process_cache
    if not all(callable(getattr(cache, method, None)) for method in ("get", "set")):
        raise TypeError(f"cache is {cache!r}: give a SmartCache, or another object with get and set")
    found = cast("LookupCache", cache) if callable(getattr(cache, "lookup", None)) else _SingleTier(cache)
    return lambda: found


def _process_cache() -> LookupCache:
    from jarvisperf.cache import get_smart_cache

    return get_smart_cache()


def answer_key(question: Question, collection: str) -> str:
    """Return the cache key: ``rag:<kind>:`` and 40 hexadecimal digits.

    The digits are the BLAKE2b (RFC 7693) of all parts, each preceded by its length so that different parts cannot
    produce the same input.

    Args:
        question: The question.
        collection: The id that Chroma assigned to the collection.
    """
    parts = framed(KEY_SCHEMA, question.query, question.model, collection, *question.options)
    return f"rag:{question.kind}:{hashlib.blake2b(parts, digest_size=_KEY_BYTES).hexdigest()}"


def _packed(entry: _CachedAnswer) -> bytes:
    try:
        return _encoder.encode(entry)
    except OverflowError:  # an integer of more than 64 bits in its filter, which Chroma treats as a float
        return _encoder.encode(msgspec.structs.replace(entry, footprint=None))


def _drop_oldest(oldest_first: dict[Any, Any]) -> None:
    while len(oldest_first) > _MAX_REMEMBERED:
        del oldest_first[next(iter(oldest_first))]
