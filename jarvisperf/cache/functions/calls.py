"""The calls of one decorated function: their keys, their cache, and which stored results fit."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.functions.stored_errors import StoredError
from jarvisperf.cache.smart import SmartCache
from jarvisperf.cache.values.classes.declared import declare_result

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from jarvisperf.cache.async_smart import AsyncSmartCache
    from jarvisperf.cache.functions.storage_options import StorageOptions
    from jarvisperf.cache.keys.calls import KeyMaker

ABSENT: Final = object()
"""Stands for a result that is not there, or does not fit."""
ATTEMPTS: Final = 2
"""How often a stored result is looked up; the first may be one of another type."""


class Calls:
    """The calls of one function.

    Args:
        function: The function.
        keys: Makes the keys.
        storage: How results are stored.
        find_cache: Returns the cache.
        of_many: Whether the function returns a mapping with several results.

    Attributes:
        calls: Calls of the decorated function, or results that they asked for.
        runs: Runs of the function itself, or results that these were to compute.
        find_cache: Returns the cache. It changes at the first call, so look it up at each.
        is_checked: Whether some stored results do not fit.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        keys: KeyMaker,
        storage: StorageOptions,
        find_cache: Callable[[], SmartCache],
        *,
        of_many: bool = False,
    ) -> None:
        self.function = function
        self.keys = keys
        self.storage = storage
        self.find_cache = self._declare_and_find_cache
        self.is_checked = bool(storage.errors.kinds)
        self.calls = self.runs = 0
        self._find_cache = find_cache
        self._of_many = of_many
        self._types: tuple[type, ...] | None = None

    def _declare_and_find_cache(self) -> SmartCache:
        """Declare the classes of the results, and return the cache; from then on, ``find_cache`` only does the latter.

        It is deferred to the first call, because the annotation may name something defined below the function.
        """
        self._types = declare_result(self.function, of_many=self._of_many)
        self.is_checked = self.is_checked or self._types is not None
        self.find_cache = self._find_cache
        return self._find_cache()

    def fits(self, result: object) -> bool:
        """Return whether a stored result can be returned: it is of the annotated type, and no exception.

        Another version of the program may have stored it.
        """
        return type(result) is not StoredError and (self._types is None or isinstance(result, self._types))

    def info(self) -> tuple[int, int]:
        """Return hits and misses."""
        return max(0, self.calls - self.runs), self.runs


class CallRun:
    """One call that memory could not answer.

    Args:
        calls: The calls of its function.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._made = False
        self._error: Exception | None = None

    def begin(self) -> None:
        """Note that the function is called."""
        self._calls.runs += 1
        self._made = True

    def stored(self, error: Exception) -> StoredError | None:
        """Return what to store of an exception that the function raised; None if it is not stored."""
        self._error = error
        return self._calls.storage.errors.stored(error, self._calls.keys.name)

    def outcome(self, result: object) -> Any:
        """Return the result of the call, or raise its exception; ABSENT if what was stored does not fit."""
        if type(result) is StoredError:
            error = self._error or self._calls.storage.errors.rebuilt(result)
            if error is not None:
                raise error
            return ABSENT
        return result if self._made or self._calls.fits(result) else ABSENT


def begin(cache: SmartCache, method: str, argument: object) -> Coroutine[Any, Any, Any]:
    """Begin a call of a cache, in a thread if it might block the event loop; return a coroutine that awaits its result.

    Args:
        cache: The cache.
        method: The name of its method.
        argument: The method's argument.
    """
    import asyncio

    call = getattr(cache, method)
    is_in_loop = asyncio._get_running_loop() is not None  # noqa: SLF001 - the public one raises an error
    begun = cache.beside(call, argument) if is_in_loop and cache.may_block else call(argument)

    async def result() -> Any:
        return await begun if isinstance(begun, asyncio.Future) else begun

    return result()


def call(cache: SmartCache, method: str, argument: object) -> Any:
    """Call a method of a cache."""
    return getattr(cache, method)(argument)


def finder(cache: SmartCache | AsyncSmartCache | None) -> Callable[[], SmartCache]:
    """Return what finds the cache of a function: this one, or the default cache of the process at the time.

    Raises:
        TypeError: It is not a cache.
    """
    if cache is not None:
        inner = cache if isinstance(cache, SmartCache) else getattr(cache, "cache", None)
        if not isinstance(inner, SmartCache):
            raise TypeError(f"cache is {cache!r}: give a SmartCache or an AsyncSmartCache")
        return lambda: inner
    from jarvisperf.cache import default as shared

    return lambda: shared.get_smart_cache()  # noqa: PLW0108 - looked up at each call, so that a test can replace it


def check_is_cacheable(function: object, decorator: str) -> None:
    """Check what is decorated.

    Raises:
        TypeError: It is not a function, or is a generator.
    """
    if isinstance(function, classmethod | staticmethod):
        kind = type(function).__name__
        raise TypeError(f"@{decorator} got a {kind}: put @{decorator} below @{kind}")
    if not (callable(function) and hasattr(function, "__qualname__")) or isinstance(function, type):
        raise TypeError(f"@{decorator} got {function!r}: give a function, method or coroutine function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"@{decorator} got the generator {function.__qualname__}: it can be read only once")
