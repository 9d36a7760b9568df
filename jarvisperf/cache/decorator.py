"""``@cached``: a function whose results are kept in a cache."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast

from jarvisperf.cache.expiry import checked_ttl
from jarvisperf.cache.keys import KeyMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.smart import SmartCache

P = ParamSpec("P")
R = TypeVar("R")


_ABSENT: Final = object()


class CachedFunction(Protocol[P, R]):
    """What ``@cached`` makes of a function: the function, and what concerns its keys.

    For a method these take the instance as their first argument: ``Service.embed.invalidate(service, text)``.
    """

    __wrapped__: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the cached result, or call the function and keep what it returns."""

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., R]:
        """Bind to an instance, as a function does."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Give the key of a call."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove the result of a call from the cache; whether it was there."""


def cached(
    ttl: float | None = None, key_prefix: str = "", cache: SmartCache | None = None
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Keep the results of a function, method or coroutine function.

    A result is found again by the function's name and its arguments, in this process and in others that share the
    cache. None is a result like any other. An exception is not kept. The first caller gets what the function
    returned; later ones get copies of it.

    A method is cached per instance: while the instance lives and in its own process, unless its class has a
    ``__cache_key__`` method (or is a frozen dataclass or an Enum), which makes equal instances share. Put ``@cached``
    below ``@classmethod`` or ``@staticmethod``. Functions made inside another function share their name and so their
    results: give each a ``key_prefix`` of its own if they differ.

    Args:
        ttl: Seconds that a result lives; as for ``SmartCache.set``.
        key_prefix: Stands before the function's name in its keys, so that ``cache.invalidate("embeddings:*")`` finds
            them all.
        cache: Where results are kept; None: the process's own, looked up when the function is called.

    Raises:
        TypeError: What is decorated is no function, or a generator (which can be read only once); or, when it is
            called, an argument that has no stable encoding or a result that cannot be encoded.
        ValueError: The ttl is negative, or the function is a lambda and there is no prefix.
    """
    given: object = ttl
    if callable(given) or isinstance(given, classmethod):
        raise TypeError("@cached stands without parentheses: write @cached()")
    checked_ttl(ttl, 0.0)
    if not isinstance(key_prefix, str):
        raise TypeError(f"key_prefix is {key_prefix!r}: give a str")

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        _check_is_cacheable(function)
        keys = KeyMaker(function, key_prefix)
        wrap = _wrap_coroutine if inspect.iscoroutinefunction(function) else _wrap_function
        wrapper: Any = functools.wraps(function)(wrap(function, keys, _finder(cache), ttl))
        wrapper.cache_key = lambda *args, **kwargs: keys.key(args, kwargs)
        wrapper.invalidate = lambda *args, **kwargs: _finder(cache)().delete(keys.key(args, kwargs))
        return cast("CachedFunction[P, R]", wrapper)

    return decorate


def _wrap_function(
    function: Callable[..., Any], keys: KeyMaker, find_cache: Callable[[], SmartCache], ttl: float | None
) -> Callable[..., Any]:
    def wrapper(*args: object, **kwargs: object) -> Any:
        key = keys.key(args, kwargs)
        cache = find_cache()
        value = cache.get(key, _ABSENT)
        if value is _ABSENT:
            value = function(*args, **kwargs)
            _keep(cache, key, value, ttl, keys.name)
        return value

    return wrapper


def _wrap_coroutine(
    function: Callable[..., Any], keys: KeyMaker, find_cache: Callable[[], SmartCache], ttl: float | None
) -> Callable[..., Any]:
    async def wrapper(*args: object, **kwargs: object) -> Any:
        key = keys.key(args, kwargs)
        cache = find_cache()
        value = cache.get_from_memory(key, _ABSENT)
        if value is _ABSENT:
            value = await _beside_the_loop(cache, cache.get, key, _ABSENT)
        if value is _ABSENT:
            value = await function(*args, **kwargs)
            await _beside_the_loop(cache, _keep, cache, key, value, ttl, keys.name)
        return value

    return wrapper


async def _beside_the_loop(cache: SmartCache, call: Callable[..., Any], *args: object) -> Any:
    """Call in a thread what may wait for Redis or a disk."""
    return await asyncio.to_thread(call, *args) if cache.may_block else call(*args)


def _keep(cache: SmartCache, key: str, value: object, ttl: float | None, name: str) -> None:
    try:
        cache.set(key, value, ttl)
    except TypeError as error:
        error.add_note(f"It is what {name} returned.")
        raise


def _finder(cache: SmartCache | None) -> Callable[[], SmartCache]:
    if cache is not None:
        return lambda: cache
    from jarvisperf.cache import shared

    return lambda: shared.get_smart_cache()  # noqa: PLW0108 - the name is looked up at the call, so that a test can put its own there


def _check_is_cacheable(function: object) -> None:
    if isinstance(function, classmethod | staticmethod):
        raise TypeError(f"@cached got a {type(function).__name__}: put @cached below @{type(function).__name__}")
    if not (callable(function) and hasattr(function, "__qualname__")) or isinstance(function, type):
        raise TypeError(f"@cached got {function!r}: give a function, method or coroutine function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"@cached got the generator {function.__qualname__}: it can be read only once")
