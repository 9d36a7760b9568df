"""``@cached``: keeps the results of a function in a cache."""

from __future__ import annotations

import inspect
import math
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from jarvisperf.cache.functions.cached_function import AwaitableCacheInfo, CacheInfo
from jarvisperf.cache.functions.calls import ABSENT, ATTEMPTS, CallRun, Calls, begin, call, check_is_cacheable, finder
from jarvisperf.cache.functions.parentheses import needs_parentheses
from jarvisperf.cache.functions.storage_options import StorageOptions
from jarvisperf.cache.keys.calls import KeyMaker
from jarvisperf.cache.keys.names import checked_key
from jarvisperf.cache.keys.pattern import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import timedelta

    from jarvisperf.cache.async_smart import AsyncSmartCache
    from jarvisperf.cache.engine.flights.steps import Steps
    from jarvisperf.cache.engine.loads.batches import Batch
    from jarvisperf.cache.engine.loads.lifetime import Ttl
    from jarvisperf.cache.functions.cached_function import CachedDecorator
    from jarvisperf.cache.smart import SmartCache


@needs_parentheses
def cached(  # noqa: PLR0913 - a decorator's options; all but the first few are passed by name
    ttl: Ttl | None = None,
    key_prefix: str = "",
    key: Callable[..., str] | None = None,
    tags: Iterable[str] | Callable[..., Iterable[str]] | None = None,
    ignore: Collection[str] = (),
    cache: SmartCache | AsyncSmartCache | None = None,
    stale_ttl: float | timedelta = 0,
    refresh_ahead: bool = False,
    *,
    jitter: float = 0,
    cache_if: Callable[[Any], object] | None = None,
    cache_errors: Mapping[type[Exception], float | timedelta] | None = None,
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
    while Redis is in use. None is cached like any other result; exceptions are not, unless ``cache_errors`` names them.
    The first caller gets the object that the function returned; later callers get copies.

    Results come back equal and of the same types. Instances of the classes that the return annotation and the fields of
    those classes name can be cached: dataclasses, attrs classes, pydantic models, msgspec Structs, NamedTuples and
    Enums; see ``register_codec`` for others. A cached result whose class has other fields now is computed again. A
    result that cannot be cached is returned all the same; ``cache.get_stats()["unstorable"]`` counts it, and the reason
    is logged once.

    Methods are cached per instance, within its process and lifetime, and therefore only in memory. If the class has a
    ``__cache_key__`` method or is a frozen dataclass or an Enum, equal instances share results instead. Put ``@cached``
    below ``@classmethod`` or ``@staticmethod``.

    Args:
        ttl: Time to live of a result, as for ``SmartCache.set``, or a function of the result that returns it (passed by
            name).
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
        jitter: The share of its time to live by which a result may expire earlier, drawn for each result, so that
            results stored together do not expire together. From 0 to 1.
        cache_if: A function of the result; if it returns something false, the result is not stored. If a stale result
            was to be replaced, it remains, and the next attempt waits as after a failure.
        cache_errors: Exception classes that are cached like results, and their times to live: ``{LookupError: 30}``.
            Their subclasses are, too. Each caller gets an exception of its own, without its cause and traceback. One
            that cannot be rebuilt from its arguments and attributes is not stored, and the reason is logged once. The
            function's keys differ from those without this argument.
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
    if not isinstance(key_prefix, str):
        raise TypeError(f"key_prefix is {key_prefix!r}: give a str")
    if key is not None and not callable(key):
        raise TypeError(f"key is {key!r}: give a function of the call's arguments that returns a str")
    storage = StorageOptions.checked(
        ttl, tags, jitter, cache_if, cache_errors, stale_ttl, refresh_ahead, soft_seconds, hard_seconds
    )

    def decorate(function: Callable[..., Any]) -> Any:
        check_is_cacheable(function, "cached")
        keys = KeyMaker(
            function, key_prefix, ignore, version, depends_on, keeps_errors=bool(storage.errors.kinds), key=key
        )
        calls = _SingleCalls(function, keys, storage, finder(cache), key)
        is_coroutine = inspect.iscoroutinefunction(function)
        wrapper, refresh = (_wrap_coroutine if is_coroutine else _wrap_function)(calls)
        decorated: Any = wraps(function)(wrapper)
        run = begin if is_coroutine else call
        decorated.cache_key = calls.key_of_call
        decorated.invalidate = lambda *args, **kwargs: run(
            calls.find_cache(), "delete", calls.key_of_call(*args, **kwargs)
        )
        decorated.invalidate_all = lambda: run(calls.find_cache(), "invalidate", literal(keys.group()) + "*")
        decorated.refresh = refresh
        decorated.cache_info = lambda: (AwaitableCacheInfo if is_coroutine else CacheInfo)._make(calls.info())
        return decorated

    return cast("CachedDecorator", decorate)


class _SingleCalls(Calls):
    """The calls of a function that each have one result.

    Args:
        key: Computes the end of a key from the call's arguments; None: all arguments make the key.

    Attributes:
        key: Returns the key of a call.
        looks_ahead: Whether a result may be computed again before it expires.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        keys: KeyMaker,
        storage: StorageOptions,
        find_cache: Callable[[], SmartCache],
        key: Callable[..., str] | None,
    ) -> None:
        super().__init__(function, keys, storage, find_cache)
        self.key = keys.key if key is None else self._key_by(key, keys.own_group())
        self.looks_ahead = storage.options.refresh_ahead
        self._by_arguments = key is None

    def key_of_call(self, *args: Any, **kwargs: Any) -> str:
        """Return the key of a call that is described by its arguments, for a method including the instance or class."""
        self.keys.check_owner(args)
        return self.key(args, kwargs)

    def steps(self, cache: SmartCache, key: str, args: Any, kwargs: Any, *, in_loop: bool) -> Steps:
        """Return the steps to the result of a call."""
        options = self.storage.for_call(cache, self.keys.name, args, kwargs)
        return cache.loading(key, options, in_loop=in_loop, is_private=self._is_private(args))

    def refreshing(self, cache: SmartCache, key: str, args: Any, kwargs: Any, *, in_loop: bool) -> Batch:
        """Return the load that computes the result of a call again."""
        options = self.storage.for_call(cache, self.keys.name, args, kwargs)
        return cache.loading_many({key: options}, recompute=True, in_loop=in_loop, is_private=self._is_private(args))

    def _is_private(self, args: Any) -> bool:
        return self._by_arguments and self.keys.is_private(args)

    @staticmethod
    def _key_by(key: Callable[..., str], group: str) -> Callable[..., str]:
        def make(args: Any, kwargs: Any) -> str:
            return group + checked_key(key(*args, **kwargs))

        return make


def _wrap_function(calls: _SingleCalls) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the decorated function, and the one that refreshes its results."""
    from jarvisperf.cache.engine.loads.drivers import drive

    key_of = calls.key

    def load(cache: SmartCache, key: str, args: Any, kwargs: Any) -> Any:
        run = CallRun(calls)
        make = _run(calls, run, args, kwargs)
        for _ in range(ATTEMPTS):
            result = run.outcome(drive(calls.steps(cache, key, args, kwargs, in_loop=False), make))
            if result is not ABSENT:
                return result
            cache.delete(key)
        return run.outcome(make())

    def wrapper(*args: object, **kwargs: object) -> Any:
        key = key_of(args, kwargs)
        cache = calls.find_cache()
        calls.calls += 1
        found = ABSENT if calls.looks_ahead else cache.get_from_memory(key, ABSENT)
        if found is not ABSENT and (not calls.is_checked or calls.fits(found)):
            return found
        return load(cache, key, args, kwargs)

    def refresh(*args: object, **kwargs: object) -> Any:
        key, cache, run = calls.key_of_call(*args, **kwargs), calls.find_cache(), CallRun(calls)
        calls.calls += 1
        make = _run(calls, run, args, kwargs)
        steps = calls.refreshing(cache, key, args, kwargs, in_loop=False).steps()
        return run.outcome(drive(steps, lambda: {key: make()})[key])

    return wrapper, refresh


def _wrap_coroutine(calls: _SingleCalls) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the decorated coroutine function, and the one that refreshes its results."""
    from jarvisperf.cache.engine.loads.drivers import drive_async

    key_of = calls.key

    async def load(cache: SmartCache, key: str, args: Any, kwargs: Any) -> Any:
        run = CallRun(calls)
        make = _run_later(calls, run, args, kwargs)
        for _ in range(ATTEMPTS):
            steps = calls.steps(cache, key, args, kwargs, in_loop=True)
            result = run.outcome(await drive_async(steps, make, cache.beside))
            if result is not ABSENT:
                return result
            await cache.beside(cache.delete, key)
        return run.outcome(await make())

    async def wrapper(*args: object, **kwargs: object) -> Any:
        key = key_of(args, kwargs)
        cache = calls.find_cache()
        calls.calls += 1
        found = ABSENT if calls.looks_ahead else cache.get_from_memory(key, ABSENT)
        if found is not ABSENT and (not calls.is_checked or calls.fits(found)):
            return found
        return await load(cache, key, args, kwargs)

    async def refresh(*args: object, **kwargs: object) -> Any:
        key, cache, run = calls.key_of_call(*args, **kwargs), calls.find_cache(), CallRun(calls)
        calls.calls += 1
        make = _run_later(calls, run, args, kwargs)
        steps = calls.refreshing(cache, key, args, kwargs, in_loop=True).steps()

        async def make_one() -> Any:
            return {key: await make()}

        return run.outcome((await drive_async(steps, make_one, cache.beside))[key])

    return wrapper, refresh


def _run(calls: Calls, run: CallRun, args: Any, kwargs: Any) -> Callable[[], Any]:
    """Return the factory of a call: it returns the function's result, or what is stored of its exception."""
    function = calls.function

    def make() -> Any:
        run.begin()
        try:
            return function(*args, **kwargs)
        except calls.storage.errors.kinds as error:
            stored = run.stored(error)
            if stored is None:
                raise
            return stored

    return make


def _run_later(calls: Calls, run: CallRun, args: Any, kwargs: Any) -> Callable[[], Any]:
    """Return the same factory for a coroutine function."""
    function = calls.function

    async def make() -> Any:
        run.begin()
        try:
            return await function(*args, **kwargs)
        except calls.storage.errors.kinds as error:
            stored = run.stored(error)
            if stored is None:
                raise
            return stored

    return make
