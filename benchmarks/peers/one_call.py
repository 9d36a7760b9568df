"""Single operations, each compared with the barest or the best-known way to do the same."""

from __future__ import annotations

import asyncio
import datetime
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any

import cachebox
import cachetools
import diskcache
import lru
import msgspec
import numpy as np
import redis
import theine
from aiocache import SimpleMemoryCache
from aiocache import cached as aiocached
from cashews import Cache as Cashews
from dogpile.cache import make_region

from benchmarks.bench_cache import VALUE as WORDS
from benchmarks.peers.alternating import Timing, alternate, repeat
from benchmarks.peers.rows import Row, compare, outrun, show
from jarvisperf.cache import SmartCache, cached
from jarvisperf.cache.memory.compiled import compiled_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEYS = 1000
SMALL_DICT = {"id": 17, "name": "Ada Lovelace", "email": "ada@example.org", "active": True, "score": 0.75}
NESTED_DICT = {"id": 17, "name": "Ada Lovelace", "tags": ["a", "b"], "address": {"city": "London", "zip": "W1"}}
HOT_THREADS = 16


def memory_rows() -> Iterator[Row]:
    """Compare hits in memory."""
    cache = SmartCache(None, None)
    peer: Any = cachetools.TTLCache(10_000, 3600)
    rust: Any = cachebox.TTLCache(10_000, 3600)
    lru_only: Any = lru.LRU(10_000)
    tiny_lfu: Any = theine.Cache(10_000)
    bare: dict[str, Any] = {}
    for number in range(KEYS):
        for store in (bare, peer, rust, lru_only):
            store[f"key:{number}"] = "value"
        tiny_lfu.set(f"key:{number}", "value", datetime.timedelta(hours=1))
        cache.set(f"key:{number}", "value")
    timings = alternate(
        {
            "ours": repeat(cache.get, "key:7"),
            "rust": repeat(rust.get, "key:7"),
            "lru": repeat(lru_only.get, "key:7"),
            "theine": repeat(tiny_lfu.get, "key:7"),
        }
    )
    operation = "`get`, hit in memory, str"
    at_most = 1.7 if compiled_reader() is None else 1.0
    yield compare(operation, timings["ours"], "`cachebox.TTLCache.get` (Rust)", timings["rust"], at_most=at_most)
    yield compare(operation, timings["ours"], "`lru.LRU.get` (C, no expiry)", timings["lru"], at_most=4)
    yield outrun(operation, timings["ours"], "`theine.Cache.get`", timings["theine"], at_least=2)
    for kind, value in (("str", "value"), ("bytes", b"value"), ("number", 17.5)):
        cache.set("key:7", value)
        peer["key:7"] = bare["key:7"] = value
        timings = alternate(
            {
                "ours": repeat(cache.get, "key:7"),
                "ttl": repeat(peer.get, "key:7"),
                "dict": repeat(bare.get, "key:7"),
            }
        )
        ours = timings["ours"]
        operation = f"`get`, hit in memory, {kind}"
        yield compare(operation, ours, "`cachetools.TTLCache.get`", timings["ttl"], at_most=0.25)
        yield compare(operation, ours, "bare `dict.get`", timings["dict"], at_most=4)
    for name, small in (("a flat dict", SMALL_DICT), ("a nested dict", NESTED_DICT)):
        cache.set("dict", small)
        decode, payload = msgspec.msgpack.Decoder().decode, msgspec.msgpack.encode(small)
        timings = alternate({"ours": repeat(cache.get, "dict"), "decode": repeat(decode, payload)})
        yield compare(
            f"`get`, hit in memory, {name}", timings["ours"], "msgspec's bare decode", timings["decode"], at_most=1.5
        )
    cache.close()


def decorator_rows(folder: Path) -> Iterator[Row]:
    """Compare hits of ``@cached`` functions of one str argument."""
    cache = SmartCache(None, None)
    region = make_region().configure("dogpile.cache.memory")
    disk = diskcache.Cache(str(folder / "memoize"))

    def work(text: str) -> str:
        return text.upper()

    ours = cached(ttl=600, cache=cache)(work)
    region_work = region.cache_on_arguments()(work)
    disk_work = disk.memoize()(work)
    functions: dict[str, Callable[[str], object]] = {"ours": ours, "dogpile": region_work, "diskcache": disk_work}
    for function in functions.values():
        function("text")
    timings = alternate({name: repeat(function, "text") for name, function in functions.items()})
    operation = "`@cached` hit, one str argument"
    yield outrun(operation, timings["ours"], "dogpile.cache (memory)", timings["dogpile"], at_least=5)
    yield outrun(operation, timings["ours"], "diskcache.memoize", timings["diskcache"], at_least=5)

    async def work_later(text: str) -> str:
        return text.upper()

    cashews = Cashews()
    cashews.setup("mem://")
    coroutines = {
        "ours": cached(ttl=600, cache=cache)(work_later),
        "cashews": cashews(ttl="10m")(work_later),
        "aiocache": aiocached(ttl=600, cache=SimpleMemoryCache)(work_later),
    }
    with asyncio.Runner() as runner:
        loops = {name: _awaiting(runner, function, "text") for name, function in coroutines.items()}
        timings = alternate(loops)
    operation = "`@cached` hit of a coroutine function"
    yield outrun(operation, timings["ours"], "cashews (mem)", timings["cashews"], at_least=5)
    yield outrun(operation, timings["ours"], "aiocache (memory)", timings["aiocache"], at_least=5)
    disk.close()
    cache.close()


def _awaiting(runner: asyncio.Runner, function: Callable[..., Any], argument: str) -> Callable[[int], float]:
    async def loop(times: int) -> float:
        started = time.perf_counter()
        for _ in range(times):
            await function(argument)
        return time.perf_counter() - started

    return lambda times: runner.run(loop(times))


def redis_rows(port: int) -> Iterator[Row]:
    """Compare hits in Redis, without the memory tier."""
    url = f"redis://127.0.0.1:{port}"
    cache = SmartCache(url, None, namespace="bench", memory_items=0)
    client: Any = redis.Redis.from_url(url)
    cache.set("text", "value " * 10)
    (name,) = client.keys("bench:text")
    timings = alternate({"ours": repeat(cache.get, "text"), "bare": repeat(client.get, name)})
    yield compare("hit in Redis", timings["ours"], "redis-py's bare `get`", timings["bare"], at_most=1.15)

    keys = [f"many:{number}" for number in range(100)]
    cache.set_many(dict.fromkeys(keys, "value " * 10))
    names = [f"bench:{key}" for key in keys]
    timings = alternate({"ours": repeat(cache.get_many, keys), "bare": repeat(client.mget, names)})
    assert len(cache.get_many(keys)) == 100
    yield compare("`get_many` of 100 in Redis", timings["ours"], "bare MGET", timings["bare"], at_most=1.3)

    array = np.random.default_rng(1).random(2**18, dtype=np.float32)
    cache.set("array", array)
    assert np.array_equal(cache.get("array"), array)
    timings = alternate(
        {"ours": repeat(cache.get, "array"), "bare": repeat(client.get, "bench:array")}, turn_seconds=0.004
    )
    yield compare("hit in Redis, 1 MB of float32", timings["ours"], "bare `get`", timings["bare"], at_most=1.3)

    timings = alternate(
        {
            "ours": repeat(cache.set, "words", WORDS),
            "bare": repeat(lambda: client.set("words", pickle.dumps(WORDS), ex=3600)),
        }
    )
    yield outrun(
        "`set` of a dict of 318 words in Redis", timings["ours"], "pickled `set`", timings["bare"], at_least=0.9
    )
    cache.close()
    client.close()


def disk_rows(port: int, folder: Path) -> Iterator[Row]:
    """Compare the disk tier, and writes to all tiers."""
    cache = SmartCache(None, folder / "ours", memory_items=0)
    peer = diskcache.Cache(str(folder / "peer"))
    for name, value, at_most in (("60 bytes", "value " * 10, 1.2), ("100 kB", b"v" * 100_000, 1.1)):
        cache.set("text", value)
        with diskcache.Cache(str(folder / "ours")) as raw:
            blob = next(iter(raw._sql("SELECT value FROM Cache WHERE value IS NOT NULL").fetchall()), None)  # noqa: SLF001
        peer["text"] = blob[0] if blob else bytes(length_of_file(folder))
        timings = alternate({"ours": repeat(cache.get, "text"), "bare": repeat(peer.get, "text")})
        operation = f"hit on disk, {name}"
        yield compare(
            operation, timings["ours"], "diskcache's `get` of the same bytes", timings["bare"], at_most=at_most
        )
    timings = alternate(
        {
            "ours": repeat(cache.set, "words", WORDS),
            "bare": repeat(lambda: peer.set("words", WORDS, expire=3600)),
        }
    )
    operation = "`set` of a dict of 318 words on disk"
    yield outrun(operation, timings["ours"], "diskcache's `set`, which pickles", timings["bare"], at_least=0.9)
    cache.close()

    url = f"redis://127.0.0.1:{port}"
    cache = SmartCache(url, folder / "three", namespace="set")
    client: Any = redis.Redis.from_url(url)
    payload = b"v" * 180

    def set_both() -> None:
        client.set("bare", payload, px=3_600_000)
        peer.set("text", payload, expire=3600)

    timings = alternate(
        {
            "ours": repeat(cache.set, "dict", SMALL_DICT),
            "both": repeat(set_both),
            "redis": repeat(lambda: client.set("bare", payload, px=3_600_000)),
            "disk": repeat(lambda: peer.set("text", payload, expire=3600)),
        },
    )
    operation, ours = "`set` of a dict through three tiers", timings["ours"]
    yield compare(operation, ours, "bare Redis `set`, then diskcache `set`", timings["both"], at_most=1.15)
    bare = timings["redis"] + timings["disk"]
    yield compare(operation, ours, "the sum of the two, each in turns of its own", bare, at_most=1.15)
    cache.close()
    peer.close()
    client.close()


def length_of_file(folder: Path) -> int:
    """Return the length of the only value that is stored in a file."""
    (file,) = (folder / "ours").rglob("*.val")
    return file.stat().st_size


def thread_rows() -> Iterator[Row]:
    """Compare the throughput of 16 threads on one hot key with that of one."""
    cache = SmartCache(None, None)
    cache.set("hot", "value")
    calls = 480_000

    def hammer(times: int) -> None:
        get = cache.get
        for _ in range(times):
            get("hot")

    def throughput(threads: int) -> float:
        workers = [threading.Thread(target=hammer, args=(calls // threads,)) for _ in range(threads)]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return calls / (time.perf_counter() - started)

    rounds = [(throughput(HOT_THREADS), throughput(1)) for _ in range(9)]
    many, one = sorted(rounds, key=lambda pair: pair[0] / pair[1])[len(rounds) // 2]
    figure = many / one
    yield Row(
        "16 threads on one hot key", f"{many / 1e6:.2f} M/s", "one thread", f"{one / 1e6:.2f} M/s", figure, at_least=0.8
    )
    cache.close()


def dead_redis_rows(folder: Path) -> Iterator[Row]:
    """Compare hits while Redis is dead with those of a cache without Redis."""
    dead = "redis://127.0.0.1:1"
    for tier, items in (("memory", 1000), ("disk", 0)):
        down = SmartCache(dead, folder / f"down {tier}", memory_items=items)
        without = SmartCache(None, folder / f"without {tier}", memory_items=items)
        for cache in (down, without):
            cache.set("text", "value")
        timings = alternate({"ours": repeat(down.get, "text"), "bare": repeat(without.get, "text")})
        operation = f"while Redis is dead, hit {'in memory' if items else 'on disk'}"
        yield compare(operation, timings["ours"], "a cache without Redis", timings["bare"], at_most=1.1)
        down.close()
        without.close()


def isolation_costs() -> str:
    """Measure what isolation costs, by kind of value."""
    cache = SmartCache(None, None)
    values: dict[str, Any] = {
        "str (shared)": "value",
        "flat dict of 5 (copied)": SMALL_DICT,
        "flat list of 100 (copied)": list(range(100)),
        "nested dict (copied)": NESTED_DICT,
        "1 MB float32 array (copied)": np.zeros(2**18, np.float32),
    }
    loops: dict[str, Callable[[int], float]] = {}
    for name, value in values.items():
        cache.set(name, value)
        loops[name] = repeat(cache.get, name)
    timings: dict[str, Timing] = alternate(loops)
    cache.close()
    lines = [f"| {name} | {show(timing.seconds)} |" for name, timing in timings.items()]
    return "\n".join(["| hit in memory | time |", "| --- | --- |", *lines])
