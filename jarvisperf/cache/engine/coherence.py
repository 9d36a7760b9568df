"""Keeps the memory tier in step with other processes, through messages in Redis."""

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
    from jarvisperf.cache.redis_tier.connection.link import Subscribed
    from jarvisperf.cache.redis_tier.store import RedisStore
    from jarvisperf.cache.redis_tier.tier import RemoteTier


class Coherence:
    """Listens on behalf of one cache.

    Args:
        core: The cache's engine.
        remote: The Redis tier.
        store: The store of that tier.
        jitter: Source of randomness.
    """

    def __init__(self, core: Core, remote: RemoteTier, store: RedisStore, jitter: random.Random) -> None:
        self.usable = remote.usable
        self.failures = (*store.failures, ValueError)  # ValueError: a socket closed while it was being read
        self._core = core
        self._remote = remote
        self._store = store
        self._jitter = jitter
        self._tuned_in = threading.Event()
        self._subscription: Subscription | None = None

    def start(self) -> bool:
        """Start listening unless already started; return False if no thread could be started."""
        if self._subscription is None:
            with contextlib.suppress(RuntimeError):
                self._subscription = Subscription(self, self._jitter)
        return self._subscription is not None

    def wait(self, seconds: float) -> None:
        """Wait until the subscription is active, for at most this many seconds."""
        if self._subscription is not None:
            self._tuned_in.wait(seconds)

    def stop(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._subscription.stop()

    def after_fork(self) -> None:
        """Reset in a forked child: the parent's thread does not run there, so nothing is received until ``start``."""
        self.usable = self._remote.usable
        self._subscription = None
        self._tuned_in = threading.Event()
        self._core.hears_changes = False
        self._core.forget_memory()

    def subscribe(self, silence_seconds: float) -> Subscribed:
        """Connect and subscribe."""
        return self._store.link.subscribe(self._store.channel, silence_seconds)

    def tuned_in(self) -> None:
        """Note that every message is received from now on; earlier ones may have been missed."""
        self._core.forget_memory()
        self._core.hears_changes = True
        self._tuned_in.set()

    def heard(self, blob: bytes) -> bool:
        """Handle a message; return whether another process sent it."""
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
            core.apply_remote_changes(message.names)
        elif message.kind == "pattern":
            self._store.hear_invalidation()
            core.apply_remote_invalidation(KeyPattern(message.names[0]), ())
        else:
            self._store.hear_invalidation()
            core.apply_remote_invalidation(None, message.names)
        return True

    def lost(self, error: Exception) -> None:
        """Clear memory, because messages may have been missed, and let a probe check whether the server responds."""
        self._core.hears_changes = False
        self._tuned_in.clear()
        self._core.forget_memory()
        self._remote.fail(error)
