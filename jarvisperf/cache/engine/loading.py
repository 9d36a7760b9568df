"""How a value is found or made, once for all who want it: the steps, without doing any of them.

``load`` is a generator that says what is to be done next (``Run``, ``Make``, ``Await``, ``Pause``, ``Spawn``); a driver
(``drivers``) does it, with threads or with coroutines. So the order of things is written down once for both.
"""

from __future__ import annotations

import logging
import math
import random
import time
from asyncio import CancelledError
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.engine.flights import Flight, Landed, is_computing
from jarvisperf.cache.values.marks import Refusal
from jarvisperf.checks import seconds

if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Self

    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.engine.fillings import Filling
    from jarvisperf.cache.engine.model import CachedValue, Life
    from jarvisperf.cache.smart import SmartCache
    from jarvisperf.cache.values.marks import Lease

logger = logging.getLogger(__name__)

LEASE_SECONDS: Final = 30.0
"""After that long without a value another process may compute it too."""
_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.05
_LOAD, _MAKE = "load", "make"
_CANCELLED: Final = object()
_NOT_IN_BACKGROUND: Final = "the value of %r could not be computed in the background: %r"


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of one load; see ``SmartCache.get_or_set`` for the meaning.

    Attributes:
        life: Of the value that is made.
        refresh_ahead: It may be made anew before it expires.
        soft_seconds: How long a stale value is held back.
        hard_seconds: How long a caller waits.
    """

    life: Life
    refresh_ahead: bool = False
    soft_seconds: float = 0.0
    hard_seconds: float = math.inf

    @classmethod
    def checked(
        cls, life: Life, stale_ttl: float, refresh_ahead: bool, soft_seconds: float, hard_seconds: float
    ) -> Self:
        """Make an order of what a caller gave.

        Raises:
            TypeError: One of them is no number.
            ValueError: One of them is out of its range.
        """
        stale_seconds = seconds("stale_ttl", stale_ttl)
        soft_seconds = seconds("soft_seconds", soft_seconds)
        hard_seconds = seconds("hard_seconds", hard_seconds, zero=False)
        return cls(life._replace(stale_seconds=stale_seconds), bool(refresh_ahead), soft_seconds, hard_seconds)


@dataclass(frozen=True, slots=True)
class Run:
    """Call this; it may wait for Redis or a disk. The answer is what it returns."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Make:
    """Run the factory here, for these flights. The answer is what it returns; what it raises is raised."""

    flights: tuple[Flight, ...]


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for a flight, so long at most. The answer is whether it has landed."""

    future: Future[Landed]
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Spawn:
    """Take these steps in the background."""

    steps: Steps


class FactoryStopError(Exception):
    """A factory raised StopIteration, which would mean something else to a generator.

    Args:
        stop: What it raised.
    """

    def __init__(self, stop: StopIteration) -> None:
        super().__init__(repr(stop))
        self.stop = stop


Step = Run | Make | Await | Pause | Spawn
Steps = Generator[Step, Any, Any]


def load(cache: SmartCache, key: str, order: Order, *, in_background: bool = False) -> Steps:
    """Give the steps that lead to the value of a key.

    Args:
        cache: Where it is kept.
        key: The key.
        order: How it is wanted.
        in_background: The caller only waits: it may be cancelled, and others may want the value still.

    Returns:
        The value.
    """
    core, flights = cache._core, cache._flights  # noqa: SLF001 - one concern in two files
    known = core.in_memory(key)
    if known is not None and not _is_due(known, order):
        return known.value
    while True:
        flight, leads = flights.join(_LOAD, key)
        if leads:
            break
        value = yield from _follow(core, key, order, flight)
        if value is not _CANCELLED:
            return value
    leading = _lead(cache, key, order, known, flight)
    if in_background or order.hard_seconds < math.inf:
        try:
            yield Spawn(_quietly(leading, key))
        except BaseException as error:  # no thread can be started: then nobody will end the flight
            flights.end(_LOAD, key, flight, error)
            raise
        landed = yield from _landing(flight, key, order.hard_seconds)
    else:
        landed = yield from leading
    return landed.value


def _lead(
    cache: SmartCache, key: str, order: Order, known: CachedValue | None, flight: Flight
) -> Generator[Step, Any, Landed]:
    """Find or make the value, for all who wait for this flight."""
    core, flights = cache._core, cache._flights  # noqa: SLF001 - as above
    landed: Landed | None = None
    error: BaseException = RuntimeError("the computation was cancelled")
    try:
        found: CachedValue | None = known or (yield Run(lambda: core.look(key, stale=order.life.stale_seconds > 0)))
        if found is not None and found.seconds > 0:
            if _is_due(found, order):
                yield from _refresh(cache, key, order, found)
            landed = _landed(core, found)
        elif found is not None and found.stale_seconds > 0:
            landed = yield from _stale_or_new(cache, key, order, found)
        else:
            while landed is None:
                making, is_first = flights.join(_MAKE, key)
                if is_first:
                    landed = yield from _make(cache, key, order, None, (making, flight))
                else:
                    landed = yield from _landing_of_others(making, key, math.inf)
    except BaseException as raised:
        error = raised
        raise
    finally:
        flights.end(_LOAD, key, flight, error if landed is None else landed)
    return landed


def _follow(core: Core, key: str, order: Order, flight: Flight) -> Steps:
    if order.life.stale_seconds > 0 and not order.soft_seconds:
        stale = core.in_memory(key, stale=True)
        if stale is not None:
            return stale.value
    landed = yield from _landing_of_others(flight, key, order.hard_seconds)
    return _CANCELLED if landed is None else landed.copy()


def _landing_of_others(flight: Flight, key: str, seconds: float) -> Generator[Step, Any, Landed | None]:
    """Wait for what another caller brings; None: it was cancelled, which is no reason for this one to be."""
    if is_computing(flight):
        raise RuntimeError(f"the value of {key!r} is wanted by its own computation")
    try:
        return (yield from _landing(flight, key, seconds))
    except CancelledError as error:
        if flight.future.done() and flight.future.exception() is error:
            return None
        raise


def _landing(flight: Flight, key: str, seconds: float) -> Generator[Step, Any, Landed]:
    done = yield Await(flight.future, seconds)
    if not done:
        raise TimeoutError(f"the value of {key!r} was not there after {seconds} s; it is still being computed")
    return flight.future.result()


def _refresh(cache: SmartCache, key: str, order: Order, found: CachedValue) -> Generator[Step, Any, Flight]:
    """Have the value made anew in the background, unless that is under way."""
    flights = cache._flights  # noqa: SLF001 - as above
    flight, leads = flights.join(_MAKE, key)
    if leads:
        try:
            yield Spawn(_quietly(_make(cache, key, order, found, (flight,)), key))
        except BaseException as error:
            flights.end(_MAKE, key, flight, error)
            if not isinstance(error, Exception):
                raise
            logger.warning(_NOT_IN_BACKGROUND, key, error)  # the old value is still good
    return flight


def _quietly(steps: Steps, key: str) -> Steps:
    """Take steps in the background: who waits for them gets their error from the flight."""
    try:
        yield from steps
    except Exception as error:  # noqa: BLE001 - a factory may raise whatever it likes
        logger.warning(_NOT_IN_BACKGROUND, key, error)


def _stale_or_new(cache: SmartCache, key: str, order: Order, found: CachedValue) -> Generator[Step, Any, Landed]:
    flight = yield from _refresh(cache, key, order, found)
    if order.soft_seconds and (yield Await(flight.future, order.soft_seconds)) and flight.future.exception() is None:
        return flight.future.result()
    return _landed(cache._core, found)  # noqa: SLF001 - as above


def _landed(core: Core, found: CachedValue) -> Landed:
    return Landed(found.value, found.held or core.held_of(found.value))


def _make(
    cache: SmartCache, key: str, order: Order, old: CachedValue | None, making: tuple[Flight, ...]
) -> Generator[Step, Any, Landed]:
    """Run the factory under a lease, and keep what it returns.

    Args:
        cache: Where it is kept.
        key: The key.
        order: How it is wanted.
        old: The value that is to be replaced.
        making: The flight that is to be ended with the outcome, and others that wait for it.
    """
    landed: Landed | None = None
    error: BaseException = RuntimeError("the computation was cancelled")
    try:
        landed = yield from _make_or_find(cache._core, key, order, old, making)  # noqa: SLF001 - as above
    except BaseException as raised:
        error = raised
        raise
    finally:
        cache._flights.end(_MAKE, key, making[0], error if landed is None else landed)  # noqa: SLF001 - as above
    return landed


def _make_or_find(
    core: Core, key: str, order: Order, old: CachedValue | None, making: tuple[Flight, ...]
) -> Generator[Step, Any, Landed]:
    pause = _FIRST_PAUSE_SECONDS
    held_version = (old.version if old is not None else 0) or None
    while True:
        filling = core.begin_fill(key, order.life.tags)
        try:
            answer: Lease | Refusal | None = yield Run(partial(core.take_lease, key, held_version, LEASE_SECONDS))
        except BaseException:
            core.abandon(filling, None)
            raise
        if not isinstance(answer, Refusal):
            return (yield from _make_under(core, order, filling, answer, making))
        core.abandon(filling, None)
        if old is not None:  # another process refreshes it
            return _landed(core, old)
        yield Pause(min(pause, _LONGEST_PAUSE_SECONDS))
        pause *= 2
        found: CachedValue | None = yield Run(lambda: core.look(key))
        if found is not None:
            return _landed(core, found)
        # A value that is there and was not found cannot be used (it has expired, say): it is to be replaced.
        held_version = answer.held_version


def _make_under(
    core: Core, order: Order, filling: Filling, lease: Lease | None, making: tuple[Flight, ...]
) -> Generator[Step, Any, Landed]:
    started = time.perf_counter()
    try:
        value = yield Make(making)
        life = order.life._replace(compute_seconds=time.perf_counter() - started)
        if life.seconds:
            held = yield Run(lambda: core.fill(filling, value, life, lease))
            return Landed(value, held)
    except GeneratorExit:  # no more steps will be taken; the lease expires
        core.abandon(filling, None)
        raise
    except BaseException:
        yield Run(lambda: core.abandon(filling, lease))
        raise
    yield Run(lambda: core.abandon(filling, lease))
    return Landed(value, core.held_of(value))


def _is_due(found: CachedValue, order: Order) -> bool:
    """Whether a fresh value should be made anew already.

    XFetch: the chance is exp(-t/d) with t seconds left and d seconds to make it (A. Vattani, F. Chierichetti,
    K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
    """
    if not order.refresh_ahead or found.compute_seconds <= 0:
        return False
    return found.compute_seconds * _exponential() >= found.seconds


def _exponential() -> float:
    return -math.log(1.0 - random.random())  # noqa: S311 - spreads work in time and guards nothing
