"""A log of what each write changed, from one generation to the next, kept in the cache next to the answers.

Each token of a writer points to the previous one and to what changed in between. All processes that share cached
answers share the log. A missing or expired record only costs answers that could have been kept.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.store.change import StoreChange
from jarvisperf.rag.store.generation import BEFORE_THE_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.store.generation import Heads

KEPT_SECONDS: Final = 86_400.0
_MAX_STEPS: Final = 4096
_MAX_VECTORS_IN_MEMORY: Final = 16_384


class KeyValueCache(Protocol):
    """The part of :class:`jarvisperf.cache.SmartCache` that a RAG's cache must have."""

    def get(self, key: str) -> Any:
        """Return the value, or None."""
        ...

    def set(self, key: str, value: Any, *, ttl: float) -> Any:
        """Keep the value for ``ttl`` seconds; return False if that failed."""
        ...


class _Step(msgspec.Struct, frozen=True, array_like=True):
    previous: str
    change: StoreChange


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Step)


class ChangeLog:
    """Records and looks up what writes changed; safe to call from several threads.

    Args:
        cache: Returns the cache.
    """

    def __init__(self, cache: Callable[[], KeyValueCache]) -> None:
        self._cache = cache
        self._steps: dict[str, _Step] = {}
        self._vectors = 0
        self._lock = threading.Lock()
        renew_lock_when_forked(self)

    def record(self, previous: str, token: str, change: StoreChange) -> None:
        """Record what changed between the token ``previous`` and ``token``."""
        step = _Step(previous, change)
        try:
            packed = _encoder.encode(step)
        except (TypeError, OverflowError, UnicodeEncodeError):  # metadata that cannot be encoded
            return
        self._cache().set(_key(token), packed, ttl=KEPT_SECONDS)
        self._hold(token, step)

    def between(self, old: Heads, new: Heads) -> list[StoreChange] | None:
        """Return all changes between an older generation and a newer one; None if they are unknown."""
        before = dict(old)
        changes: list[StoreChange] = []
        for writer, newest in new:
            oldest = before.pop(writer, BEFORE_THE_FIRST)
            token = newest
            while token != oldest:
                step = self._step(token)
                if step is None or len(changes) >= _MAX_STEPS:
                    return None
                changes.append(step.change)
                token = step.previous
        return None if before else changes

    def _step(self, token: str) -> _Step | None:
        step = self._steps.get(token)
        if step is None and token != BEFORE_THE_FIRST:
            packed = self._cache().get(_key(token))
            try:
                step = _decoder.decode(packed)
            except (msgspec.DecodeError, TypeError):
                return None
            self._hold(token, step)
        return step

    def _hold(self, token: str, step: _Step) -> None:
        with self._lock:
            self._steps[token] = step
            self._vectors += 1 + len(step.change.metadatas)
            while self._vectors > _MAX_VECTORS_IN_MEMORY and len(self._steps) > 1:
                oldest = self._steps.pop(next(iter(self._steps)))
                self._vectors -= 1 + len(oldest.change.metadatas)


def _key(token: str) -> str:
    return f"rag:change:{token}"
