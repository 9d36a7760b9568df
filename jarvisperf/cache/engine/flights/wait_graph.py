"""Who waits for which computation, so that no caller waits for itself.

A wait-for graph (E. Coffman, M. Elphick, A. Shoshani, "System Deadlocks", Computing Surveys 1971) of the whole process,
because computations of one cache may need another. Its nodes are computations, threads and event loops. A computation
needs the place where it runs, the computations inside it, and what these wait for. A thread that waits needs the
computation, and so does the event loop that it keeps from running.
"""

from __future__ import annotations

import threading
from typing import Final

from jarvisperf.cache.engine.flights.flight import Flight
from jarvisperf.forks import at_fork


class _Waits:
    """The waits of this process."""

    def __init__(self) -> None:
        self._needs: dict[object, dict[Flight, int]] = {}  # how many waits of each waiter there are for a flight
        self._lock = threading.RLock()  # a signal handler may use the cache

    def begin(self, waiters: tuple[object, ...], flight: Flight) -> bool:
        """Note that a wait begins, unless it would never end because the flight needs one of the waiters.

        Args:
            waiters: What stands still until the flight ends: computations, a thread, an event loop.
            flight: The flight.

        Returns:
            Whether the caller may wait; if so, it must call ``end``.
        """
        with self._lock:
            if self._is_needed_by(flight, waiters):
                return False
            for waiter in waiters:
                needed = self._needs.setdefault(waiter, {})
                needed[flight] = needed.get(flight, 0) + 1
            return True

    def end(self, waiters: tuple[object, ...], flight: Flight) -> None:
        """Note that a wait has ended."""
        with self._lock:
            for waiter in waiters:
                needed = self._needs[waiter]
                needed[flight] -= 1
                if not needed[flight]:
                    del needed[flight]
                if not needed:
                    del self._needs[waiter]

    def forget(self) -> None:
        """Forget the waits of a parent process."""
        self.__init__()  # type: ignore[misc]

    def _is_needed_by(self, flight: Flight, waiters: tuple[object, ...]) -> bool:
        """Return whether the flight directly or indirectly needs one of the waiters."""
        seen: set[object] = set()
        to_visit: list[object] = [flight]
        while to_visit:
            node = to_visit.pop()
            if node in seen or (isinstance(node, Flight) and node.has_ended):
                continue
            if node in waiters:
                return True
            seen.add(node)
            to_visit += self._needs.get(node, {})
            if isinstance(node, Flight):
                to_visit += node.inner
                to_visit += () if node.place is None else (node.place,)
        return False


waits: Final = _Waits()
at_fork(after_in_child=waits.forget)
