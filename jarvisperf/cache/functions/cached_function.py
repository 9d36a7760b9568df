"""What ``@cached`` makes of a function, method or coroutine function, as type checkers see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from typing import Self

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
_Rest = ParamSpec("_Rest")
_Owner = TypeVar("_Owner")


class CacheInfo(NamedTuple):
    """Hits and misses of a decorated function in this process."""

    hits: int
    """Calls that did not run the function."""
    misses: int
    """Runs of the function, including those in the background."""


class AwaitableCacheInfo(CacheInfo):
    """The same for a coroutine function. It can be used at once, or awaited like the results of the other methods."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()  # there is nothing to wait for
        return self


# --- functions


class _Managed(Protocol[P, R_co]):
    """The methods that manage cached results. For a decorated method, their first argument is the instance or class."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of a call."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function again and replace the cached result of this call; return the new one.

        It never waits for a computation that began earlier. If the function fails, the cached result remains; if the
        new result is not stored, the cached one is removed.
        """

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove the result of a call from the cache; return whether it existed."""

    def invalidate_all(self) -> int:
        """Remove the results of all calls; return how many there were."""

    def cache_info(self) -> CacheInfo:
        """Return the hits and misses in this process."""


class BoundCachedFunction(_Managed[P, R_co], Protocol[_Rest, P, R_co]):
    """A decorated method of an instance or class, as looked up there: a call does not pass it again."""

    def __call__(self, *args: _Rest.args, **kwargs: _Rest.kwargs) -> R_co:
        """Return the cached result, or call the method and store what it returns."""


class CachedFunction(_Managed[P, R_co], Protocol[P, R_co]):
    """A function decorated with ``@cached``: called as before, with methods to manage its cached results.

    The methods of a decorated method take the instance as their first argument: ``Service.embed.invalidate(service,
    text)``.
    """

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The function itself."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the cached result, or call the function and store what it returns."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[_Owner, _Rest], R_co], instance: _Owner, owner: type[_Owner] | None = None, /
    ) -> BoundCachedFunction[_Rest, Concatenate[_Owner, _Rest], R_co]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Self: ...  # a static method


class CachedClassFunction(_Managed[P, R_co], Protocol[_Rest, P, R_co]):
    """A decorated function whose first argument is a class, such as a class method."""

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The function itself."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the cached result, or call the function and store what it returns."""

    def __get__(self, instance: object, owner: type | None = None, /) -> BoundCachedFunction[_Rest, P, R_co]:
        """Bind the function to a class."""


# --- coroutine functions


class _ManagedByCoroutines(Protocol[P, R_co]):
    """The same methods for coroutine functions. Those that may wait for Redis or the disk are awaited.

    ``invalidate`` and ``invalidate_all`` begin when they are called and end when they have been awaited.
    """

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of a call."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Call the function again and replace the cached result of this call; return the new one. See ``_Managed``."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, bool]:
        """Remove the result of a call from the cache; return whether it existed."""

    def invalidate_all(self) -> Coroutine[Any, Any, int]:
        """Remove the results of all calls; return how many there were."""

    def cache_info(self) -> AwaitableCacheInfo:
        """Return the hits and misses in this process."""


class BoundCachedCoroutineFunction(_ManagedByCoroutines[P, R_co], Protocol[_Rest, P, R_co]):
    """A decorated coroutine method of an instance or class, as looked up there."""

    def __call__(self, *args: _Rest.args, **kwargs: _Rest.kwargs) -> Coroutine[Any, Any, R_co]:
        """Return the cached result, or call the method and store what it returns."""


class CachedCoroutineFunction(_ManagedByCoroutines[P, R_co], Protocol[P, R_co]):
    """A coroutine function decorated with ``@cached``; see ``CachedFunction``."""

    @property
    def __wrapped__(self) -> Callable[P, Coroutine[Any, Any, R_co]]:
        """The function itself."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Return the cached result, or call the function and store what it returns."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self: CachedCoroutineFunction[Concatenate[_Owner, _Rest], R_co],
        instance: _Owner,
        owner: type[_Owner] | None = None,
        /,
    ) -> BoundCachedCoroutineFunction[_Rest, Concatenate[_Owner, _Rest], R_co]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Self: ...  # a static method


class CachedClassCoroutineFunction(_ManagedByCoroutines[P, R_co], Protocol[_Rest, P, R_co]):
    """A decorated coroutine function whose first argument is a class, such as a class method."""

    @property
    def __wrapped__(self) -> Callable[P, Coroutine[Any, Any, R_co]]:
        """The function itself."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Return the cached result, or call the function and store what it returns."""

    def __get__(self, instance: object, owner: type | None = None, /) -> BoundCachedCoroutineFunction[_Rest, P, R_co]:
        """Bind the function to a class."""


# --- the decorator


class CachedDecorator(Protocol):
    """What ``cached(...)`` returns: decorates functions, methods and coroutine functions.

    A coroutine function is also a function that returns an object, hence the order.
    """

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[type[_Owner], _Rest], Coroutine[Any, Any, R_co]], /
    ) -> CachedClassCoroutineFunction[_Rest, Concatenate[type[_Owner], _Rest], R_co]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R_co]], /
    ) -> CachedCoroutineFunction[P, R_co]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[type[_Owner], _Rest], R_co], /
    ) -> CachedClassFunction[_Rest, Concatenate[type[_Owner], _Rest], R_co]: ...
    @overload
    def __call__(self, function: Callable[P, R_co], /) -> CachedFunction[P, R_co]: ...
