"""Hears what other caches of the namespace say, in a thread of its own.

While it cannot hear, others' changes are unknown: so the owner is told when the connection is lost, and again when it
is back. A connection that is silent is asked whether it is alive.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random

    from jarvisperf.cache.redis_tier.link import Subscribed

_LISTEN_SECONDS = 0.5
_SILENT_ROUNDS = 4  # after half of them a ping is sent
_PAUSE_SECONDS = 0.2
_REST_SECONDS = 0.001
_LONGEST_GOODBYE_SECONDS = 1.0


class Listener(Protocol):
    """Whom a subscription reports to.

    Attributes:
        usable: Set while Redis is in use; nothing is connected before.
    """

    usable: threading.Event

    def subscribe(self, silence_seconds: float) -> Subscribed:
        """Connect and subscribe; raises one of ``failures`` if that cannot be done."""

    def heard(self, blob: bytes) -> bool:
        """Take a message; whether it was another's."""

    def tuned_in(self) -> None:
        """From now on every message is heard."""

    def lost(self, error: Exception) -> None:
        """Messages may have been missed."""

    failures: tuple[type[Exception], ...]


class Subscription:
    """A thread that listens until it is stopped or its listener is gone.

    Args:
        listener: Held weakly.
        jitter: Source of randomness for the pauses between attempts.
    """

    def __init__(self, listener: Listener, jitter: random.Random) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_listen, args=(weakref.ref(listener), self._stop, jitter), name="jarvisperf-listener", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_GOODBYE_SECONDS)


def _listen(listener_of: weakref.ref[Listener], stop: threading.Event, jitter: random.Random) -> None:
    while not stop.is_set():
        listener = listener_of()
        if listener is None:
            return
        usable = listener.usable
        del listener
        if usable.wait(_LISTEN_SECONDS) and not stop.is_set():
            _listen_once(listener_of, stop)
            stop.wait(_PAUSE_SECONDS * jitter.uniform(0.5, 1.5))


def _listen_once(listener_of: weakref.ref[Listener], stop: threading.Event) -> None:
    listener = listener_of()
    if listener is None:
        return
    failures = listener.failures
    channel: Subscribed | None = None
    try:
        channel = listener.subscribe(_LISTEN_SECONDS)
        del listener  # it may be forgotten while nothing comes
        _hear(channel, listener_of, stop)
    except failures as error:
        listener = listener_of()
        if listener is not None and not stop.is_set():
            listener.lost(error)
    finally:
        if channel is not None:
            channel.close()


def _hear(channel: Subscribed, listener_of: weakref.ref[Listener], stop: threading.Event) -> None:
    silent = 0
    while not stop.is_set():
        heard = channel.next()
        listener = listener_of()
        if listener is None:
            return
        if heard is None:
            silent += 1
            if silent == _SILENT_ROUNDS // 2:
                channel.ping()
            elif silent >= _SILENT_ROUNDS:
                raise TimeoutError("Redis does not answer on the channel of messages")
            continue
        silent = 0
        kind, said = heard
        if kind == b"message":
            if not listener.heard(said) and not channel.has_more():
                # Whoever writes much hears much of its own. It is not to wait for this thread after each write.
                time.sleep(_REST_SECONDS)
        elif kind == b"subscribe":
            listener.tuned_in()
