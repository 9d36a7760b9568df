"""How long a computed value lives: a time, or a function of the value; with jitter; or not at all."""

from __future__ import annotations

import inspect
import random
from typing import TYPE_CHECKING, Any

from jarvisperf.checks import function, number, seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import TypeAlias

    from jarvisperf.cache.engine.model import Life

    Ttl: TypeAlias = float | timedelta | Callable[[Any], float | timedelta | None]
    Keeping: TypeAlias = Callable[[Life, Any], Life]


def fixed(ttl: Ttl | None) -> float | timedelta | None:
    """Return a time to live unless it depends on the value."""
    return None if callable(ttl) else ttl


def keeping(ttl: Ttl | None, jitter: float, cache_if: Callable[[Any], object] | None) -> Keeping | None:
    """Return the function that decides by a computed value how long it lives; None if all values live equally long.

    It takes the life of a value for which ``ttl`` returns no time, and the value. A life of 0 seconds means that the
    value is not stored. It raises what ``ttl`` and ``cache_if`` raise, and if ``ttl`` does not return a time, a
    TypeError or ValueError.

    Args:
        ttl: The time to live, or a function of the value that returns it, or None for the usual one.
        jitter: The share of its time to live by which a value may expire earlier.
        cache_if: Returns whether a value is stored; None stores all.

    Raises:
        TypeError: A function is not a plain function, or ``jitter`` is not a number.
        ValueError: ``jitter`` is not from 0 to 1.
    """
    jitter = number("jitter", jitter, at_least=0, at_most=1)
    if cache_if is not None:
        _check_plain_function("cache_if", cache_if)
    of_value = ttl if callable(ttl) else None
    if of_value is not None:
        _check_plain_function("ttl", of_value)
    if of_value is None and cache_if is None and not jitter:
        return None

    def life_of(usual: Life, value: Any) -> Life:
        if cache_if is not None and not cache_if(value):
            return usual._replace(seconds=0.0)
        lives = usual.seconds
        given = None if of_value is None else of_value(value)
        if given is not None:
            lives = seconds("the result of ttl", given)
        # Only ever shorter: no value lives longer than its time to live.
        return usual._replace(seconds=lives * (1.0 - jitter * random.random()))  # noqa: S311 - not for security

    return life_of


def _check_plain_function(name: str, given: Callable[[Any], object]) -> None:
    function(name, given, "a function of the result")
    if inspect.iscoroutinefunction(given):
        raise TypeError(f"{name} is the coroutine function {given.__qualname__}: give a plain function of the result")
