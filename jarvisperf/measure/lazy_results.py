"""What a call returned says whether it did its work: a generator runs no line before somebody asks it for items."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Coroutine
from typing import Any

__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function

# Made by calls that compute nothing; what they are made of may have been computed all the same.
LAZY_ITERATORS: tuple[type, ...] = (
    map,
    filter,
    zip,
    enumerate,
    type(re.finditer("", "")),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
)


class LazyResultError(TypeError):
    """A call returned something that has done none of its work, so the time of the call says nothing."""


def refuse_lazy(function: object, result: object) -> None:
    """Refuse a function whose result has yet to do the work.

    A generator that was started already is let through: part of its work is done, by whoever wanted just that.

    Args:
        function: What was called.
        result: What the call returned.

    Raises:
        LazyResultError: It is a generator, an asynchronous one, or a coroutine that nobody awaits.
    """
    name = describe(function)
    if inspect.isgenerator(result) and inspect.getgeneratorstate(result) == inspect.GEN_CREATED:
        result.close()
        raise LazyResultError(
            f"{name} returned a generator, which runs nothing before it is consumed, so its time says nothing: "
            f"consume it in the call, like lambda: list({_simple(name)}(...))"
        )
    if inspect.isasyncgen(result):
        raise LazyResultError(
            f"{name} returned an async generator, which runs nothing before it is consumed, so its time says nothing: "
            "consume it in a coroutine function, like async def consume(): return [item async for item in "
            f"{_simple(name)}(...)]"
        )
    if isinstance(result, Coroutine):
        result.close()
        raise LazyResultError(
            f"{name} returned a coroutine that nobody awaits, so its time says nothing: "
            "make it an async def that awaits it"
        )


def lazy_note(function: object, result: object) -> str | None:
    """Say what the reader should know of a result that may have computed little; None: nothing."""
    if not isinstance(result, LAZY_ITERATORS):
        return None
    kind = type(result).__name__
    return (
        f"{describe(function)} returned an iterator ({kind}), and what it computes when it is consumed is not in the "
        "figures; consume it in the call if that counts, like lambda: list(...)"
    )


def describe(function: Any) -> str:
    """Name a callable the way a person would."""
    return getattr(function, "__qualname__", None) or repr(function)


def _simple(name: str) -> str:
    """Give a name that can stand in a line of code."""
    last = name.rpartition(".")[2]
    return last if last.isidentifier() else "f"
