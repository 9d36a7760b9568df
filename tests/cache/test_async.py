"""Tests the cache for coroutines: the same behaviour, and a memory hit never leaves the event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading

import pytest
from patience import PATIENT
from waiting import SOON_SECONDS

from jarvisperf.cache import AsyncSmartCache, Found, SmartCache, cached
from jarvisperf.cache.testing import store_of


@pytest.fixture(params=["memory", "three"])
def make(request, namespace, tmp_path):
    def made() -> AsyncSmartCache:
        if request.param == "memory":
            return AsyncSmartCache(None, None, namespace=namespace)
        url = request.getfixturevalue("real_redis").url
        return AsyncSmartCache(url, tmp_path / "d", namespace=namespace, **PATIENT)

    return made


def test_it_has_every_method_of_the_other_face():
    def methods(kind: type) -> set[str]:
        return {name for name, member in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}

    of_threads = {"get_from_memory", "beside", "life", "loading", "loading_many"}  # what its own calls are made of
    assert methods(SmartCache) - of_threads == methods(AsyncSmartCache) - {"contains"}
    awaited = methods(AsyncSmartCache) - {"bypassed"}  # ``with cache.bypassed()`` waits for nothing
    assert all(inspect.iscoroutinefunction(getattr(AsyncSmartCache, name)) for name in awaited)


@pytest.mark.parametrize(
    "name", ["get", "lookup", "set", "touch", "ttl", "get_many", "set_many", "get_or_set", "invalidate_tag"]
)
def test_its_methods_take_the_same_arguments(name):
    def names(kind: type) -> list[str]:
        return list(inspect.signature(getattr(kind, name)).parameters)

    assert names(AsyncSmartCache) == names(SmartCache)


def test_it_does_what_the_other_does(make):
    async def main() -> None:
        async with make() as cache:
            assert await cache.get("k", "none") == "none"
            assert await cache.set("k", [1], ttl=50, tags=["t"])
            assert await cache.get("k") == [1]
            assert await cache.lookup("k") == Found([1], "memory")
            assert await cache.lookup("absent") is None
            assert await cache.contains("k")
            assert 49 < await cache.ttl("k") <= 50
            assert await cache.touch("k", 500)
            assert await cache.ttl("k") > 400
            assert await cache.set_many({"a": 1, "b": 2})
            assert await cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
            assert await cache.keys() == ["a", "b", "k"]
            assert await cache.delete("a")
            assert await cache.delete_many(["a", "b"]) == 1
            assert await cache.invalidate_tag("t") == 1
            assert await cache.get_or_set("m", lambda: 5) == 5
            assert await cache.invalidate("m*") == 1
            await cache.clear()
            assert (await cache.get_stats())["sets"] == 4
            await cache.reset_stats()
            assert (await cache.get_stats())["sets"] == 0
        with pytest.raises(RuntimeError, match="closed"):
            await cache.get("k")

    asyncio.run(main())


def test_a_hit_in_memory_stays_in_the_event_loop(make, monkeypatch):
    async def main() -> None:
        async with make() as cache:
            await cache.set("k", [1])
            monkeypatch.setattr(cache.cache, "beside", None)
            assert await cache.get("k") == [1]
            monkeypatch.undo()

    asyncio.run(main())


def test_what_waits_for_the_disk_does_not_stop_the_loop(namespace, tmp_path, monkeypatch):
    async def main() -> None:
        async with AsyncSmartCache(None, tmp_path / "d", namespace=namespace) as cache:
            released = threading.Event()
            monkeypatch.setattr(store_of(cache.cache, "disk"), "get", lambda key: released.wait(SOON_SECONDS) and None)
            waiting = asyncio.create_task(cache.get("k"))
            await asyncio.sleep(0.02)
            released.set()
            assert await waiting is None

    asyncio.run(main())


def test_a_thousand_coroutines_may_ask_at_once(make):
    async def main() -> None:
        async with make() as cache:
            await asyncio.gather(*(cache.set(f"k{number % 50}", number % 50) for number in range(1000)))
            found = await asyncio.gather(*(cache.get(f"k{number % 50}") for number in range(1000)))
            assert found == [number % 50 for number in range(1000)]

    asyncio.run(main())


def test_the_methods_of_a_cached_coroutine_function_do_not_stop_the_loop(namespace, tmp_path, monkeypatch):
    cache = SmartCache(None, tmp_path / "d", namespace=namespace)
    may_end = threading.Event()

    @cached(cache=cache)
    async def double(number: int) -> int:
        return 2 * number

    async def main() -> None:
        assert await double(1) == 2
        store = store_of(cache, "disk")
        delete = store.delete_many
        monkeypatch.setattr(store, "delete_many", lambda keys: may_end.wait(SOON_SECONDS) and delete(keys))
        invalidating = asyncio.create_task(double.invalidate(1))
        await asyncio.sleep(0)  # the event loop goes on while a thread waits for the disk
        may_end.set()
        assert await invalidating is True
        assert await double.invalidate(1) is False
        assert await double(2) == 4
        assert await double.invalidate_all() == 1
        assert double.cache_info() == await double.cache_info() == (0, 2)

    asyncio.run(main())
    cache.close()


def test_the_methods_of_a_cached_coroutine_function_work_where_no_loop_runs(namespace):
    cache = SmartCache(None, None, namespace=namespace)

    @cached(cache=cache)
    async def double(number: int) -> int:
        return 2 * number

    assert asyncio.run(double(1)) == 2
    assert asyncio.run(double.invalidate(1)) is True
    assert asyncio.run(double.invalidate_all()) == 0
    cache.close()
