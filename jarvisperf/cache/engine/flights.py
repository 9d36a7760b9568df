"""Who is computing what in this process: of several callers for one key the first flies, the others wait for it."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.cache.values.isolation import Held


class Landed:
    """What a flight brought.

    Args:
        value: What the factory returned, or a copy of what a tier had.
        held: What other callers make their own copies from; None: the value may be given to all.
    """

    __slots__ = ("_held", "value")

    def __init__(self, value: Any, held: Held | None) -> None:
        self.value = value
        self._held = held

    def copy(self) -> Any:
        """Give another caller's own."""
        held = self._held
        if held is None:
            return self.value
        return held.value if held.thaw is None else held.thaw(held.value)


class Flight:
    """One computation under way.

    Attributes:
        future: Gets what it brings, or its error.
    """

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: Future[Landed] = Future()


_computing: Final[ContextVar[tuple[Flight, ...]]] = ContextVar("jarvisperf_computing", default=())


@contextlib.contextmanager
def computing(flights: tuple[Flight, ...]) -> Iterator[None]:
    """Note that what is called now computes the value of these flights; tasks and threads that copy it inherit that."""
    token = _computing.set(_computing.get() + flights)
    try:
        yield
    finally:
        _computing.reset(token)


def is_computing(flight: Flight) -> bool:
    """Whether the caller is a part of this flight, so that it would wait for itself for ever."""
    return any(flight is one for one in _computing.get()) and not flight.future.done()


class Flights:
    """All computations of one cache that are under way, by what they are for."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], Flight] = {}
        self._lock = threading.Lock()

    def join(self, kind: str, key: str) -> tuple[Flight, bool]:
        """Give the flight for a key, and whether it was begun by this call: then the caller has to ``end`` it."""
        with self._lock:
            flight = self._by_name.get((kind, key))
            if flight is not None:
                return flight, False
            flight = self._by_name[kind, key] = Flight()
            return flight, True

    def end(self, kind: str, key: str, flight: Flight, outcome: Landed | BaseException) -> None:
        """Tell all who wait what it brought, unless they were told before."""
        with self._lock:
            if self._by_name.get((kind, key)) is not flight:
                return
            del self._by_name[kind, key]
        if isinstance(outcome, Landed):
            flight.future.set_result(outcome)
        else:
            flight.future.set_exception(outcome)
