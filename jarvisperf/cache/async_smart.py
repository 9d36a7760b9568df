"""The cache for coroutines: the same cache, with calls that may wait made in threads.

There is one body of every method, the one of ``SmartCache``. A hit in memory is answered in the event loop itself and
costs no hop. Whatever may ask Redis or the disk runs in a thread, about 0.1 ms there and back: in exchange a call that
is cancelled never leaves half a reply on a connection (redis-py issues 2624 and 2665), the disk (SQLite) does not stop
the loop, and there is nothing that sync and async could do differently.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from jarvisperf.cache.engine.model import Found
from jarvisperf.cache.smart import FACTORY, SmartCache
from jarvisperf.checks import function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from jarvisperf.cache.engine.stats import CacheStats

_ABSENT = object()


class AsyncSmartCache:
    """The methods of ``SmartCache``, as coroutines; see there for what they do, take and raise.

    Args:
        args: Of ``SmartCache``.
        cache: One that is there already, to be shared with threads; None: one is made of the other arguments.
        options: Of ``SmartCache``.
    """

    def __init__(self, *args: Any, cache: SmartCache | None = None, **options: Any) -> None:
        self.cache = SmartCache(*args, **options) if cache is None else cache
        """The cache itself; ``@cached`` takes either."""

    async def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a key."""
        found = self.cache.get_from_memory(key, _ABSENT)
        return await self.cache.beside(self.cache.get, key, default) if found is _ABSENT else found

    async def lookup(self, key: str) -> Found | None:
        """Return the value of a key with the tier that had it; None: a miss."""
        value = self.cache.get_from_memory(key, _ABSENT)
        return await self.cache.beside(self.cache.lookup, key) if value is _ABSENT else Found(value, "memory")

    async def set(self, key: str, value: object, ttl: float | None = None, tags: Iterable[str] = ()) -> bool:
        """Keep a value in every tier."""
        return await self.cache.beside(self.cache.set, key, value, ttl, tags)

    async def delete(self, key: str) -> bool:
        """Remove a key from every tier."""
        return await self.cache.beside(self.cache.delete, key)

    async def contains(self, key: str) -> bool:
        """Whether a tier has the key: what ``in`` is to the other face, where an operator cannot be awaited."""
        return await self.cache.beside(self.cache.__contains__, key)

    async def touch(self, key: str, ttl: float | None = None) -> bool:
        """Give a key a new time to live."""
        return await self.cache.beside(self.cache.touch, key, ttl)

    async def ttl(self, key: str) -> float | None:
        """Give the seconds that a key has left."""
        return await self.cache.beside(self.cache.ttl, key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Give the values of those keys that are there."""
        return await self.cache.beside(self.cache.get_many, keys)

    async def set_many(self, values: Mapping[str, object], ttl: float | None = None, tags: Iterable[str] = ()) -> bool:
        """Keep several values in every tier."""
        return await self.cache.beside(self.cache.set_many, values, ttl, tags)

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove keys from every tier."""
        return await self.cache.beside(self.cache.delete_many, keys)

    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale_ttl: float = 0,
        refresh_ahead: bool = False,
        soft_seconds: float = 0,
        hard_seconds: float = math.inf,
    ) -> Any:
        """Give the value of a key, or call (and await) the factory for it and keep what it returns."""
        from jarvisperf.cache.engine.drivers import drive_async

        function("factory", factory, FACTORY)
        steps = self.cache.loading(
            key, ttl, tags, stale_ttl=stale_ttl, refresh_ahead=refresh_ahead, soft_seconds=soft_seconds,
            hard_seconds=hard_seconds, in_background=True,
        )  # fmt: skip

        async def make() -> Any:
            made = factory()
            return await made if inspect.isawaitable(made) else made

        return await drive_async(steps, make, self.cache.beside)

    async def keys(self, pattern: str = "*") -> list[str]:
        """Give the keys that match, of all tiers, in order."""
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
        """Count what happened since the cache was made or ``reset_stats``."""
        return await self.cache.beside(self.cache.get_stats)

    async def reset_stats(self) -> None:
        """Begin to count anew."""
        self.cache.reset_stats()

    async def close(self) -> None:
        """Give back connections, files and memory."""
        await self.cache.beside(self.cache.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
