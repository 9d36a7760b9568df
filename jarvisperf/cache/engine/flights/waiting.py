"""Waits for a computation under way, if it can end without the caller."""

from __future__ import annotations

import math
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.engine.flights.flight import innermost_of_caller
from jarvisperf.cache.engine.flights.steps import Wait
from jarvisperf.cache.engine.flights.wait_graph import waits

if TYPE_CHECKING:
    from collections.abc import Generator

    from jarvisperf.cache.engine.flights.flight import Flight
    from jarvisperf.cache.engine.flights.steps import Step

LOOK_AFTER_SECONDS: Final = 1.0
"""How soon a caller notices that the event loop that computes its value has stopped."""


class End(Enum):
    """How a wait ended."""

    DONE = "the flight has ended"
    LATE = "the time is over"
    GONE = "nobody computes the value any more"
    CIRCULAR = "the wait would never have ended"


def place_of_caller(*, in_loop: bool) -> object:
    """Return where the steps run: an event loop or a thread."""
    if not in_loop:
        return threading.get_ident()
    from asyncio import get_running_loop  # the drivers have loaded it

    return get_running_loop()


def wait_for(flight: Flight, longest_seconds: float, *, in_loop: bool) -> Generator[Step, Any, End]:
    """Wait for a flight.

    Args:
        flight: The flight.
        longest_seconds: How long to wait.
        in_loop: Whether the steps run in a coroutine.
    """
    from asyncio import CancelledError

    waiters = _waiters(in_loop=in_loop)
    if not waits.begin(waiters, flight):
        return End.CIRCULAR
    deadline = time.monotonic() + longest_seconds
    try:
        while True:
            left = max(0.0, deadline - time.monotonic())
            runs_here = in_loop and flight.place is place_of_caller(in_loop=True)
            if (yield Wait(flight.future(), left if runs_here else min(left, LOOK_AFTER_SECONDS))):
                return End.DONE
            if flight.is_abandoned():
                return End.GONE
            if time.monotonic() >= deadline:
                return End.LATE
    except CancelledError:
        if flight.cancel is not None and not flight.has_other_callers():
            # Nobody else needs the value. The computation may use what this caller is about to close.
            flight.flights.detach((flight.key, *flight.members))
            flight.cancel()
            yield Wait(flight.future(), math.inf)
        raise
    finally:
        waits.end(waiters, flight)


def _waiters(*, in_loop: bool) -> tuple[object, ...]:
    """Return what is blocked while the caller waits: its computation and, outside coroutines, its thread and loop."""
    computed = innermost_of_caller()
    waiters: tuple[object, ...] = () if computed is None else (computed,)
    if in_loop:
        return waiters
    from asyncio import _get_running_loop

    loop = _get_running_loop()
    return (*waiters, threading.get_ident(), *(() if loop is None else (loop,)))
