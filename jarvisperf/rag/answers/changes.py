"""What each write changed, kept in the cache beside the answers: the way from an older generation to a newer one.

Each token of a writer leads to the one before it and to what lay between. Whoever shares cached answers shares these
records too. One that is missing, expired or never made only costs answers that could have been kept.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from jarvisperf.rag.store.generation import BEFORE_THE_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.answers.query_cache import KeyValueCache
    from jarvisperf.rag.store.generation import Heads

MOST_VECTORS_PER_CALL: Final = 2048
"""A call that changes more passages leaves no record of the rest: bulk loads would fill the cache with vectors."""

KEPT_SECONDS: Final = 86_400.0
_MOST_STEPS: Final = 4096
_MOST_VECTORS_IN_MEMORY: Final = 16_384

Metadata: TypeAlias = dict[str, Any] | None


class Change(msgspec.Struct, frozen=True, array_like=True):
    """What one write did.

    Attributes:
        ids: Every passage that it added, replaced or removed.
        vectors: The unit vectors of those that it added or replaced, float32, row after row.
        metadatas: What is stored beside each of them.
    """

    ids: tuple[str, ...]
    vectors: bytes = b""
    metadatas: tuple[Metadata, ...] = ()


class _Step(msgspec.Struct, frozen=True, array_like=True):
    previous: str
    change: Change


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Step)


class ChangeLog:
    """Records what writes did and finds it again; safe to call from several threads.

    Args:
        cache: Gives the cache.
    """

    def __init__(self, cache: Callable[[], KeyValueCache]) -> None:
        self._cache = cache
        self._steps: dict[str, _Step] = {}
        self._vectors = 0
        self._lock = threading.Lock()

    def record(self, previous: str, token: str, change: Change) -> None:
        """Keep what led from the token ``previous`` to ``token``."""
        step = _Step(previous, change)
        try:
            packed = _encoder.encode(step)
        except (TypeError, OverflowError, UnicodeEncodeError):  # a value in the metadata that has no encoding
            return
        self._cache().set(_key(token), packed, ttl=KEPT_SECONDS)
        self._hold(token, step)

    def between(self, old: Heads, new: Heads) -> list[Change] | None:
        """Everything that was changed from an older generation to a newer one; None where that is not known."""
        before = dict(old)
        changes: list[Change] = []
        for writer, newest in new:
            oldest = before.pop(writer, BEFORE_THE_FIRST)
            token = newest
            while token != oldest:
                step = self._step(token)
                if step is None or len(changes) >= _MOST_STEPS:
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
            while self._vectors > _MOST_VECTORS_IN_MEMORY and len(self._steps) > 1:
                oldest = self._steps.pop(next(iter(self._steps)))
                self._vectors -= 1 + len(oldest.change.metadatas)


def _key(token: str) -> str:
    return f"rag:change:{token}"
