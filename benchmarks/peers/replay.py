"""Requests as a service has them: many callers, Zipf's law, a slow source; who loads least, and is fastest.

The peers know coroutines only; this cache is replayed with 64 threads, too. Each meets the same requests and an empty
Redis, whose own count of GETs is taken.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import redis
from aiocache import RedisCache, cached_stampede
from aiocache.serializers import JsonSerializer
from cashews import Cache as Cashews

from benchmarks.peers.rows import Row
from jarvisperf.cache import SmartCache, cached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

KEYS = 100_000
THREADS = 64
COROUTINES = 1000
LOAD_SECONDS = 0.005
POOL = 2 * COROUTINES
"""Connections that the peers may open: with fewer, redis-py raises where all coroutines ask at once."""


@dataclass(frozen=True)
class Outcome:
    """What one replay took."""

    seconds: float
    loads: int
    redis_gets: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.loads:,} loads, {self.redis_gets:,} GETs"


def requests(count: int) -> list[str]:
    """Make requests after Zipf's law, with an exponent of 1, over ``KEYS`` keys."""
    weights = 1 / np.arange(1, KEYS + 1)
    chosen = np.random.default_rng(7).choice(KEYS, size=count, p=weights / weights.sum())
    return [f"item {number}" for number in chosen]


class Source:
    """What is cached: counts how often it was asked."""

    def __init__(self) -> None:
        self.loads = 0
        self._lock = threading.Lock()

    def load(self, key: str) -> dict[str, Any]:
        """Load in a thread."""
        with self._lock:
            self.loads += 1
        time.sleep(LOAD_SECONDS)
        return {"key": key, "size": len(key)}

    async def load_later(self, key: str) -> dict[str, Any]:
        """Load in a coroutine."""
        self.loads += 1
        await asyncio.sleep(LOAD_SECONDS)
        return {"key": key, "size": len(key)}


def _by_threads(function: Callable[[str], Any], keys: list[str]) -> None:
    todo = iter(keys)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                key = next(todo, None)
            if key is None:
                return
            assert function(key)["key"] == key

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


async def _by_coroutines(function: Callable[[str], Awaitable[Any]], keys: list[str]) -> None:
    todo = iter(keys)

    async def work() -> None:
        for key in todo:
            assert (await function(key))["key"] == key

    await asyncio.gather(*(work() for _ in range(COROUTINES)))


def _measured(port: int, source: Source, replay: Callable[[], None]) -> Outcome:
    client: Any = redis.Redis(port=port)
    client.flushdb()  # of a server that this run started for itself
    client.config_resetstat()
    started = time.perf_counter()
    replay()
    seconds = time.perf_counter() - started
    commands = client.info("commandstats")
    # Redis counts those inside of scripts, too.
    gets = sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("get", "mget"))
    client.close()
    return Outcome(seconds, source.loads, gets)


def ours_by_threads(port: int, keys: list[str]) -> Outcome:
    """Replay on this cache with threads."""
    source = Source()
    with SmartCache(f"redis://127.0.0.1:{port}", None, namespace="threads", memory_items=KEYS) as cache:
        function = cached(ttl=600, key_prefix="load", cache=cache, ignore=("source",))(_load)
        return _measured(port, source, lambda: _by_threads(lambda key: function(key, source), keys))


def _load(key: str, source: Source) -> dict[str, Any]:
    return source.load(key)


def ours_by_coroutines(port: int, keys: list[str]) -> Outcome:
    """Replay on this cache with coroutines."""
    source = Source()

    async def load(key: str) -> dict[str, Any]:
        return await source.load_later(key)

    with SmartCache(f"redis://127.0.0.1:{port}", None, namespace="coroutines", memory_items=KEYS) as cache:
        function = cached(ttl=600, key_prefix="load", cache=cache)(load)
        return _measured(port, source, lambda: asyncio.run(_by_coroutines(function, keys)))


def cashews_by_coroutines(port: int, keys: list[str]) -> Outcome:
    """Replay on cashews with its lock."""
    source, cache = Source(), Cashews()

    async def replay() -> None:
        cache.setup(f"redis://127.0.0.1:{port}", max_connections=POOL)

        load = cache(ttl="10m", key="{key}", lock=True)(source.load_later)
        await _by_coroutines(load, keys)
        await cache.close()

    return _measured(port, source, lambda: asyncio.run(replay()))


def aiocache_by_coroutines(port: int, keys: list[str]) -> Outcome:
    """Replay on aiocache with its protection against stampedes."""
    source = Source()

    async def replay() -> None:
        protect = cached_stampede(
            ttl=600, lease=2, cache=RedisCache, endpoint="127.0.0.1", port=port, pool_max_size=POOL,
            serializer=JsonSerializer(), key_builder=lambda _function, key: key,
        )  # fmt: skip
        await _by_coroutines(protect(source.load_later), keys)

    return _measured(port, source, lambda: asyncio.run(replay()))


def replay_rows(port: int, count: int) -> Iterator[Row]:
    """Replay on all and compare."""
    keys = requests(count)
    ours = {
        f"{THREADS} threads": ours_by_threads(port, keys),
        f"{COROUTINES:,} coroutines": ours_by_coroutines(port, keys),
    }
    peers = {
        "cashews (lock=True)": cashews_by_coroutines(port, keys),
        "aiocache (cached_stampede)": aiocache_by_coroutines(port, keys),
    }
    for how, mine in ours.items():
        for name, theirs in peers.items():
            worst = max(
                mine.seconds / theirs.seconds,
                mine.loads / max(1, theirs.loads),
                mine.redis_gets / max(1, theirs.redis_gets),
            )
            operation = f"replay of {count:,} requests, {how} (worst of time, loads, GETs)"
            yield Row(operation, str(mine), f"{name}, {COROUTINES:,} coroutines", str(theirs), worst, at_most=1.0)
