"""Rejects decorators that are used without parentheses."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")


def needs_parentheses(make: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function that makes a decorator reject what it would decorate as its first argument.

    A function of the result as its time to live must be passed by name, which tells it from the decorated one.
    """

    @wraps(make)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if args and (callable(args[0]) or isinstance(args[0], classmethod)):
            name = make.__name__
            raise TypeError(f"@{name} needs parentheses: write @{name}(), and give a ttl by name: @{name}(ttl=...)")
        return make(*args, **kwargs)

    return checked
