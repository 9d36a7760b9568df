"""What ``@cached_many`` makes of a function, method or coroutine function, as type checkers see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from typing import Self

    from jarvisperf.cache.functions.cached_function import AwaitableCacheInfo, CacheInfo

_Id = TypeVar("_Id")
_Value = TypeVar("_Value")
_Owner = TypeVar("_Owner")
_P = ParamSpec("_P")
IdT_contra = TypeVar("IdT_contra", contravariant=True)
OwnerT_contra = TypeVar("OwnerT_contra", contravariant=True)
ResultsT_co = TypeVar("ResultsT_co", covariant=True)
CountT_co = TypeVar("CountT_co", covariant=True)
InfoT_co = TypeVar("InfoT_co", covariant=True)


class CachedManyFunction(Protocol[IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co]):
    """A function decorated with ``@cached_many``. If it is a coroutine function, what may wait is awaited."""

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself."""

    def __call__(self, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs) -> ResultsT_co:
        """Return the results of the ids, by id; call the function for those that are not cached."""

    def refresh(self, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs) -> ResultsT_co:
        """Call the function for all ids, and replace what is cached."""

    def invalidate(self, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs) -> CountT_co:
        """Remove the results of ids from the cache; return how many there were."""

    def invalidate_all(self) -> CountT_co:
        """Remove all results; return how many there were."""

    def cache_key(self, id_: IdT_contra, /, *args: _P.args, **kwargs: _P.kwargs) -> str:
        """Return the key of one id."""

    def cache_info(self) -> InfoT_co:
        """Return the hits and misses in this process, counted by id."""


class _ManyOfOwner(Protocol[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co]):
    """The same for a method: the first argument of everything that manages its results is the instance or class."""

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself."""

    def __call__(
        self, owner: OwnerT_contra, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> ResultsT_co:
        """Return the results of the ids, by id; call the method for those that are not cached."""

    def refresh(
        self, owner: OwnerT_contra, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> ResultsT_co:
        """Call the method for all ids, and replace what is cached."""

    def invalidate(
        self, owner: OwnerT_contra, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> CountT_co:
        """Remove the results of ids from the cache; return how many there were."""

    def invalidate_all(self) -> CountT_co:
        """Remove all results; return how many there were."""

    def cache_key(self, owner: OwnerT_contra, id_: IdT_contra, /, *args: _P.args, **kwargs: _P.kwargs) -> str:
        """Return the key of one id."""

    def cache_info(self) -> InfoT_co:
        """Return the hits and misses in this process, counted by id."""


class BoundCachedMany(
    _ManyOfOwner[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co],
    Protocol[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co],
):
    """A decorated method as looked up on an instance or class: a call does not pass it again."""

    def __call__(  # type: ignore[override]
        self, ids: Iterable[IdT_contra], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> ResultsT_co:
        """Return the results of the ids, by id; call the method for those that are not cached."""


class CachedManyMethod(
    _ManyOfOwner[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co],
    Protocol[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co],
):
    """A method of instances."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self, instance: object, owner: type | None = None, /
    ) -> BoundCachedMany[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co]: ...


class CachedManyClassMethod(
    _ManyOfOwner[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co],
    Protocol[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co],
):
    """A method whose first argument is a class."""

    def __get__(
        self, instance: object, owner: type | None = None, /
    ) -> BoundCachedMany[OwnerT_contra, IdT_contra, _P, ResultsT_co, CountT_co, InfoT_co]:
        """Bind the method to a class."""


class CachedManyDecorator(Protocol):
    """What ``cached_many(...)`` returns: decorates functions, methods and coroutine functions that take ids."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[list[_Id], _P], Coroutine[Any, Any, Mapping[_Id, _Value]]], /
    ) -> CachedManyFunction[
        _Id, _P, Coroutine[Any, Any, dict[_Id, _Value]], Coroutine[Any, Any, int], AwaitableCacheInfo
    ]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[list[_Id], _P], Mapping[_Id, _Value]], /
    ) -> CachedManyFunction[_Id, _P, dict[_Id, _Value], int, CacheInfo]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[type[_Owner], list[_Id], _P], Coroutine[Any, Any, Mapping[_Id, _Value]]], /
    ) -> CachedManyClassMethod[
        type[_Owner], _Id, _P, Coroutine[Any, Any, dict[_Id, _Value]], Coroutine[Any, Any, int], AwaitableCacheInfo
    ]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[type[_Owner], list[_Id], _P], Mapping[_Id, _Value]], /
    ) -> CachedManyClassMethod[type[_Owner], _Id, _P, dict[_Id, _Value], int, CacheInfo]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Owner, list[_Id], _P], Coroutine[Any, Any, Mapping[_Id, _Value]]], /
    ) -> CachedManyMethod[
        _Owner, _Id, _P, Coroutine[Any, Any, dict[_Id, _Value]], Coroutine[Any, Any, int], AwaitableCacheInfo
    ]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Owner, list[_Id], _P], Mapping[_Id, _Value]], /
    ) -> CachedManyMethod[_Owner, _Id, _P, dict[_Id, _Value], int, CacheInfo]: ...
