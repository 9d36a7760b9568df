"""Listens for messages from other caches of the namespace, in its own thread.

Changes are missed while the connection is down, so the owner is notified when it is lost and when it is back. A silent
connection is pinged.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random

    from jarvisperf.cache.redis_tier.connection.link import Subscribed

_LISTEN_SECONDS = 0.5
_SILENT_ROUNDS = 4  # a ping is sent after half of them
_PAUSE_SECONDS = 0.2
_REST_SECONDS = 0.001
_LONGEST_GOODBYE_SECONDS = 1.0
# What became of a message.
_GONE, _OWN, _OTHERS = "nobody listens", "own", "from others"


class Listener(Protocol):
    """The receiver of a subscription.

    Attributes:
        usable: Set while Redis is in use; the subscription connects only then.
        failures: Exceptions that indicate a lost connection.
    """

    usable: threading.Event

    def subscribe(self, silence_seconds: float) -> Subscribed:
        """Connect and subscribe; raise one of ``failures`` if that fails."""

    def heard(self, blob: bytes) -> bool:
        """Handle a message; return whether another cache sent it."""

    def tuned_in(self) -> None:
        """The subscription is active: from now on, every message arrives."""

    def lost(self, error: Exception) -> None:
        """The connection is lost: messages may have been missed."""

    failures: tuple[type[Exception], ...]


class Subscription:
    """A thread that listens until it is stopped or its listener is gone.

    Args:
        listener: Held weakly.
        jitter: Source of randomness for the pauses between attempts.
    """

    def __init__(self, listener: Listener, jitter: random.Random) -> None:
        self._stop = _Stop()
        self._thread = threading.Thread(
            target=_listen, args=(weakref.ref(listener), self._stop, jitter), name="jarvisperf-listener", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_GOODBYE_SECONDS)


class _Stop:
    """Asks the thread to end, even while it waits for a message."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._channel: Subscribed | None = None

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)

    def set(self) -> None:
        self._event.set()
        if (channel := self._channel) is not None:
            channel.wake()

    def interrupt(self, channel: Subscribed | None) -> None:
        """Note the connection that ``set`` interrupts; afterwards the thread must ask ``is_set``."""
        self._channel = channel


def _listen(listener_of: weakref.ref[Listener], stop: _Stop, jitter: random.Random) -> None:
    while not stop.is_set():
        listener = listener_of()
        if listener is None:
            return
        usable = listener.usable
        del listener
        if usable.wait(_LISTEN_SECONDS) and not stop.is_set():
            _listen_once(listener_of, stop)
            stop.wait(_PAUSE_SECONDS * jitter.uniform(0.5, 1.5))


def _listen_once(listener_of: weakref.ref[Listener], stop: _Stop) -> None:
    listener = listener_of()
    if listener is None:
        return
    failures = listener.failures
    channel: Subscribed | None = None
    try:
        channel = listener.subscribe(_LISTEN_SECONDS)
        del listener  # so that it can be collected while no message arrives
        stop.interrupt(channel)
        _hear(channel, listener_of, stop)
    except failures as error:
        listener = listener_of()
        if listener is not None and not stop.is_set():
            listener.lost(error)
    finally:
        stop.interrupt(None)
        if channel is not None:
            channel.close()


def _hear(channel: Subscribed, listener_of: weakref.ref[Listener], stop: _Stop) -> None:
    silent = 0
    while not stop.is_set():
        heard = channel.next()
        if heard is None:
            if listener_of() is None:
                return
            silent += 1
            if silent == _SILENT_ROUNDS // 2:
                channel.ping()
            elif silent >= _SILENT_ROUNDS:
                raise TimeoutError("Redis does not answer on the subscription's connection")
            continue
        silent = 0
        outcome = _handle(listener_of, *heard)
        if outcome is _GONE:
            return
        if outcome is _OWN and not channel.has_more():
            # A busy writer receives its own messages; pausing here keeps this thread from delaying each write.
            time.sleep(_REST_SECONDS)


def _handle(listener_of: weakref.ref[Listener], kind: bytes, payload: bytes) -> str:
    """Pass a message to the listener; a function of its own, so that nothing holds the listener between messages."""
    listener = listener_of()
    if listener is None:
        return _GONE
    if kind == b"message":
        return _OTHERS if listener.heard(payload) else _OWN
    if kind == b"subscribe":
        listener.tuned_in()
    return _OTHERS
