"""The second tier: a Redis server, spoken to with short timeouts and without the client's own retries."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from jarvisperf.cache.redis_url import check_redis_url, fault_in_client, without_password
from jarvisperf.cache.tier import CorruptEntryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.cache.names import Names
    from jarvisperf.cache.pattern import KeyPattern

_BATCH: Final = 1000
# Redis adds the time to live to its clock in 64-bit milliseconds; whoever asks for a century means never.
_CENTURY_SECONDS: Final = 100 * 365.25 * 86400
_GLOB_SPECIAL = re.compile(rb"([*?\[\]\\^-])")


class RedisStore:
    """Bytes under the names of one namespace in one Redis database.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; what the URL's query says wins over the arguments below.
        names: Of the namespace.
        connect_seconds: How long a connection may take.
        reply_seconds: How long the server may be silent.

    Raises:
        ValueError: The URL has none of the allowed forms, or an option that the client refuses.
    """

    name = "redis"
    # OSError: what the client lets through of the sockets' own errors.
    failures: tuple[type[Exception], ...] = (redis.RedisError, OSError)

    def __init__(self, url: str, names: Names, connect_seconds: float, reply_seconds: float) -> None:
        self.place = without_password(check_redis_url(url))
        self._names = names
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_connect_timeout=connect_seconds,
                socket_timeout=reply_seconds,
                retry=Retry(NoBackoff(), 0),  # the client's own retries nest, and then last for minutes
                decode_responses=False,
            )
            pool = self._client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # connects to nothing, but finds wrong options
        except (TypeError, ValueError, redis.RedisError) as error:
            raise ValueError(fault_in_client(url, error)) from None

    def open(self) -> None:
        """Find out whether the server answers, with a new connection."""
        self._client.connection_pool.disconnect(inuse_connections=False)
        self._client.ping()

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key."""
        try:
            found = self._client.get(self._names.name(key))
        except redis.ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CorruptEntryError(str(error)) from None
            raise
        return None if found is None else bytes(found)

    def put(self, key: str, blob: bytes, seconds: float) -> None:
        """Hold bytes."""
        milliseconds = math.ceil(seconds * 1000) if seconds < _CENTURY_SECONDS else None
        self._client.set(self._names.name(key), blob, px=milliseconds)

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        return bool(self._client.unlink(self._names.name(key)))

    def delete_many(self, keys: set[str]) -> None:
        """Remove keys."""
        self._unlink([self._names.name(key) for key in keys])

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match, found with SCAN; returns those."""
        if pattern.is_literal:
            return {pattern.head} if self.delete(pattern.head) else set()
        keys: set[str] = set()
        for names in self._scan(pattern.head):
            found = {key for name in names if (key := self._names.key(name)) and pattern.matches(key)}
            self.delete_many(found)
            keys |= found
        return keys

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _scan(self, head: str) -> Iterator[list[bytes]]:
        glob = _GLOB_SPECIAL.sub(rb"\\\1", self._names.name(head)) + b"*"
        cursor = 0
        while True:
            cursor, names = self._client.scan(cursor, match=glob, count=_BATCH)
            yield names
            if not int(cursor):
                return

    def _unlink(self, names: list[bytes]) -> None:
        for start in range(0, len(names), _BATCH):
            self._client.unlink(*names[start : start + _BATCH])
