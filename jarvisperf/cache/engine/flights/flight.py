"""Computations under way in this process, which later callers join instead of computing the same value."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import threading
import time
from concurrent.futures import Future
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    from jarvisperf.cache.values.isolation import Held

LOAD: Final = "load"
"""Finds or computes a value."""
MAKE: Final = "make"
"""Computes a value, which may replace a stale one."""


class LoadedValue:
    """The result of a flight.

    Args:
        value: The factory's result, or a copy of a tier's value.
        held: The form that other callers copy; None if all may share the value.
        is_kept: Whether it was meant to be stored.
    """

    __slots__ = ("_held", "is_kept", "value")

    def __init__(self, value: Any, held: Held | None, *, is_kept: bool = True) -> None:
        self.value = value
        self.is_kept = is_kept
        self._held = held

    def copy(self) -> Any:
        """Return a copy for another caller."""
        held = self._held
        if held is None:
            return self.value
        return held.value if held.thaw is None else held.thaw(held.value)


_NO_MEMBERS: Final[Mapping[str, Any]] = MappingProxyType({})


class Flight:
    """A computation under way that other callers can wait for.

    Args:
        flights: The flights of the cache.
        kind: LOAD or MAKE.
        key: The key.
        tags: Tags of the value.
        place: Where it runs: the identifier of a thread, an event loop, or None while it is handed to another thread.

    Attributes:
        outcome: The result or the error; None until the flight has ended.
        callers: The callers that need the outcome, including the one that began the flight.
        was_needed: Whether a caller still needed the outcome when the flight ended.
        cancel: Cancels the computation if it runs in a task of its own; None if nothing can cancel it.
        inner: The flights that its own computation is computing.
        members: The flights by key that end with this one, if it computes several values together.
        started: When it began, in seconds by the monotonic clock.
    """

    __slots__ = (
        "_future", "_trace", "callers", "cancel", "flights", "has_ended", "inner", "key", "kind", "members", "outcome",
        "place", "started", "tags", "was_needed",
    )  # fmt: skip

    def __init__(self, flights: Flights, kind: str, key: str, tags: tuple[str, ...], place: object) -> None:
        self.flights = flights
        self.kind = kind
        self.key = key
        self.tags = tags
        self.place = place
        self.outcome: LoadedValue | BaseException | None = None
        self.has_ended = False
        self.callers = 1
        self.inner: list[Flight] = []
        self.members: Mapping[str, Flight] = _NO_MEMBERS
        self.was_needed = True
        self.cancel: Callable[[], None] | None = None
        self.started = time.monotonic()
        self._trace: TracebackType | None = None
        self._future: Future[None] | None = None  # most flights have no other caller

    def is_abandoned(self, longest_seconds: float = math.inf) -> bool:
        """Return whether no caller should wait: it has taken too long, or the event loop that computes it has stopped.

        Args:
            longest_seconds: How long it may take.
        """
        if longest_seconds < math.inf and time.monotonic() - self.started >= longest_seconds:
            return True
        is_running = getattr(self.place, "is_running", None)
        return is_running is not None and not is_running()

    def has_other_callers(self) -> bool:
        """Return whether more than one caller needs the outcome."""
        return self.callers > 1 or any(member.callers > 1 for member in self.members.values())

    def future(self) -> Future[None]:
        """Return what tells when the flight has ended."""
        with self.flights.lock:
            if self._future is None:
                self._future = Future()
                if self.has_ended:
                    self._future.set_result(None)
            return self._future

    def result(self) -> LoadedValue:
        """Return the outcome, or raise a copy of the error, so that the callers do not share one traceback."""
        outcome = self._ended_with()
        if isinstance(outcome, LoadedValue):
            return outcome
        raise _copy_of(outcome).with_traceback(self._trace)

    def result_of_first(self) -> LoadedValue:
        """Return the outcome, or raise the error itself, for the caller that began the flight."""
        outcome = self._ended_with()
        if isinstance(outcome, LoadedValue):
            return outcome
        raise outcome

    def _ended_with(self) -> LoadedValue | BaseException:
        if self.outcome is None:
            raise RuntimeError(f"the flight of {self.key!r} has not ended")
        return self.outcome

    def end(self, outcome: LoadedValue | BaseException) -> None:
        """Pass the outcome to all waiting callers, unless the flight has already ended."""
        flights = self.flights
        with flights.lock:
            if self.has_ended:
                return
            if isinstance(outcome, BaseException):
                self._trace = outcome.__traceback__
            self.outcome, self.has_ended = outcome, True
            self.was_needed = self.callers > 0
            if flights.by_name.get((self.kind, self.key)) is self:
                flights.by_name.pop((self.kind, self.key), None)  # ``detach`` takes no lock
            future = self._future
        if future is not None:
            future.set_result(None)


class Flights:
    """The flights of one cache: the first caller computes, and the others wait.

    Attributes:
        by_name: The flights that callers may join, by purpose and key; changed under the lock.
        lock: Guards all flights.
    """

    def __init__(self) -> None:
        self.by_name: dict[tuple[str, str], Flight] = {}
        self.lock = threading.RLock()  # a signal handler may use the cache

    def join(
        self, kind: str, key: str, tags: tuple[str, ...], place: object, longest_seconds: float
    ) -> tuple[Flight, bool]:
        """Return the flight for a key, and whether this call began it; if so, the caller must ``end`` it.

        Args:
            kind: LOAD or MAKE.
            key: The key.
            tags: Tags of the value.
            place: Where the caller runs.
            longest_seconds: An older flight is not joined but replaced.
        """
        with self.lock:
            flight = self.by_name.get((kind, key))
            if flight is not None and not flight.is_abandoned(longest_seconds):
                flight.callers += 1
                return flight, False
            flight = self.by_name[kind, key] = Flight(self, kind, key, tags, place)
            return flight, True

    def begin(self, kind: str, key: str, tags: tuple[str, ...], place: object) -> Flight:
        """Return a new flight that later callers join instead of an older one; see ``join``."""
        with self.lock:
            self.detach((key,))
            flight = self.by_name[kind, key] = Flight(self, kind, key, tags, place)
            return flight

    def leave(self, flight: Flight) -> None:
        """Note that a caller no longer needs the outcome."""
        with self.lock:
            flight.callers -= 1

    def detach(self, keys: Iterable[str]) -> None:
        """Let no later caller join the flights of these keys, because what they compute may be outdated."""
        for key in keys:
            self.by_name.pop((LOAD, key), None)
            self.by_name.pop((MAKE, key), None)

    def detach_where(self, concerns: Callable[[Flight], bool]) -> None:
        """Let no later caller join the flights that a change concerns."""
        with self.lock:
            for name, flight in list(self.by_name.items()):
                if concerns(flight):
                    self.by_name.pop(name, None)


_computing: Final[ContextVar[tuple[Flight, ...]]] = ContextVar("jarvisperf_computing", default=())


@contextlib.contextmanager
def computing(flights: tuple[Flight, ...], *, for_caller: bool) -> Iterator[int]:
    """Mark the enclosed code as computing these flights; threads and tasks that copy the context inherit the mark.

    Args:
        flights: The flights.
        for_caller: Whether the computation under way that this context belongs to waits for them.

    Yields:
        How many flights are nested now.
    """
    outer = _computing.get() if for_caller else ()
    chain = (*outer[-1:], *reversed(flights))
    links = list(itertools.pairwise(chain))
    for needing, needed in links:
        needing.inner.append(needed)
    token = _computing.set((*outer, *reversed(flights)))
    try:
        yield len(outer) + len(flights)
    finally:
        _computing.reset(token)
        for needing, needed in links:
            needing.inner.remove(needed)


def is_computing(flights: Flights, key: str) -> bool:
    """Return whether the caller is part of a computation of this key."""
    return any(
        (one.key == key or key in one.members) and one.flights is flights and not one.has_ended
        for one in _computing.get()
    )


def innermost_of_caller() -> Flight | None:
    """Return the innermost flight under way that the caller is part of."""
    return next((flight for flight in reversed(_computing.get()) if not flight.has_ended), None)


def _copy_of(error: BaseException) -> BaseException:
    """Return an equal error, or the error itself if its class cannot be copied."""
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001 - a class may raise anything when it is created again
        return error
    if type(twin) is not type(error) or twin.args != error.args:
        return error
    notes = getattr(error, "__notes__", None)
    if notes is not None:
        twin.__notes__ = list(notes)
    twin.__cause__, twin.__context__ = error.__cause__, error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    return twin
