"""Lazy results: a call that returns a generator or a coroutine has not done its work yet."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Coroutine
from typing import Any

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function

# A call that returns one of these may have computed nothing yet, or everything except the iteration.
LAZY_ITERATORS: tuple[type, ...] = (
    map,
    filter,
    zip,
    enumerate,
    type(re.finditer("", "")),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
)


class LazyResultError(TypeError):
    """A call returned before doing any of its work, so its time is meaningless."""


def refuse_lazy(function: object, result: object) -> None:
    """Reject a function whose result shows that the work has not been done yet.

    A generator that has already been started is accepted: somebody chose to measure the rest of it.

    Args:
        function: The function that was called.
        result: The result of the call.

    Raises:
        LazyResultError: The result is a generator, an async generator, or a coroutine that nobody awaits.
    """
    name = describe(function)
    if inspect.isgenerator(result) and inspect.getgeneratorstate(result) == inspect.GEN_CREATED:
        result.close()
        raise LazyResultError(
            f"{name} returned a generator, which runs nothing before it is consumed, so its time is meaningless: "
            f"consume it in the call, like lambda: list({_simple(name)}(...))"
        )
    if inspect.isasyncgen(result):
        raise LazyResultError(
            f"{name} returned an async generator, which runs nothing before it is consumed, so its time is "
            "meaningless: consume it in a coroutine function, like async def consume(): return [item async for item in "
            f"{_simple(name)}(...)]"
        )
    if isinstance(result, Coroutine):
        result.close()
        raise LazyResultError(
            f"{name} returned a coroutine that nobody awaits, so its time is meaningless: "
            "make it an async def that awaits it"
        )


def lazy_note(function: object, result: object) -> str | None:
    """Return a warning about a result that may have computed little so far; None for any other result."""
    if not isinstance(result, LAZY_ITERATORS):
        return None
    kind = type(result).__name__
    return (
        f"{describe(function)} returned an iterator ({kind}), and what it computes when it is consumed is not in the "
        "figures; consume it in the call if that counts, like lambda: list(...)"
    )


def describe(function: Any) -> str:
    """Return a readable name for a callable."""
    return getattr(function, "__qualname__", None) or repr(function)


def _simple(name: str) -> str:
    """Return the last part of a name, for use in a line of code."""
    last = name.rpartition(".")[2]
    return last if last.isidentifier() else "f"
