"""Finds or computes a value for ``get_or_set``, once for all concurrent callers.

``Load.steps`` is a generator that yields what to do next (``Invoke``, ``Compute``, ``Wait``, ``Pause``, ``Spawn``)
without doing it. A driver (``drivers``) runs the steps with threads or with coroutines, so the logic exists once.
"""

from __future__ import annotations

import contextlib
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.cache.values.marks import Refusal
from jarvisperf.checks import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.engine.model import CachedValue, Life
    from jarvisperf.cache.engine.races import Computation
    from jarvisperf.cache.values.isolation import Held
    from jarvisperf.cache.values.marks import Lease

logger = logging.getLogger(__name__)

LEASE_SECONDS: Final = 30.0
"""After this time without a value, another process may compute it as well."""
_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.05
_LOAD, _MAKE = "load", "make"
_CANCELLED: Final = object()
_NOT_IN_BACKGROUND: Final = "the value of %r could not be computed in the background: %r"


# --- steps


class Invoke(NamedTuple):
    """Call a function that may wait for Redis or a disk. The answer is its result."""

    function: Callable[[], Any]


class Compute(NamedTuple):
    """Call the factory for these flights. The answer is its result; its exceptions propagate."""

    flights: tuple[Flight, ...]


class Wait(NamedTuple):
    """Wait for a flight to end, for at most ``seconds``. The answer is whether it has ended."""

    future: Future[LoadedValue]
    seconds: float


class Pause(NamedTuple):
    """Sleep for a number of seconds."""

    seconds: float


class Spawn(NamedTuple):
    """Run these steps in the background."""

    steps: Steps


Step = Invoke | Compute | Wait | Pause | Spawn
Steps = Generator[Step, Any, Any]


class FactoryStopError(Exception):
    """A factory raised StopIteration, which has another meaning inside a generator.

    Args:
        stop: The exception.
    """

    def __init__(self, stop: StopIteration) -> None:
        super().__init__(repr(stop))
        self.stop = stop


# --- single flights in this process


class LoadedValue:
    """The result of a flight.

    Args:
        value: The factory's result, or a copy of a tier's value.
        held: The form that other callers copy; None if all may share the value.
    """

    __slots__ = ("_held", "value")

    def __init__(self, value: Any, held: Held | None) -> None:
        self.value = value
        self._held = held

    def copy(self) -> Any:
        """Return a copy for another caller."""
        held = self._held
        if held is None:
            return self.value
        return held.value if held.thaw is None else held.thaw(held.value)


class Flight:
    """A computation under way that other callers can wait for.

    Attributes:
        future: Receives the outcome or the error.
    """

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: Future[LoadedValue] = Future()


class Flights:
    """The single flights of one cache, by purpose and key: the first caller computes, and the others wait."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], Flight] = {}
        self._lock = threading.Lock()

    def join(self, kind: str, key: str) -> tuple[Flight, bool]:
        """Return the flight for a key, and whether this call began it; if so, the caller must ``end`` it."""
        with self._lock:
            flight = self._by_name.get((kind, key))
            if flight is not None:
                return flight, False
            flight = self._by_name[kind, key] = Flight()
            return flight, True

    def end(self, kind: str, key: str, flight: Flight, outcome: LoadedValue | BaseException) -> None:
        """Pass the outcome to all waiting callers, unless the flight has already ended."""
        with self._lock:
            if self._by_name.get((kind, key)) is not flight:
                return
            del self._by_name[kind, key]
        if isinstance(outcome, LoadedValue):
            flight.future.set_result(outcome)
        else:
            flight.future.set_exception(outcome)


_computing: Final[ContextVar[tuple[Flight, ...]]] = ContextVar("jarvisperf_computing", default=())


@contextlib.contextmanager
def computing(flights: tuple[Flight, ...]) -> Iterator[None]:
    """Mark the enclosed code as computing these flights; threads and tasks that copy the context inherit the mark."""
    token = _computing.set(_computing.get() + flights)
    try:
        yield
    finally:
        _computing.reset(token)


def _is_computing(flight: Flight) -> bool:
    """Return whether the caller is part of this flight, so that waiting for it would never end."""
    return any(flight is one for one in _computing.get()) and not flight.future.done()


# --- one load


class LoadOptions(NamedTuple):
    """Options for loading a value; see ``SmartCache.get_or_set``.

    Attributes:
        life: Life of the computed value.
        refresh_ahead: The value may be computed again before it expires.
        soft_seconds: How long a caller waits before it gets a stale value.
        hard_seconds: How long a caller waits when there is no stale value.
        source: The function that computes the value, for messages.
    """

    life: Life
    refresh_ahead: bool = False
    soft_seconds: float = 0.0
    hard_seconds: float = math.inf
    source: str = "a computation"

    @classmethod
    def checked(
        cls,
        life: Life,
        stale_ttl: float,
        refresh_ahead: bool,
        soft_seconds: float,
        hard_seconds: float,
        source: str = "a computation",
    ) -> Self:
        """Return the options if a caller's arguments are valid.

        Raises:
            TypeError: An argument is not a number.
            ValueError: An argument is out of range.
        """
        stale_seconds = seconds("stale_ttl", stale_ttl)
        soft_seconds = seconds("soft_seconds", soft_seconds)
        hard_seconds = seconds("hard_seconds", hard_seconds, zero=False)
        life = life._replace(stale_seconds=stale_seconds)
        return cls(life, bool(refresh_ahead), soft_seconds, hard_seconds, source)


class Load:
    """One call of ``get_or_set``.

    Args:
        core: The tiers.
        flights: The flights of the cache.
        key: The key.
        options: How to load it.
    """

    __slots__ = ("_core", "_flights", "_key", "_options")

    def __init__(self, core: Core, flights: Flights, key: str, options: LoadOptions) -> None:
        self._core = core
        self._flights = flights
        self._key = key
        self._options = options

    def steps(self, *, in_background: bool = False) -> Steps:
        """Yield the steps that lead to the value, which the generator returns.

        Args:
            in_background: Compute in the background and let the caller only wait, because it may be cancelled while
                others still need the value.
        """
        core, flights, key, options = self._core, self._flights, self._key, self._options
        known = core.look_in_memory(key)
        if known is not None and not self._is_due(known):
            return known.value
        while True:
            flight, leads = flights.join(_LOAD, key)
            if leads:
                break
            value = yield from self._follow(flight)
            if value is not _CANCELLED:
                return value
        leading = self._lead(known, flight)
        if in_background or options.hard_seconds < math.inf:
            try:
                yield Spawn(self._without_errors(leading))
            except BaseException as error:  # no thread could be started to end the flight
                flights.end(_LOAD, key, flight, error)
                raise
            outcome = yield from self._outcome_of(flight, options.hard_seconds)
        else:
            outcome = yield from leading
        return outcome.value

    def _lead(self, known: CachedValue | None, flight: Flight) -> Generator[Step, Any, LoadedValue]:
        """Find or compute the value for all callers that wait for this flight."""
        core, key, options = self._core, self._key, self._options
        outcome: LoadedValue | None = None
        error: BaseException = RuntimeError("the computation was cancelled")
        try:
            found: CachedValue | None = known or (
                yield Invoke(lambda: core.look(key, stale=options.life.stale_seconds > 0))
            )
            if found is not None and found.seconds > 0:
                if self._is_due(found):
                    yield from self._refresh(found)
                outcome = self._outcome(found)
            elif found is not None and found.stale_seconds > 0:
                outcome = yield from self._stale_or_new(found)
            else:
                while outcome is None:
                    making, is_first = self._flights.join(_MAKE, key)
                    if is_first:
                        outcome = yield from self._make(None, (making, flight))
                    else:
                        outcome = yield from self._outcome_of_another(making, math.inf)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._flights.end(_LOAD, key, flight, error if outcome is None else outcome)
        return outcome

    def _follow(self, flight: Flight) -> Steps:
        """Wait for the value that another caller computes, unless a stale value will do."""
        options = self._options
        if options.life.stale_seconds > 0 and not options.soft_seconds:
            stale = self._core.look_in_memory(self._key, stale=True)
            if stale is not None:
                return stale.value
        outcome = yield from self._outcome_of_another(flight, options.hard_seconds)
        return _CANCELLED if outcome is None else outcome.copy()

    def _outcome_of_another(self, flight: Flight, longest_seconds: float) -> Generator[Step, Any, LoadedValue | None]:
        """Wait for another caller's flight; None if that caller was cancelled, which does not cancel this one."""
        from asyncio import CancelledError  # the drivers have loaded it

        if _is_computing(flight):
            raise RuntimeError(f"computing {self._key!r} requested {self._key!r} again (recursive get_or_set)")
        try:
            return (yield from self._outcome_of(flight, longest_seconds))
        except CancelledError as error:
            if flight.future.done() and flight.future.exception() is error:
                return None
            raise

    def _outcome_of(self, flight: Flight, longest_seconds: float) -> Generator[Step, Any, LoadedValue]:
        has_ended = yield Wait(flight.future, longest_seconds)
        if not has_ended:
            raise TimeoutError(f"no value of {self._key!r} after {longest_seconds} s; it is still being computed")
        return flight.future.result()

    def _refresh(self, found: CachedValue) -> Generator[Step, Any, Flight]:
        """Start computing the value again in the background, unless that is already under way."""
        flight, leads = self._flights.join(_MAKE, self._key)
        if leads:
            try:
                yield Spawn(self._without_errors(self._make(found, (flight,))))
            except BaseException as error:
                self._flights.end(_MAKE, self._key, flight, error)
                if not isinstance(error, Exception):
                    raise
                logger.warning(_NOT_IN_BACKGROUND, self._key, error)  # the old value can still be served
        return flight

    def _without_errors(self, steps: Steps) -> Steps:
        """Run steps in the background and log their error; waiting callers receive it from the flight."""
        try:
            yield from steps
        except Exception as error:  # noqa: BLE001 - a factory may raise anything
            logger.warning(_NOT_IN_BACKGROUND, self._key, error)

    def _stale_or_new(self, found: CachedValue) -> Generator[Step, Any, LoadedValue]:
        flight = yield from self._refresh(found)
        soft_seconds = self._options.soft_seconds
        if soft_seconds and (yield Wait(flight.future, soft_seconds)) and flight.future.exception() is None:
            return flight.future.result()
        return self._outcome(found)

    def _outcome(self, found: CachedValue) -> LoadedValue:
        return LoadedValue(found.value, found.held or self._core.hold(found.value, self._options.source))

    def _make(self, old: CachedValue | None, making: tuple[Flight, ...]) -> Generator[Step, Any, LoadedValue]:
        """Compute the value under a lease and store it.

        Args:
            old: The value to replace; None if there is none.
            making: The flight that the outcome ends, followed by flights that wait for it.
        """
        outcome: LoadedValue | None = None
        error: BaseException = RuntimeError("the computation was cancelled")
        try:
            outcome = yield from self._make_or_find(old, making)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._flights.end(_MAKE, self._key, making[0], error if outcome is None else outcome)
        return outcome

    def _make_or_find(self, old: CachedValue | None, making: tuple[Flight, ...]) -> Generator[Step, Any, LoadedValue]:
        core, key = self._core, self._key
        pause = _FIRST_PAUSE_SECONDS
        held_version = (old.version if old is not None else 0) or None
        while True:
            computation = core.begin_computation(key, self._options.life.tags)
            try:
                answer: Lease | Refusal | None = yield Invoke(
                    partial(core.take_lease, key, held_version, LEASE_SECONDS)
                )
            except BaseException:
                core.abandon(computation, None)
                raise
            if not isinstance(answer, Refusal):
                return (yield from self._make_under(computation, answer, making))
            core.abandon(computation, None)
            if old is not None:  # another process is computing it
                return self._outcome(old)
            yield Pause(min(pause, _LONGEST_PAUSE_SECONDS))
            pause *= 2
            found: CachedValue | None = yield Invoke(lambda: core.look(key))
            if found is not None:
                return self._outcome(found)
            # Redis has an unusable value, perhaps an expired one, so ask for a lease to replace it.
            held_version = answer.held_version

    def _make_under(
        self, computation: Computation, lease: Lease | None, making: tuple[Flight, ...]
    ) -> Generator[Step, Any, LoadedValue]:
        core = self._core
        started = time.perf_counter()
        try:
            value = yield Compute(making)
            life = self._options.life._replace(compute_seconds=time.perf_counter() - started)
            if life.seconds:
                held = yield Invoke(lambda: core.fill(computation, value, life, lease, self._options.source))
                return LoadedValue(value, held)
        except GeneratorExit:  # no more steps will be taken; the lease expires
            core.abandon(computation, None)
            raise
        except BaseException:
            yield Invoke(lambda: core.abandon(computation, lease))
            raise
        yield Invoke(lambda: core.abandon(computation, lease))
        return LoadedValue(value, core.hold(value, self._options.source))

    def _is_due(self, found: CachedValue) -> bool:
        """Return whether a fresh value should already be computed again.

        XFetch: the probability is exp(-t/d), where t is the time left and d the computing time in seconds (A. Vattani,
        F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
        """
        if not self._options.refresh_ahead or found.compute_seconds <= 0:
            return False
        return found.compute_seconds * draw_exponential() >= found.seconds


def draw_exponential() -> float:
    """Draw from the exponential distribution with mean 1."""
    return -math.log(1.0 - random.random())  # noqa: S311 - spreads work over time; not used for security
