"""Finds or computes several values together, each once for all concurrent callers; or computes them again.

The steps are those of ``loading``. A batch computes the values that it is the first to miss in one call of the factory,
and then waits for those that other callers are computing. So it never waits while others wait for it.
"""

from __future__ import annotations

import logging
import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.engine.flights.flight import MAKE, Flight, LoadedValue, is_computing
from jarvisperf.cache.engine.flights.steps import Compute, Invoke, Pause, Spawn
from jarvisperf.cache.engine.flights.waiting import End, place_of_caller, wait_for
from jarvisperf.cache.engine.loads.loading import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from jarvisperf.cache.engine.races import Filling
from jarvisperf.cache.values.envelopes.marks import Lease, Refusal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.engine.flights.steps import Step, Steps
    from jarvisperf.cache.engine.loads.loading import LoadOptions

logger = logging.getLogger(__name__)

_NO_KEY: Final = ""  # keys are not empty


class AbsentError(LookupError):
    """A computation of several values returned none for this key."""


class Batch:
    """One call for several values.

    Args:
        core: The tiers.
        options: How to load each value, by key. A batch has no stale values and no limits of time.
        recompute: Compute every value, even if the tiers hold one, and replace what they hold.
        in_loop: Whether the steps run in a coroutine; see ``Load``.

    Attributes:
        wanted: The keys whose values the factory must compute when it is called. It returns a mapping of keys and
            values, which may lack some.
    """

    def __init__(self, core: Core, options: Mapping[str, LoadOptions], *, recompute: bool, in_loop: bool) -> None:
        self.wanted: Sequence[str] = ()
        self._core = core
        self._flights = core.flights
        self._options = options
        self._recompute = recompute
        self._in_loop = in_loop

    def steps(self) -> Steps:
        """Yield the steps that lead to the values; the generator returns those that exist, by key."""
        keys = list(self._options)
        if self._core.is_bypassed:
            return (yield from self._compute_bypassing(keys))
        found: dict[str, Any] = {}
        if not self._recompute:
            found = yield Invoke(partial(self._core.look_many, keys))
        missing = [key for key in keys if key not in found]
        while missing:
            ended = yield from self._load(missing)
            found |= {key: value for key, value in ended.items() if not isinstance(value, AbsentError)}
            missing = [key for key in missing if key not in ended]
        return found

    def _load(self, missing: Iterable[str]) -> Generator[Step, Any, dict[str, Any]]:
        """Return the values of those keys that a computation ended with, or an AbsentError."""
        led: dict[str, Flight] = {}
        joined: dict[str, Flight] = {}
        for key in missing:
            tags = self._options[key].life.tags
            if self._recompute:  # what others compute now may be outdated already
                led[key] = self._flights.begin(MAKE, key, tags, self._place())
                continue
            flight, leads = self._flights.join(MAKE, key, tags, self._place(), math.inf)
            (led if leads else joined)[key] = flight
        ended: dict[str, Any] = {}
        try:
            if led:
                ended |= yield from self._lead(led)
            for key, flight in joined.items():
                ended |= yield from self._join(key, flight)
        finally:
            for flight in (*led.values(), *joined.values()):
                self._flights.leave(flight)
        return ended

    def _join(self, key: str, flight: Flight) -> Generator[Step, Any, dict[str, Any]]:
        """Wait for another caller's flight; return nothing if it was cancelled, which does not concern this one."""
        from asyncio import CancelledError

        if is_computing(self._flights, key):
            raise RuntimeError(f"computing {key!r} requested {key!r} again (recursive get_or_set)")
        end = yield from wait_for(flight, math.inf, in_loop=self._in_loop)
        if end is End.CIRCULAR:
            return (yield from self._compute_alone([key]))
        if end is End.GONE or isinstance(flight.outcome, CancelledError):
            return {}
        if isinstance(flight.outcome, AbsentError):
            return {key: flight.outcome}
        return {key: flight.result().copy()}

    def _lead(self, led: Mapping[str, Flight]) -> Generator[Step, Any, dict[str, Any]]:
        """Compute values for all callers that wait for these flights."""
        whole = Flight(self._flights, MAKE, _NO_KEY, (), self._place())
        whole.members = led
        for flight in led.values():
            flight.inner.append(whole)
        making = self._make(whole)
        if not self._in_loop:
            return (yield from making)
        try:
            whole.cancel = yield Spawn(self._for_callers(making, whole))
        except BaseException as error:
            _end_all(whole, error)
            raise
        if (yield from wait_for(whole, math.inf, in_loop=True)) is End.CIRCULAR:
            return (yield from self._compute_alone(list(led)))
        ended: dict[str, Any] = whole.result_of_first().value
        return ended

    def _for_callers(self, steps: Steps, whole: Flight) -> Steps:
        """Run steps whose error the waiting callers receive; it is logged if there are none."""
        try:
            yield from steps
        except Exception as error:  # noqa: BLE001 - a factory may raise anything
            if not any(member.was_needed for member in whole.members.values()):
                logger.warning("%d values could not be computed in the background: %r", len(whole.members), error)

    def _make(self, whole: Flight) -> Generator[Step, Any, dict[str, Any]]:
        """Compute the values under leases, store them, and end the flights."""
        for flight in (whole, *whole.members.values()):
            flight.place = self._place()
        ended: dict[str, Any] = {}
        error: BaseException = RuntimeError("the computation was cancelled")
        try:
            yield from self._make_or_find(whole, ended)
        except BaseException as raised:
            error = raised
            raise
        else:
            whole.end(LoadedValue(ended, None))
        finally:
            _end_all(whole, error)
        return ended

    def _make_or_find(self, whole: Flight, ended: dict[str, Any]) -> Generator[Step, Any, None]:
        core = self._core
        if self._recompute:
            taken = yield from self._take_all(list(whole.members))
            yield from self._make_under(taken, whole, ended)
            return
        for key, flight in whole.members.items():
            known = core.look_in_memory(key)
            if known is not None:  # another caller's computation ended before this one joined
                ended[key] = known.value
                flight.end(LoadedValue(known.value, known.held))
        pause = FIRST_PAUSE_SECONDS
        held_versions: dict[str, int] = {}
        while missing := [key for key in whole.members if key not in ended]:
            taken, refusals = yield from self._take(missing, held_versions)
            if taken:
                yield from self._make_under(taken, whole, ended)
            if not refusals:
                return
            yield Pause(min(pause, LONGEST_PAUSE_SECONDS))
            pause *= 2
            found: dict[str, Any] = yield Invoke(partial(core.look_many, list(refusals)))
            for key, value in found.items():
                ended[key] = value
                whole.members[key].end(LoadedValue(value, core.hold(value, self._options[key].source)))
            # Redis has unusable values, perhaps expired ones, so ask for leases to replace them.
            held_versions = _versions_of(refusals)

    def _take_all(self, keys: Sequence[str]) -> Generator[Step, Any, dict[str, Filling]]:
        """Begin computations of all keys, under leases to replace what Redis holds."""
        core = self._core
        taken: dict[str, Filling] = {}
        held_versions: dict[str, int] = {}
        try:
            while missing := [key for key in keys if key not in taken]:
                newly_taken, refusals = yield from self._take(missing, held_versions)
                taken |= newly_taken
                held_versions = _versions_of(refusals)
                leased = [key for key in refusals if key not in held_versions]
                if leased:
                    # What other processes compute may be outdated already. Without their leases, they cannot store it.
                    yield Invoke(partial(core.remove, leased))
        except GeneratorExit:
            core.abandon_many([filling._replace(lease=None) for filling in taken.values()])
            raise
        except BaseException:
            yield Invoke(partial(core.abandon_many, list(taken.values())))
            raise
        return {key: taken[key] for key in keys}

    def _take(
        self, keys: Sequence[str], held_versions: Mapping[str, int]
    ) -> Generator[Step, Any, tuple[dict[str, Filling], dict[str, Refusal]]]:
        """Begin computations under leases; return those granted, without values yet, and what was refused."""
        core = self._core
        begun = [core.begin_computation(key, self._options[key].life.tags) for key in keys]
        taken: dict[str, Filling] = {each.key: Filling(each, None, None, None) for each in begun}
        try:
            answers: dict[str, Lease | Refusal] = yield Invoke(partial(core.take_leases, keys, held_versions))
        except BaseException:
            core.abandon_many(list(taken.values()))  # without leases, that waits for nothing
            raise
        refusals: dict[str, Refusal] = {}
        for key, answer in answers.items():
            if isinstance(answer, Refusal):
                refusals[key] = answer
                core.abandon_many([taken.pop(key)])
            else:
                taken[key] = taken[key]._replace(lease=answer)
        return taken, refusals

    def _make_under(
        self, taken: Mapping[str, Filling], whole: Flight, ended: dict[str, Any]
    ) -> Generator[Step, Any, None]:
        core = self._core
        started = time.perf_counter()
        try:
            for filling in taken.values():
                core.keep_lease(filling.computation, filling.lease, math.inf)
            made = yield from self._computed(list(taken), whole)
            seconds = time.perf_counter() - started
            fillings = [self._filled(key, filling, made, seconds) for key, filling in taken.items()]
            source = self._options[next(iter(taken))].source
            held = yield Invoke(partial(core.fill_many, fillings, source))
        except GeneratorExit:  # no more steps will be taken; the leases expire
            core.abandon_many([filling._replace(lease=None) for filling in taken.values()])
            raise
        except BaseException:
            yield Invoke(partial(core.abandon_many, list(taken.values())))
            raise
        outdated = [key for key, each in taken.items() if not (each.computation.is_stored or each.computation.is_void)]
        if self._recompute and outdated:  # what the tiers hold is older than what was computed
            yield Invoke(partial(core.remove, outdated))
        for key in taken:
            if key in made:
                ended[key] = made[key]
                whole.members[key].end(LoadedValue(made[key], held[key]))
            else:
                ended[key] = AbsentError(f"the computation returned no value for {key!r}")
                whole.members[key].end(ended[key])

    def _filled(self, key: str, filling: Filling, made: Mapping[str, Any], seconds: float) -> Filling:
        """Return a filling with the computed value, if there is one, and its life, if it is stored."""
        if key not in made:
            return filling
        life = self._options[key].life_of(made[key])._replace(compute_seconds=seconds)
        return filling._replace(value=made[key], life=life if life.seconds else None)

    def _computed(self, keys: Sequence[str], flight: Flight) -> Generator[Step, Any, Mapping[str, Any]]:
        self.wanted = keys
        made: Mapping[str, Any] = yield Compute((flight,))
        return made

    def _compute_alone(self, keys: Sequence[str]) -> Generator[Step, Any, dict[str, Any]]:
        """Compute values for this caller only, who cannot wait for others; they store theirs."""
        flight = Flight(self._flights, MAKE, _NO_KEY, (), self._place())
        try:
            made = yield from self._computed(keys, flight)
        finally:
            flight.has_ended = True
        return {key: made[key] if key in made else AbsentError(key) for key in keys}

    def _compute_bypassing(self, keys: Sequence[str]) -> Generator[Step, Any, dict[str, Any]]:
        ended = yield from self._compute_alone(keys)
        if self._recompute:
            yield Invoke(partial(self._core.remove, keys))
        return {key: value for key, value in ended.items() if not isinstance(value, AbsentError)}

    def _place(self) -> object:
        return place_of_caller(in_loop=self._in_loop)


def _end_all(whole: Flight, error: BaseException) -> None:
    """End the flights that have not ended yet."""
    for flight in (*whole.members.values(), whole):
        flight.end(error)


def _versions_of(refusals: Mapping[str, Refusal]) -> dict[str, int]:
    """Return the versions of the values that the keys hold."""
    return {key: refusal.held_version for key, refusal in refusals.items() if refusal.held_version is not None}
