"""A circuit breaker: after one failure a store is left alone until a probe in the background finds it well.

The pattern is M. Nygard's ("Release It!", 2007), with two differences: calls never probe, one daemon thread does, so
no caller waits for a store that is down; and the pauses are jittered, so that many processes do not all probe a
server that comes back at the same moment.
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
_LONGEST_GOODBYE_SECONDS = 1.0


class Breaker:
    """Open until the first recovery, and again after every failure. Its owner serialises the calls of its methods.

    Args:
        recover: Makes the store ready and calls ``close_circuit``; returns whether it did. It is called in the
            background, again and again until it succeeds, and does not raise.
        name: Of the thread.
        jitter: Source of randomness.
        first_pause_seconds: Between the first two attempts of an outage; then it doubles up to 5 s.

    Attributes:
        is_open: The store is to be left alone.
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
        """Open the circuit and start probing; nothing changes if that is already so.

        Where no thread can be started, nobody probes until this is called again.
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
        """Let the store be used."""
        self.is_open = False
        self._thread = None  # it ends now; the next failure starts another

    def is_probing(self) -> bool:
        """Whether a thread probes; in a forked child none does until the circuit is tripped there."""
        return self._thread is not None  # to ask the thread itself takes as long as the rest of a call of an open tier

    def wait_for_first_attempt(self, seconds: float) -> None:
        """Wait until the store was tried once, but no longer than that."""
        self._attempted.wait(seconds)

    def after_fork(self) -> None:
        """Forget the parent's thread, which does not run here."""
        self._thread = None
        self._attempted = threading.Event()
        stopped = self._stop.is_set()
        self._stop = threading.Event()
        if stopped:
            self._stop.set()

    def stop(self) -> None:
        """End the probing for good."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LONGEST_GOODBYE_SECONDS)

    def probed(self) -> None:
        """Forget the thread that calls: it ends now, for whatever reason."""
        if self._thread is threading.current_thread():
            self._thread = None

    def attempt(self) -> bool:
        """Try once to recover, in this thread."""
        try:
            return self._recover()
        finally:
            self._attempted.set()

    def pause_seconds(self, attempts: int) -> float:
        """Draw the pause after so many attempts: from half to one and a half of its nominal length."""
        nominal = min(self._first_pause_seconds * 2.0 ** min(attempts - 1, 16), LONGEST_PAUSE_SECONDS)
        return nominal * self._jitter.uniform(0.5, 1.5)


def _probe(breaker_of: weakref.ref[Breaker], stop: threading.Event) -> None:
    # Between attempts only a weak reference is held, so that a forgotten cache is not kept alive by its outage.
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
