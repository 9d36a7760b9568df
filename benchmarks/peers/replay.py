"""Requests like a service's: many callers, Zipf's law, a slow source. Which cache loads least and is fastest?

The peers support only coroutines; this cache is also replayed with 64 threads. Each gets the same requests
and an empty Redis, which counts the GETs.

A peer may take many minutes. ``python -m benchmarks.peers.replay CONTENDER… --outcomes FILE`` replays some contenders
and keeps what came out; ``bench_cache_peers --outcomes FILE`` takes that over instead of replaying them again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import redis
from aiocache import RedisCache, cached_stampede
from aiocache.serializers import JsonSerializer
from cashews import Cache as Cashews

from benchmarks.peers.rows import Row
from benchmarks.peers.servers import redis_server
from jarvisperf.cache import SmartCache, cached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

KEYS = 100_000
THREADS = 64
COROUTINES = 1000
LOAD_SECONDS = 0.005
POOL = 2 * COROUTINES
"""Connections that the peers may open: with fewer, redis-py raises where all coroutines ask at once."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one replay."""

    seconds: float
    loads: int
    redis_gets: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.loads:,} loads, {self.redis_gets:,} GETs"


def requests(count: int) -> list[str]:
    """Make requests by Zipf's law, with an exponent of 1, over ``KEYS`` keys."""
    weights = 1 / np.arange(1, KEYS + 1)
    chosen = np.random.default_rng(7).choice(KEYS, size=count, p=weights / weights.sum())
    return [f"item {number}" for number in chosen]


class Source:
    """The slow source; counts its loads."""

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
    client.flushdb()  # of a server that this run has started
    client.config_resetstat()
    started = time.perf_counter()
    replay()
    seconds = time.perf_counter() - started
    commands = client.info("commandstats")
    # Redis also counts those inside scripts.
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


OURS: Final = {"threads": f"{THREADS} threads", "coroutines": f"{COROUTINES:,} coroutines"}
PEERS: Final = {"cashews": "cashews (lock=True)", "aiocache": "aiocache (cached_stampede)"}
_REPLAYS: Final[dict[str, Callable[[int, list[str]], Outcome]]] = {
    "threads": ours_by_threads,
    "coroutines": ours_by_coroutines,
    "cashews": cashews_by_coroutines,
    "aiocache": aiocache_by_coroutines,
}


def replay(port: int, count: int, contenders: Iterable[str] = tuple(_REPLAYS)) -> dict[str, Outcome]:
    """Replay on contenders, one after the other, and return the outcomes by name."""
    keys = requests(count)
    return {name: _REPLAYS[name](port, keys) for name in contenders}


def stored(file: Path, count: int) -> dict[str, Outcome]:
    """Read the outcomes of this number of requests from a file; empty if it does not exist."""
    by_count = json.loads(file.read_text()) if file.exists() else {}
    return {name: Outcome(**fields) for name, fields in by_count.get(str(count), {}).items()}


def store(file: Path, count: int, outcomes: dict[str, Outcome]) -> None:
    """Add outcomes to a file."""
    by_count = json.loads(file.read_text()) if file.exists() else {}
    by_count.setdefault(str(count), {}).update({name: asdict(outcome) for name, outcome in outcomes.items()})
    file.write_text(json.dumps(by_count, indent=1))


def replay_rows(port: int, count: int, outcomes: dict[str, Outcome]) -> Iterator[Row]:
    """Compare all contenders, after a replay on those without an outcome."""
    outcomes = outcomes | replay(port, count, [name for name in _REPLAYS if name not in outcomes])
    for our_name, how in OURS.items():
        for peer_name, peer in PEERS.items():
            mine, theirs = outcomes[our_name], outcomes[peer_name]
            worst = max(
                mine.seconds / theirs.seconds,
                mine.loads / max(1, theirs.loads),
                mine.redis_gets / max(1, theirs.redis_gets),
            )
            operation = f"replay of {count:,} requests, {how} (worst of time, loads, GETs)"
            yield Row(operation, str(mine), f"{peer}, {COROUTINES:,} coroutines", str(theirs), worst, at_most=1.0)


def main() -> int:
    """Replay the named contenders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contenders", nargs="+", choices=tuple(_REPLAYS))
    parser.add_argument("--outcomes", type=Path, required=True, help="keep what came out there")
    parser.add_argument("--requests", type=int, default=200_000)
    words = parser.parse_args()
    for name in words.contenders:
        with redis_server() as port:
            outcomes = replay(port, words.requests, [name])
        store(words.outcomes, words.requests, outcomes)
        print(f"{name}: {outcomes[name]}", flush=True)  # noqa: T201 - it is the result
    return 0


if __name__ == "__main__":
    sys.exit(main())
