"""Finds or computes a value for ``get_or_set``, once for all concurrent callers.

``Load.steps`` is a generator that yields what to do next (see ``steps``) without doing it. A driver (``drivers``) runs
the steps with threads or with coroutines, so the logic exists once.
"""

from __future__ import annotations

import logging
import math
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.cache.engine.flights.flight import LOAD, MAKE, Flight, LoadedValue, is_computing
from jarvisperf.cache.engine.flights.steps import Compute, Invoke, Pause, Spawn
from jarvisperf.cache.engine.flights.waiting import End, place_of_caller, wait_for
from jarvisperf.cache.values.envelopes.marks import Refusal
from jarvisperf.checks import seconds

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import timedelta
    from typing import Self

    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.engine.flights.steps import Step, Steps
    from jarvisperf.cache.engine.loads.lifetime import Keeping
    from jarvisperf.cache.engine.model import CachedValue, Life
    from jarvisperf.cache.engine.races import Computation
    from jarvisperf.cache.values.envelopes.marks import Lease

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.002
LONGEST_PAUSE_SECONDS: Final = 0.05
_NOT_IN_BACKGROUND: Final = "the value of %r could not be computed in the background: %r"


class LoadOptions(NamedTuple):
    """Options for loading a value; see ``SmartCache.get_or_set``.

    Attributes:
        life: Life of the computed value.
        refresh_ahead: The value may be computed again before it expires.
        soft_seconds: How long a caller waits before it gets a stale value.
        hard_seconds: How long a caller waits when there is no stale value.
        source: The function that computes the value, for messages.
        keeping: Decides by the value how long it lives; None if it always has this life.
    """

    life: Life
    refresh_ahead: bool = False
    soft_seconds: float = 0.0
    hard_seconds: float = math.inf
    source: str = "a computation"
    keeping: Keeping | None = None

    @classmethod
    def checked(
        cls,
        life: Life,
        stale_ttl: float | timedelta,
        refresh_ahead: bool,
        soft_seconds: float,
        hard_seconds: float,
        source: str = "a computation",
        keeping: Keeping | None = None,
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
        return cls(life, bool(refresh_ahead), soft_seconds, hard_seconds, source, keeping)

    def life_of(self, value: object) -> Life:
        """Return the life of a computed value; one of 0 seconds if it is not stored."""
        return self.life if self.keeping is None else self.keeping(self.life, value)


class Load:
    """One call of ``get_or_set``.

    Args:
        core: The tiers.
        key: The key.
        options: How to load it.
        in_loop: Whether the steps run in a coroutine. Then the value is computed in a task of its own, because the
            caller may be cancelled while others still need the value.
    """

    __slots__ = ("_core", "_flights", "_in_loop", "_key", "_options")

    def __init__(self, core: Core, key: str, options: LoadOptions, *, in_loop: bool = False) -> None:
        self._core = core
        self._flights = core.flights
        self._key = key
        self._options = options
        self._in_loop = in_loop

    def steps(self) -> Steps:
        """Yield the steps that lead to the value, which the generator returns."""
        if self._core.is_bypassed:
            return (yield Compute((Flight(self._flights, MAKE, self._key, (), self._place()),)))
        known = self._core.look_in_memory(self._key)
        if known is not None and not self._is_due(known):
            return known.value
        while True:
            flight, leads = self._join(LOAD)
            try:
                if leads:
                    return (yield from self._begin(known, flight))
                stale = self._stale_in_memory()
                if stale is not None:
                    return stale.value
                outcome = yield from self._outcome_of_another(flight, self._options.hard_seconds)
                if outcome is not None:
                    return outcome.copy()
            finally:
                self._flights.leave(flight)

    def _begin(self, known: CachedValue | None, flight: Flight) -> Steps:
        """Find or compute the value as the first of all callers."""
        seconds = self._options.hard_seconds
        leading = self._lead(known, flight)
        if not self._in_loop and seconds == math.inf:
            return (yield from leading).value
        if not self._in_loop:
            flight.place = None
        try:
            flight.cancel = yield Spawn(self._for_callers(leading, flight))
        except BaseException as error:  # no thread could be started to end the flight
            flight.end(error)
            raise
        end = yield from self._wait(flight, seconds)
        if end is End.LATE:
            raise self._late(seconds)
        if end is End.CIRCULAR:
            return (yield from self._compute_alone()).value
        return flight.result_of_first().value

    def _lead(self, known: CachedValue | None, flight: Flight) -> Generator[Step, Any, LoadedValue]:
        """Find or compute the value for all callers that wait for this flight."""
        core, key, options = self._core, self._key, self._options
        flight.place = self._place()
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
                    making, is_first = self._join(MAKE)
                    if is_first:
                        outcome = yield from self._make(None, (making, flight))
                    else:
                        outcome = yield from self._outcome_of_another(making, math.inf)
        except BaseException as raised:
            error = raised
            raise
        finally:
            flight.end(error if outcome is None else outcome)
        return outcome

    def _join(self, kind: str) -> tuple[Flight, bool]:
        options = self._options
        return self._flights.join(kind, self._key, options.life.tags, self._place(), options.hard_seconds)

    def _place(self) -> object:
        return place_of_caller(in_loop=self._in_loop)

    def _wait(self, flight: Flight, longest_seconds: float) -> Generator[Step, Any, End]:
        return wait_for(flight, longest_seconds, in_loop=self._in_loop)

    def _stale_in_memory(self) -> CachedValue | None:
        """Return a stale value that will do while another caller computes a new one."""
        options = self._options
        if options.life.stale_seconds > 0 and not options.soft_seconds:
            return self._core.look_in_memory(self._key, stale=True)
        return None

    # --- waiting for other callers

    def _outcome_of_another(self, flight: Flight, longest_seconds: float) -> Generator[Step, Any, LoadedValue | None]:
        """Wait for another caller's flight; None if it was cancelled or abandoned, which does not concern this one."""
        from asyncio import CancelledError

        key = self._key
        if is_computing(self._flights, key):
            raise RuntimeError(f"computing {key!r} requested {key!r} again (recursive get_or_set)")
        end = yield from self._wait(flight, longest_seconds)
        if end is End.LATE:
            raise self._late(longest_seconds)
        if end is End.CIRCULAR:
            return (yield from self._compute_alone())
        if end is End.GONE or isinstance(flight.outcome, CancelledError):
            return None
        return flight.result()

    def _late(self, seconds: float) -> TimeoutError:
        return TimeoutError(f"no value of {self._key!r} after {seconds} s; it is still being computed")

    def _compute_alone(self) -> Generator[Step, Any, LoadedValue]:
        """Compute the value for this caller only, who cannot wait for another; the other one stores it."""
        flight = Flight(self._flights, MAKE, self._key, (), self._place())
        try:
            value = yield Compute((flight,))
        finally:
            flight.has_ended = True
        return LoadedValue(value, self._core.hold(value, self._options.source))

    # --- in the background

    def _refresh(self, found: CachedValue) -> Generator[Step, Any, Flight | None]:
        """Start computing the value again in the background, unless that is under way or failed a moment ago."""
        if not self._core.backoff.is_due(self._key):
            return None
        flight, leads = self._join(MAKE)
        if leads:
            if not self._in_loop:
                flight.place = None
            try:
                yield Spawn(self._refreshing(found, flight))
            except BaseException as error:
                flight.end(error)
                if not isinstance(error, Exception):
                    raise
                logger.warning(_NOT_IN_BACKGROUND, self._key, error)  # the old value can still be served
        return flight

    def _refreshing(self, found: CachedValue, flight: Flight) -> Steps:
        """Replace a value, or wait longer before the next attempt."""
        backoff = self._core.backoff
        try:
            made = yield from self._make(found, (flight,))
        except Exception as error:  # noqa: BLE001 - a factory may raise anything
            backoff.failed(self._key)
            logger.warning(_NOT_IN_BACKGROUND, self._key, error)
        else:
            (backoff.succeeded if made.is_kept else backoff.failed)(self._key)

    def _for_callers(self, steps: Steps, flight: Flight) -> Steps:
        """Run steps whose error the waiting callers receive; it is logged if there are none."""
        try:
            yield from steps
        except Exception as error:  # noqa: BLE001 - a factory may raise anything
            if not flight.was_needed:
                logger.warning(_NOT_IN_BACKGROUND, self._key, error)

    def _stale_or_new(self, found: CachedValue) -> Generator[Step, Any, LoadedValue]:
        flight = yield from self._refresh(found)
        soft_seconds = self._options.soft_seconds
        if flight is not None and soft_seconds:
            end = yield from self._wait(flight, soft_seconds)
            if end is End.DONE and isinstance(flight.outcome, LoadedValue):
                return flight.outcome
        return self._outcome(found)

    def _outcome(self, found: CachedValue) -> LoadedValue:
        return LoadedValue(found.value, found.held or self._core.hold(found.value, self._options.source))

    # --- computing

    def _make(self, old: CachedValue | None, making: tuple[Flight, ...]) -> Generator[Step, Any, LoadedValue]:
        """Compute the value under a lease and store it.

        Args:
            old: The value to replace; None if there is none.
            making: The flight that the outcome ends, followed by flights that wait for it.
        """
        making[0].place = self._place()
        outcome: LoadedValue | None = None
        error: BaseException = RuntimeError("the computation was cancelled")
        try:
            outcome = yield from self._make_or_find(old, making)
        except BaseException as raised:
            error = raised
            raise
        finally:
            making[0].end(error if outcome is None else outcome)
        return outcome

    def _make_or_find(self, old: CachedValue | None, making: tuple[Flight, ...]) -> Generator[Step, Any, LoadedValue]:
        core, key = self._core, self._key
        pause = FIRST_PAUSE_SECONDS
        held_version = (old.version if old is not None else 0) or None
        while True:
            computation = core.begin_computation(key, self._options.life.tags)
            try:
                answer: Lease | Refusal | None = yield Invoke(
                    partial(core.take_lease, key, held_version, self._options.hard_seconds)
                )
            except BaseException:
                core.abandon(computation, None)
                raise
            if not isinstance(answer, Refusal):
                compute = Compute(making, for_caller=old is None)
                return (yield from self._make_under(computation, answer, compute))
            core.abandon(computation, None)
            if old is not None:  # another process is computing it
                return self._outcome(old)
            yield Pause(min(pause, LONGEST_PAUSE_SECONDS))
            pause *= 2
            found: CachedValue | None = yield Invoke(lambda: core.look(key))
            if found is not None:
                return self._outcome(found)
            # Redis has an unusable value, perhaps an expired one, so ask for a lease to replace it.
            held_version = answer.held_version

    def _make_under(
        self, computation: Computation, lease: Lease | None, compute: Compute
    ) -> Generator[Step, Any, LoadedValue]:
        core = self._core
        started = time.perf_counter()
        try:
            core.keep_lease(computation, lease, self._options.hard_seconds)
            value = yield compute
            compute_seconds = time.perf_counter() - started
            life = self._options.life_of(value)._replace(compute_seconds=compute_seconds)
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
        return LoadedValue(value, core.hold(value, self._options.source), is_kept=False)

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
