"""Tells how many callers have joined a computation under way, for tests that must wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting import SOON_SECONDS

from jarvisperf.cache.engine.flights.flight import LOAD
from jarvisperf.cache.testing import core_of

if TYPE_CHECKING:
    from jarvisperf.cache import SmartCache


def callers_of(cache: SmartCache, key: str) -> int:
    """Return how many callers a computation has, including the one that began it."""
    flight = core_of(cache).flights.by_name.get((LOAD, key))
    return 0 if flight is None else flight.callers


def most_callers(cache: SmartCache) -> int:
    """Return how many callers the computation with the most of them has."""
    flights = list(core_of(cache).flights.by_name.values())
    return max((flight.callers for flight in flights), default=0)


def let_time_pass_for_computations(cache: SmartCache) -> None:
    """Make the computations under way older than any time limit of a test."""
    for flight in core_of(cache).flights.by_name.values():
        flight.started -= 2 * SOON_SECONDS
