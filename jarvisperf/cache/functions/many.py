"""``@cached_many``: keeps the results of a function that returns several at once, each under a key of its own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, cast

from jarvisperf.cache.functions.cached_function import AwaitableCacheInfo, CacheInfo
from jarvisperf.cache.functions.calls import ABSENT, ATTEMPTS, Calls, begin, call, check_is_cacheable, finder
from jarvisperf.cache.functions.parentheses import needs_parentheses
from jarvisperf.cache.functions.storage_options import StorageOptions
from jarvisperf.cache.keys.calls import KeyMaker
from jarvisperf.cache.keys.pattern import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from jarvisperf.cache.async_smart import AsyncSmartCache
    from jarvisperf.cache.engine.loads.batches import Batch
    from jarvisperf.cache.engine.loads.lifetime import Ttl
    from jarvisperf.cache.functions.cached_many_function import CachedManyDecorator
    from jarvisperf.cache.smart import SmartCache

_TAKES_IDS = frozenset({inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD})


@needs_parentheses
def cached_many(
    ttl: Ttl | None = None,
    key_prefix: str = "",
    tags: Iterable[str] | Callable[..., Iterable[str]] | None = None,
    ignore: Collection[str] = (),
    cache: SmartCache | AsyncSmartCache | None = None,
    *,
    jitter: float = 0,
    cache_if: Callable[[Any], object] | None = None,
    version: str | int | None = None,
    depends_on: Iterable[Callable[..., Any]] = (),
) -> CachedManyDecorator:
    """Cache the results of a function, method or coroutine function that takes several ids, each id separately.

    The function takes a list of ids and returns a mapping of ids and results: ``def users(ids: list[int]) -> dict[int,
    User]``. A call takes any iterable of ids as its first argument and returns a dict, in the order of the ids. The
    function is called once, with the ids that are not cached. All ids together take one round trip to Redis for each
    step (reading, and for the missing ones the lease and the result), and one transaction on disk.

    An id that the function leaves out of its result is left out of the dict and not cached; to cache that there is
    nothing, return None for it. Other arguments belong to the key of each id, as with ``cached``, and so does the
    instance of a method. Concurrent calls share the computation of an id.

    Args:
        ttl: Time to live of a result, or a function of one result, as for ``cached``.
        key_prefix: As for ``cached``; so are ``cache``, ``jitter``, ``version`` and ``depends_on``.
        tags: Tags of the results, or a function that computes them from the call's arguments with one id in the place
            of the ids.
        ignore: Names of arguments to leave out of the keys; not that of the ids.
        cache: The cache to use; None looks up the process's default cache at each call.
        jitter: The share of its time to live by which a result may expire earlier.
        cache_if: A function of one result; if it returns something false, this result is not stored.
        version: A version of the results.
        depends_on: Other functions whose source belongs to the version "source".

    Raises:
        TypeError: The decorated object is not a function or takes no ids; or, at a call, an id has no stable encoding,
            or the function does not return a mapping.
        ValueError: A number is out of range, or ``ignore`` contains the ids.
    """
    if not isinstance(key_prefix, str):
        raise TypeError(f"key_prefix is {key_prefix!r}: give a str")
    storage = StorageOptions.checked(ttl, tags, jitter, cache_if)

    def decorate(function: Callable[..., Any]) -> Any:
        check_is_cacheable(function, "cached_many")
        calls = _ManyCalls(
            function, KeyMaker(function, key_prefix, ignore, version, depends_on), storage, finder(cache), of_many=True
        )
        if calls.name_of_ids in ignore:
            raise ValueError(f"ignore contains {calls.name_of_ids!r}, which tells the results apart: leave it out")
        is_coroutine = inspect.iscoroutinefunction(function)
        wrap = _wrap_coroutine if is_coroutine else _wrap_function
        run = begin if is_coroutine else call
        decorated: Any = wraps(function)(wrap(calls, recompute=False))
        decorated.refresh = wrap(calls, recompute=True)
        decorated.cache_key = calls.key_of_id
        decorated.invalidate = lambda *args, **kwargs: run(
            calls.find_cache(), "delete_many", list(_ManyCall(calls, args, kwargs, is_bound=False).ids)
        )
        decorated.invalidate_all = lambda: run(calls.find_cache(), "invalidate", literal(calls.keys.group()) + "*")
        decorated.cache_info = lambda: (AwaitableCacheInfo if is_coroutine else CacheInfo)._make(calls.info())
        return decorated

    return cast("CachedManyDecorator", decorate)


class _ManyCalls(Calls):
    """The calls of a function that takes several ids.

    Attributes:
        owners: The number of arguments before the ids: 1 for a method, whose first argument is the instance or class.
        name_of_ids: The name of the argument that takes the ids.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        parameters = list(inspect.signature(self.function).parameters.values())
        self.owners = int(bool(parameters) and parameters[0].name in {"self", "cls"})
        of_ids = parameters[self.owners : self.owners + 1]
        if not of_ids or of_ids[0].kind not in _TAKES_IDS:
            raise TypeError(f"@cached_many got {self.keys.name}, which takes no list of ids as its first argument")
        self.name_of_ids = of_ids[0].name

    def key_of_id(self, *args: Any, **kwargs: Any) -> str:
        """Return the key of one id, which is passed in the place of the ids."""
        self.keys.check_owner(args)
        return self.keys.key(args, kwargs)


class _ManyCall:
    """One call for several ids.

    Args:
        calls: The calls of the function.
        args: The positional arguments.
        kwargs: The other arguments.
        is_bound: Whether Python passed the instance or class of a method, so that it need not be checked.

    Attributes:
        ids: The ids by key.
        found: The results by key.
        unfit: The keys whose stored results did not fit.
        cache: The cache.

    Raises:
        TypeError: The ids are missing, a single str, or not hashable.
    """

    def __init__(self, calls: _ManyCalls, args: Sequence[Any], kwargs: Mapping[str, Any], *, is_bound: bool) -> None:
        if not is_bound:
            calls.keys.check_owner(args)
        count = calls.owners
        if len(args) <= count:
            raise TypeError(f"{calls.keys.name} needs ids: pass them as the first argument")
        given = args[count]
        if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
            raise TypeError(f"ids is {given!r}: give several ids, such as [{given!r}]")
        self._calls = calls
        self._owner, self._rest, self._kwargs = tuple(args[:count]), tuple(args[count + 1 :]), kwargs
        try:
            ids = dict.fromkeys(given)
        except TypeError as error:
            raise TypeError(f"ids is {given!r}: give ids that can be keys of a dict ({error})") from None
        self.ids = {calls.keys.key(self._with(id_), kwargs): id_ for id_ in ids}
        self.found: dict[str, Any] = {}
        self.unfit: list[str] = []
        self.cache: SmartCache
        self._made: set[str] = set()

    @classmethod
    def begun(cls, calls: _ManyCalls, args: Sequence[Any], kwargs: Mapping[str, Any], *, recompute: bool) -> _ManyCall:
        """Count a call, and take what memory has, unless everything is to be computed."""
        one = cls(calls, args, kwargs, is_bound=not recompute)
        one.cache = calls.find_cache()
        calls.calls += len(one.ids)
        if not recompute:
            one._look_in_memory()
        return one

    def _look_in_memory(self) -> None:
        calls = self._calls
        for key in self.ids:
            value = self.cache.get_from_memory(key, ABSENT)
            if value is not ABSENT and (not calls.is_checked or calls.fits(value)):
                self.found[key] = value

    def batches(self, *, recompute: bool, in_loop: bool) -> Iterator[Batch]:
        """Yield the load of the results that have not been found, and another one if what was stored did not fit."""
        if len(self.found) == len(self.ids):
            return
        calls, cache = self._calls, self.cache
        for _ in range(ATTEMPTS):
            options = {
                key: calls.storage.for_call(cache, calls.keys.name, self._with(id_), self._kwargs)
                for key, id_ in self.ids.items()
                if key not in self.found
            }
            is_private = calls.keys.is_private(self._owner)
            yield cache.loading_many(options, recompute=recompute, in_loop=in_loop, is_private=is_private)
            if not self.unfit:
                return

    def begin(self, keys: Sequence[str]) -> Any:
        """Call the function for the ids of these keys; a coroutine function returns a coroutine."""
        self._calls.runs += len(keys)
        self._made.update(keys)
        return self._calls.function(*self._with([self.ids[key] for key in keys]), **self._kwargs)

    def values(self, keys: Sequence[str], results: object) -> dict[str, Any]:
        """Return what the function returned by key.

        Raises:
            TypeError: It is not a mapping.
        """
        if not isinstance(results, Mapping):
            raise TypeError(f"{self._calls.keys.name} returned {results!r}: return a mapping of ids and results")
        return {key: results[id_] for key in keys if (id_ := self.ids[key]) in results}

    def take(self, loaded: Mapping[str, Any]) -> None:
        """Take the results that fit, and note the keys of the others."""
        self.unfit = []
        for key, value in loaded.items():
            if key in self._made or self._calls.fits(value):
                self.found[key] = value
            else:
                self.unfit.append(key)

    def results(self) -> dict[Any, Any]:
        """Return the results by id, in the order of the ids."""
        return {id_: self.found[key] for key, id_ in self.ids.items() if key in self.found}

    def _with(self, ids: Any) -> tuple[Any, ...]:
        return *self._owner, ids, *self._rest


def _wrap_function(calls: _ManyCalls, *, recompute: bool) -> Callable[..., Any]:
    from jarvisperf.cache.engine.loads.drivers import drive

    def wrapper(*args: object, **kwargs: object) -> dict[Any, Any]:
        one = _ManyCall.begun(calls, args, kwargs, recompute=recompute)
        for batch in one.batches(recompute=recompute, in_loop=False):
            one.take(drive(batch.steps(), partial(compute, one, batch)))
            if one.unfit:
                one.cache.delete_many(one.unfit)
        if one.unfit:
            one.take(one.values(one.unfit, one.begin(one.unfit)))
        return one.results()

    def compute(one: _ManyCall, batch: Batch) -> dict[str, Any]:
        keys = batch.wanted
        return one.values(keys, one.begin(keys))

    return wrapper


def _wrap_coroutine(calls: _ManyCalls, *, recompute: bool) -> Callable[..., Any]:
    from jarvisperf.cache.engine.loads.drivers import drive_async

    async def wrapper(*args: object, **kwargs: object) -> dict[Any, Any]:
        one = _ManyCall.begun(calls, args, kwargs, recompute=recompute)
        for batch in one.batches(recompute=recompute, in_loop=True):
            one.take(await drive_async(batch.steps(), partial(compute, one, batch), one.cache.beside))
            if one.unfit:
                await one.cache.beside(one.cache.delete_many, one.unfit)
        if one.unfit:
            one.take(one.values(one.unfit, await one.begin(one.unfit)))
        return one.results()

    async def compute(one: _ManyCall, batch: Batch) -> dict[str, Any]:
        keys = batch.wanted
        return one.values(keys, await one.begin(keys))

    return wrapper
