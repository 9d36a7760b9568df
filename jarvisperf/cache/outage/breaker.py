"""A circuit breaker: after one failure, a store is left alone until a background probe succeeds.

The pattern is M. Nygard's ("Release It!", 2007), with two differences. Probes run in a daemon thread, so no caller
waits for a store that is down. Pauses are jittered, so that many processes do not probe a recovering server at the same
moment.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from jarvisperf.forks import tell_when_forked

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
EQUAL_PAUSES = 120
"""The pause grows after this number of attempts: the first minute covers failovers."""
_LONGEST_GOODBYE_SECONDS = 1.0


class Breaker:
    """Open until the first recovery, and again after every failure. The owner serializes calls of its methods.

    Args:
        recover: Opens the store and calls ``close_circuit``; returns whether it succeeded. It is called in the
            background until it succeeds, and must not raise.
        name: The name of the thread.
        jitter: Source of randomness.
        first_pause_seconds: The pause between attempts during the first minute of an outage; then it grows to 5 s.

    Attributes:
        is_open: Whether the store must not be used.
    """

    def __init__(
        self,
        recover: Callable[[], bool],
        name: str,
        jitter: random.Random,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self.is_open = True
        self._recover = recover
        self._name = name
        self._jitter = jitter
        self._first_pause_seconds = first_pause_seconds
        self._thread: threading.Thread | None = None
        self._attempted = threading.Event()
        self._stop = threading.Event()
        tell_when_forked(self, Breaker.after_fork)

    def trip(self) -> None:
        """Open the circuit and start probing, unless both are already the case.

        If no thread can be started, probing starts with the next call.
        """
        self.is_open = True
        if not self.is_probing() and not self._stop.is_set():
            self._thread = threading.Thread(
                target=_probe, args=(weakref.ref(self), self._stop), name=self._name, daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None

    def close_circuit(self) -> None:
        """Close the circuit: the store may be used."""
        self.is_open = False
        self._thread = None  # it ends now; the next failure starts another one

    def is_probing(self) -> bool:
        """Return whether a thread is probing; in a forked child, none is until the circuit trips there."""
        return self._thread is not None  # asking the thread would double the time of a call while the circuit is open

    def wait_for_first_attempt(self, seconds: float) -> None:
        """Wait for the first attempt to finish, at most this long."""
        self._attempted.wait(seconds)

    def after_fork(self) -> None:
        """Forget the parent's thread, which does not run in the child."""
        self._thread = None
        self._attempted = threading.Event()
        stopped = self._stop.is_set()
        self._stop = threading.Event()
        if stopped:
            self._stop.set()

    @property
    def is_stopped(self) -> bool:
        """Whether it probes no more."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop probing permanently."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LONGEST_GOODBYE_SECONDS)

    def probed(self) -> None:
        """Forget the calling thread, which is about to end."""
        if self._thread is threading.current_thread():
            self._thread = None

    def attempt(self) -> bool:
        """Try once to recover, in this thread."""
        try:
            return self._recover()
        finally:
            self._attempted.set()

    def pause_seconds(self, attempts: int) -> float:
        """Return the pause after this many attempts, drawn from 0.5 to 1.5 times its nominal length."""
        nominal = min(self._first_pause_seconds * (1 + attempts // EQUAL_PAUSES), LONGEST_PAUSE_SECONDS)
        return nominal * self._jitter.uniform(0.5, 1.5)


def _probe(breaker_of: weakref.ref[Breaker], stop: threading.Event) -> None:
    # Only a weak reference is held between attempts, so that an outage does not keep an abandoned cache alive.
    attempts = 0
    try:
        while not stop.is_set():
            breaker = breaker_of()
            if breaker is None or breaker.attempt():
                return
            attempts += 1
            pause = breaker.pause_seconds(attempts)
            del breaker
            stop.wait(pause)
    finally:
        breaker = breaker_of()
        if breaker is not None:
            breaker.probed()
