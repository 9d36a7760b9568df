"""Keeps the memory tier in step with what other processes do, through messages in Redis."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from jarvisperf.cache.keys.pattern import KeyPattern
from jarvisperf.cache.redis_tier.messages import from_bytes, is_from
from jarvisperf.cache.redis_tier.pubsub import Subscription

if TYPE_CHECKING:
    import random

    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.redis_tier.link import Subscribed
    from jarvisperf.cache.redis_tier.store import RedisStore
    from jarvisperf.cache.redis_tier.tier import RemoteTier


class Coherence:
    """Listens for one cache.

    Args:
        core: Whose memory is kept in step.
        remote: The Redis tier.
        store: What lies beneath it.
        jitter: Source of randomness.
    """

    def __init__(self, core: Core, remote: RemoteTier, store: RedisStore, jitter: random.Random) -> None:
        self.usable = remote.usable
        self.failures = (*store.failures, ValueError)  # ValueError: a socket that is closed under the reader
        self._core = core
        self._remote = remote
        self._store = store
        self._jitter = jitter
        self._tuned_in = threading.Event()
        self._subscription: Subscription | None = None

    def start(self) -> None:
        """Start listening, unless that was done before; where no thread can be started, the next call tries again."""
        if self._subscription is None:
            with contextlib.suppress(RuntimeError):
                self._subscription = Subscription(self, self._jitter)

    def wait(self, seconds: float) -> None:
        """Wait until every message is heard, but no longer than that."""
        if self._subscription is not None:
            self._tuned_in.wait(seconds)

    def stop(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._subscription.stop()

    def after_fork(self) -> None:
        """Begin anew in a child: the parent's thread does not run here, so nothing is heard until ``start``."""
        self.usable = self._remote.usable
        self._subscription = None
        self._tuned_in = threading.Event()
        self._core.is_tuned_in = False
        self._core.forget_memory()

    def subscribe(self, silence_seconds: float) -> Subscribed:
        """Connect and subscribe."""
        return self._store.link.subscribe(self._store.channel, silence_seconds)

    def tuned_in(self) -> None:
        """From now on every message is heard; before, some may have been missed."""
        self._core.forget_memory()
        self._core.is_tuned_in = True
        self._tuned_in.set()

    def heard(self, blob: bytes) -> bool:
        """Take a message; whether it was another's."""
        if is_from(self._store.sender, blob):
            return False
        message = from_bytes(blob)
        if message is None:
            self._core.forget_memory()
            return True
        core = self._core
        core.versions.observe(message.version)
        if self._remote.learn_generation(message.generation) or message.kind == "all":
            core.forget_memory()
        elif message.kind == "keys":
            core.hear_of_keys(message.names)
        elif message.kind == "pattern":
            self._store.hear_invalidation()
            core.hear_of_invalidation(KeyPattern(message.names[0]), ())
        else:
            self._store.hear_invalidation()
            core.hear_of_invalidation(None, message.names)
        return True

    def lost(self, error: Exception) -> None:
        """Messages may have been missed, and the server is perhaps gone: memory is dropped and a probe finds out."""
        self._core.is_tuned_in = False
        self._tuned_in.clear()
        self._core.forget_memory()
        self._remote.fail(error)
