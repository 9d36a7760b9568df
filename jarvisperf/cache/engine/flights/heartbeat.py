"""Renews the leases of computations that take long, so that no other process computes the same value.

A holder that has died renews nothing, and its lease expires. A holder that hangs is renewed for an hour at most.
"""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.engine.races import Computation
    from jarvisperf.cache.values.envelopes.marks import Lease

LONGEST_SECONDS: Final = 3600.0
_BEATS_PER_LEASE: Final = 3
_LONGEST_GOODBYE_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Held:
    lease: Lease
    due: float
    until: float


class Heartbeat:
    """The leases that this process holds. A thread renews them; it ends when there are none.

    Args:
        renew: Renews the lease of a key for a number of seconds; returns False if it is lost.
        lease_seconds: How long a lease lasts without renewal.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        renew: Callable[[str, Lease, float], bool],
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lease_seconds = lease_seconds
        self._renew = renew
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        self._held: dict[Computation, _Held] = {}
        self._lock = threading.RLock()  # a signal handler may use the cache
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def begin(self, computation: Computation, lease: Lease, longest_seconds: float) -> None:
        """Renew a lease until its computation ends, or has taken this long.

        If no thread can be started, the lease is not renewed.
        """
        now = self._clock()
        until = now + min(longest_seconds, LONGEST_SECONDS)
        with self._lock:
            self._held[computation] = _Held(lease, now + self.lease_seconds / _BEATS_PER_LEASE, until)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=_beat, args=(weakref.ref(self), self._stop), name="jarvisperf-leases", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None

    def end(self, computation: Computation) -> None:
        """Renew the lease of a computation no more."""
        if self._held:
            with self._lock:
                self._held.pop(computation, None)

    def beat(self) -> float | None:
        """Renew the leases that are due; return the seconds until the next one is, or None if there are none."""
        now = self._clock()
        with self._lock:
            due = [(computation, held) for computation, held in self._held.items() if held.due <= now]
        for computation, held in due:
            if held.until <= now or not self._renew(computation.key, held.lease, self.lease_seconds):
                self.end(computation)
            held.due = now + self.lease_seconds / _BEATS_PER_LEASE
        with self._lock:
            if not self._held:
                self._thread = None
                return None
            return max(0.0, min(held.due for held in self._held.values()) - self._clock())

    def stop(self) -> None:
        """Renew no leases any more."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LONGEST_GOODBYE_SECONDS)

    def after_fork(self) -> None:
        """Forget the parent's leases and thread."""
        stopped = self._stop.is_set()
        self._begin()
        if stopped:
            self._stop.set()


def _beat(heartbeat_of: weakref.ref[Heartbeat], stop: threading.Event) -> None:
    while True:
        heartbeat = heartbeat_of()
        if heartbeat is None:
            return
        seconds = heartbeat.beat()
        del heartbeat  # so that an abandoned cache can be collected between beats
        if seconds is None or stop.wait(seconds):
            return
