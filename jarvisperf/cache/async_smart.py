"""The cache for coroutines: a ``SmartCache`` whose calls run in threads when they may block.

``SmartCache`` implements every method. A hit in memory is answered in the event loop. Calls that may ask
Redis or the disk run in a thread, which costs about 0.1 ms. In exchange, a cancelled call never leaves half a reply on
a connection (redis-py issues 2624 and 2665), SQLite does not block the loop, and sync and async behave alike.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from jarvisperf.cache.engine.loads.lifetime import fixed, keeping
from jarvisperf.cache.engine.loads.loading import LoadOptions
from jarvisperf.cache.engine.model import Found
from jarvisperf.cache.smart import FACTORY, SmartCache, name_of
from jarvisperf.checks import function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from jarvisperf.cache.engine.loads.lifetime import Ttl
    from jarvisperf.cache.engine.stats import CacheStats

_ABSENT = object()


class AsyncSmartCache:
    """The methods of ``SmartCache`` as coroutines; see there for their arguments, results and errors.

    Args:
        args: Positional arguments of ``SmartCache``.
        cache: An existing cache to share with threads; None creates one from the other arguments.
        options: Keyword arguments of ``SmartCache``.
    """

    def __init__(self, *args: Any, cache: SmartCache | None = None, **options: Any) -> None:
        self.cache = SmartCache(*args, **options) if cache is None else cache
        """The cache itself; ``@cached`` accepts either."""

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        found = self.cache.get_from_memory(key, _ABSENT)
        return await self.cache.beside(self.cache.get, key, default) if found is _ABSENT else found

    async def lookup(self, key: str) -> Found | None:
        """Return the value of a key and the tier that had it; None on a miss."""
        value = self.cache.get_from_memory(key, _ABSENT)
        return await self.cache.beside(self.cache.lookup, key) if value is _ABSENT else Found(value, "memory")

    async def set(
        self, key: str, value: object, ttl: float | timedelta | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Store a value in every tier."""
        return await self.cache.beside(self.cache.set, key, value, ttl, tags)

    async def delete(self, key: str) -> bool:
        """Remove a key from every tier."""
        return await self.cache.beside(self.cache.delete, key)

    async def contains(self, key: str) -> bool:
        """Return whether a tier has the key; replaces ``in``, which cannot be awaited."""
        return await self.cache.beside(self.cache.__contains__, key)

    async def touch(self, key: str, ttl: float | timedelta | None = None) -> bool:
        """Give a key a new time to live."""
        return await self.cache.beside(self.cache.touch, key, ttl)

    async def ttl(self, key: str) -> float | None:
        """Return the seconds until a key expires."""
        return await self.cache.beside(self.cache.ttl, key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of the keys that exist."""
        return await self.cache.beside(self.cache.get_many, keys)

    async def set_many(
        self, values: Mapping[str, object], ttl: float | timedelta | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Store several values in every tier."""
        return await self.cache.beside(self.cache.set_many, values, ttl, tags)

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove keys from every tier."""
        return await self.cache.beside(self.cache.delete_many, keys)

    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: Ttl | None = None,
        tags: Iterable[str] = (),
        *,
        jitter: float = 0,
        cache_if: Callable[[Any], object] | None = None,
        stale_ttl: float | timedelta = 0,
        refresh_ahead: bool = False,
        soft_seconds: float = 0,
        hard_seconds: float = math.inf,
    ) -> Any:
        """Return the value of a key, or call (and await) the factory for it and store what it returns."""
        from jarvisperf.cache.engine.loads.drivers import drive_async

        function("factory", factory, FACTORY)
        options = LoadOptions.checked(
            self.cache.life(fixed(ttl), tags), stale_ttl, refresh_ahead, soft_seconds, hard_seconds, name_of(factory),
            keeping(ttl, jitter, cache_if),
        )  # fmt: skip

        async def make() -> Any:
            made = factory()
            return await made if inspect.isawaitable(made) else made

        return await drive_async(self.cache.loading(key, options, in_loop=True), make, self.cache.beside)

    async def keys(self, pattern: str = "*") -> list[str]:
        """Return the keys of all available tiers that match, sorted."""
        return await self.cache.beside(self.cache.keys, pattern)

    async def invalidate(self, pattern: str) -> int:
        """Remove the keys that match a pattern from every tier."""
        return await self.cache.beside(self.cache.invalidate, pattern)

    async def invalidate_tag(self, *tags: str) -> int:
        """Remove the keys that have one of the tags from every tier."""
        return await self.cache.beside(self.cache.invalidate_tag, *tags)

    async def clear(self) -> None:
        """Remove every key of this cache's namespace from every tier."""
        await self.cache.beside(self.cache.clear)

    async def get_stats(self) -> CacheStats:
        """Return counts since the cache was created or since ``reset_stats``."""
        return await self.cache.beside(self.cache.get_stats)

    async def reset_stats(self) -> None:
        """Reset all counts to 0."""
        self.cache.reset_stats()

    def bypassed(self) -> AbstractContextManager[None]:
        """Bypass this cache in the enclosed code, and in the tasks that copy its context."""
        return self.cache.bypassed()

    async def close(self) -> None:
        """Release connections, files and memory."""
        await self.cache.beside(self.cache.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
