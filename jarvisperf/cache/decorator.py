"""``@cached``: keeps the results of a function in a cache."""

from __future__ import annotations

import functools
import inspect
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from jarvisperf.cache.cached_function import AwaitableCacheInfo, CacheInfo
from jarvisperf.cache.engine.loading import LoadOptions
from jarvisperf.cache.engine.model import Life
from jarvisperf.cache.keys.calls import KeyMaker
from jarvisperf.cache.keys.names import checked_key, checked_tags
from jarvisperf.cache.keys.pattern import literal
from jarvisperf.cache.smart import SmartCache
from jarvisperf.cache.values.declared import declare_result
from jarvisperf.checks import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable

    from jarvisperf.cache.async_smart import AsyncSmartCache
    from jarvisperf.cache.cached_function import CachedDecorator
    from jarvisperf.cache.engine.loading import Steps

_ABSENT: Final = object()
_ATTEMPTS: Final = 2  # the first may find a result of another type


def cached(  # noqa: PLR0913 - a decorator's options; all but the first few are passed by name
    ttl: float | None = None,
    key_prefix: str = "",
    key: Callable[..., str] | None = None,
    tags: Iterable[str] | Callable[..., Iterable[str]] | None = None,
    ignore: Collection[str] = (),
    cache: SmartCache | AsyncSmartCache | None = None,
    stale_ttl: float = 0,
    refresh_ahead: bool = False,
    *,
    soft_seconds: float = 0,
    hard_seconds: float = math.inf,
    version: str | int | None = None,
    depends_on: Iterable[Callable[..., Any]] = (),
) -> CachedDecorator:
    """Cache the results of a function, method or coroutine function.

    The function and its arguments identify a result, in this process and in others that share the cache: the module and
    the project or distribution it belongs to, the qualified name, the version, and, for local functions and lambdas,
    their code and what they closed over when they were decorated. A local function that closed over something mutable
    has results of its own, in this process only.

    Concurrent calls for the same result share one run of the function: always within this process, and across processes
    while Redis is in use. None is cached like any other result; exceptions are not. The first caller gets the object
    that the function returned; later callers get copies.

    Results come back equal and of the same types. Instances of the classes that the return annotation and the fields of
    those classes name can be cached: dataclasses, attrs classes, pydantic models, msgspec Structs, NamedTuples and
    Enums; see ``register_codec`` for others. A cached result whose class has other fields now is computed again. A
    result that cannot be cached is returned all the same; ``cache.get_stats()["unstorable"]`` counts it, and the reason
    is logged once.

    Methods are cached per instance, within its process and lifetime, and therefore only in memory. If the class has a
    ``__cache_key__`` method or is a frozen dataclass or an Enum, equal instances share results instead. Put ``@cached``
    below ``@classmethod`` or ``@staticmethod``.

    Args:
        ttl: Time to live of a result in seconds, as for ``SmartCache.set``.
        key_prefix: Prepended to the function's name in its keys, so that ``cache.invalidate("embeddings:*")`` matches
            them all.
        key: Computes the part of the key that distinguishes calls, from the call's arguments; None uses all arguments.
        tags: Tags of the results, or a function that computes them from the call's arguments; see
            ``SmartCache.invalidate_tag``.
        ignore: Names of arguments to leave out of the key.
        cache: The cache to use; None looks up the process's default cache at each call.
        stale_ttl: Seconds after its expiry during which an old result may be served. See ``SmartCache.get_or_set`` for
            this and the next three.
        refresh_ahead: Allow recomputing a result in the background before it expires.
        soft_seconds: How long a caller waits for a new result before it gets the stale one.
        hard_seconds: How long a caller waits when there is no stale result; after that it gets a TimeoutError.
        version: A version of the results: change it, and earlier results are no longer found. "source" uses the
            function's source, and that of ``depends_on``.
        depends_on: Other functions whose source belongs to the version "source".

    Raises:
        TypeError: The decorated object is not a function, or is a generator (which can be read only once); or, at a
            call, an argument has no stable encoding.
        ValueError: A number is out of range, or the function is a lambda and there is no prefix.
    """
    given: object = ttl
    if callable(given) or isinstance(given, classmethod):
        raise TypeError("@cached needs parentheses: write @cached()")
    if not isinstance(key_prefix, str):
        raise TypeError(f"key_prefix is {key_prefix!r}: give a str")
    if key is not None and not callable(key):
        raise TypeError(f"key is {key!r}: give a function of the call's arguments that returns a str")
    if not callable(tags):
        tags = checked_tags(tags or ())
    terms = _Terms(ttl, tags, stale_ttl, refresh_ahead, soft_seconds, hard_seconds)
    terms.check()

    def decorate(function: Callable[..., Any]) -> Any:
        _check_is_cacheable(function)
        calls = _Calls(
            function, KeyMaker(function, key_prefix, ignore, version, depends_on), key, terms, _finder(cache)
        )
        is_coroutine = inspect.iscoroutinefunction(function)
        wrapper: Any = functools.wraps(function)((_wrap_coroutine if is_coroutine else _wrap_function)(calls))
        run = _begin if is_coroutine else _call
        wrapper.cache_key = calls.key_of_call
        wrapper.invalidate = lambda *args, **kwargs: run(
            calls.find_cache(), "delete", calls.key_of_call(*args, **kwargs)
        )
        wrapper.invalidate_all = lambda: run(calls.find_cache(), "invalidate", literal(calls.group) + "*")
        wrapper.cache_info = lambda: (AwaitableCacheInfo if is_coroutine else CacheInfo)._make(calls.info())
        return wrapper

    return cast("CachedDecorator", decorate)


class _Terms(NamedTuple):
    """Options for storing results; see ``cached``."""

    ttl: float | None
    tags: tuple[str, ...] | Callable[..., Iterable[str]]
    stale_ttl: float
    refresh_ahead: bool
    soft_seconds: float
    hard_seconds: float

    def check(self) -> None:
        if self.ttl is not None:
            seconds("ttl", self.ttl)
        LoadOptions.checked(Life(0.0), self.stale_ttl, self.refresh_ahead, self.soft_seconds, self.hard_seconds)


class _Calls:
    """The calls of one function.

    Attributes:
        function: The function.
        group: The prefix of all its keys.
        calls: Calls of the decorated function.
        runs: Runs of the function itself.
        find_cache: Returns the cache. It changes at the first call, so look it up at each.
        types: The types that a result may have; None if any type will do.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        keys: KeyMaker,
        key: Callable[..., str] | None,
        terms: _Terms,
        find_cache: Callable[[], SmartCache],
    ) -> None:
        self.function = function
        self._find_cache = find_cache
        self.find_cache = self._declare_and_find_cache
        self.types: tuple[type, ...] | None = None
        self.group = keys.group()
        self.key = keys.key if key is None else self._key_by(key, keys.own_group())
        self._by_arguments = key is None
        self.looks_ahead = terms.refresh_ahead
        self.calls = self.runs = 0
        self.name = keys.name
        self._keys = keys
        self._terms = terms

    def _declare_and_find_cache(self) -> SmartCache:
        """Declare the classes of the results, and return the cache; from then on, ``find_cache`` only does the latter.

        It is deferred to the first call, because the annotation may name something defined below the function.
        """
        self.types = declare_result(self.function)
        self.find_cache = self._find_cache
        return self._find_cache()

    def fits(self, result: object) -> bool:
        """Return whether a result is of the annotated type; another version of the program may have stored it."""
        return self.types is None or isinstance(result, self.types)

    def key_of_call(self, *args: Any, **kwargs: Any) -> str:
        """Return the key of a call that is described by its arguments, for a method including the instance or class."""
        self._keys.check_owner(args)
        return self.key(args, kwargs)

    def info(self) -> tuple[int, int]:
        return max(0, self.calls - self.runs), self.runs

    def steps(self, cache: SmartCache, key: str, args: Any, kwargs: Any, *, in_loop: bool) -> Steps:
        terms = self._terms
        tags = terms.tags(*args, **kwargs) if callable(terms.tags) else terms.tags
        return cache.loading(
            key, terms.ttl, tags, stale_ttl=terms.stale_ttl, refresh_ahead=terms.refresh_ahead,
            soft_seconds=terms.soft_seconds, hard_seconds=terms.hard_seconds, in_loop=in_loop,
            source=self.name, is_private=self._by_arguments and self._keys.is_private(args),
        )  # fmt: skip

    @staticmethod
    def _key_by(key: Callable[..., str], group: str) -> Callable[..., str]:
        def make(args: Any, kwargs: Any) -> str:
            return group + checked_key(key(*args, **kwargs))

        return make


def _wrap_function(calls: _Calls) -> Callable[..., Any]:
    from jarvisperf.cache.engine.drivers import drive

    function, key_of = calls.function, calls.key

    def load(cache: SmartCache, key: str, args: Any, kwargs: Any) -> Any:
        made = False

        def make() -> Any:
            nonlocal made
            calls.runs += 1
            made = True
            return function(*args, **kwargs)

        for _ in range(_ATTEMPTS):
            result = drive(calls.steps(cache, key, args, kwargs, in_loop=False), make)
            if made or calls.fits(result):
                return result
            cache.delete(key)
        return make()

    def wrapper(*args: object, **kwargs: object) -> Any:
        key = key_of(args, kwargs)
        cache = calls.find_cache()
        calls.calls += 1
        found = _ABSENT if calls.looks_ahead else cache.get_from_memory(key, _ABSENT)
        if found is not _ABSENT and (calls.types is None or calls.fits(found)):
            return found
        return load(cache, key, args, kwargs)

    return wrapper


def _wrap_coroutine(calls: _Calls) -> Callable[..., Any]:
    from jarvisperf.cache.engine.drivers import drive_async

    function, key_of = calls.function, calls.key

    async def load(cache: SmartCache, key: str, args: Any, kwargs: Any) -> Any:
        made = False

        async def make() -> Any:
            nonlocal made
            calls.runs += 1
            made = True
            return await function(*args, **kwargs)

        for _ in range(_ATTEMPTS):
            steps = calls.steps(cache, key, args, kwargs, in_loop=True)
            result = await drive_async(steps, make, cache.beside)
            if made or calls.fits(result):
                return result
            await cache.beside(cache.delete, key)
        return await make()

    async def wrapper(*args: object, **kwargs: object) -> Any:
        key = key_of(args, kwargs)
        cache = calls.find_cache()
        calls.calls += 1
        found = _ABSENT if calls.looks_ahead else cache.get_from_memory(key, _ABSENT)
        if found is not _ABSENT and (calls.types is None or calls.fits(found)):
            return found
        return await load(cache, key, args, kwargs)

    return wrapper


def _call(cache: SmartCache, method: str, key: str) -> Any:
    return getattr(cache, method)(key)


def _begin(cache: SmartCache, method: str, key: str) -> Coroutine[Any, Any, Any]:
    """Begin a call, in a thread if it might block the event loop, and return a coroutine that waits for its result."""
    import asyncio

    call = getattr(cache, method)
    is_in_loop = asyncio._get_running_loop() is not None  # noqa: SLF001 - the public one raises an error
    begun = cache.beside(call, key) if is_in_loop and cache.may_block else call(key)

    async def result() -> Any:
        return await begun if isinstance(begun, asyncio.Future) else begun

    return result()


def _finder(cache: SmartCache | AsyncSmartCache | None) -> Callable[[], SmartCache]:
    if cache is not None:
        inner = cache if isinstance(cache, SmartCache) else getattr(cache, "cache", None)
        if not isinstance(inner, SmartCache):
            raise TypeError(f"cache is {cache!r}: give a SmartCache or an AsyncSmartCache")
        return lambda: inner
    from jarvisperf.cache import default as shared

    return lambda: shared.get_smart_cache()  # noqa: PLW0108 - looked up at each call, so that a test can replace it


def _check_is_cacheable(function: object) -> None:
    if isinstance(function, classmethod | staticmethod):
        raise TypeError(f"@cached got a {type(function).__name__}: put @cached below @{type(function).__name__}")
    if not (callable(function) and hasattr(function, "__qualname__")) or isinstance(function, type):
        raise TypeError(f"@cached got {function!r}: give a function, method or coroutine function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"@cached got the generator {function.__qualname__}: it can be read only once")
