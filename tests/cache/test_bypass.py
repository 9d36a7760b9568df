"""Tests calls past the cache: for some code, for one result (``refresh``), and for a whole process."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache import AsyncSmartCache, SmartCache, cached, cached_many, caching_disabled
from jarvisperf.cache.testing import core_of, forget_memory
from jarvisperf.settings import is_caching_enabled


@pytest.fixture(params=["memory", "redis", "disk"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    url = request.getfixturevalue("real_redis").url if request.param == "redis" else None
    return make_cache(url, tmp_path / "disk" if request.param == "disk" else None)


@pytest.fixture
def count(cache):
    """A cached function that returns how often it has run."""
    runs = []

    @cached(cache=cache)
    def count(name="x"):
        runs.append(name)
        return len(runs)

    return count


def pausing_in_run(number, cache):
    """Return a cached function that returns how often it has run, and the events around its pause in one run."""
    begun, may_end = threading.Event(), threading.Event()
    runs = []

    @cached(cache=cache)
    def get():
        runs.append(1)
        if len(runs) == number:
            begun.set()
            assert may_end.wait(SOON_SECONDS)
        return len(runs)

    return get, begun, may_end


# --- bypassed


def test_inside_every_call_runs_the_function_and_stores_nothing(cache, count):
    assert count() == 1
    with cache.bypassed():
        assert [count(), count(), count("other")] == [2, 3, 4]
        assert cache.get_or_set(count.cache_key(), lambda: "made") == "made"
    assert count() == 1
    assert count("other") == 5


def test_reads_miss_and_writes_remove_the_older_value(cache):
    cache.set_many({"a": 1, "b": 2, "c": 3, "d": 4})
    with cache.bypassed():
        assert (cache.get("a"), cache.lookup("a"), "a" in cache, cache.ttl("a")) == (None, None, False, None)
        assert cache.get_many(["a", "b"]) == {}
        assert cache.set("a", 10) is False
        assert cache.set_many({"b": 20}) is False
        assert cache.touch("c") is False
        assert cache.delete("d") is True
        with pytest.raises(TypeError, match="object of type object"):
            cache.set("c", object())
    assert cache.get_many(["a", "b", "c", "d"]) == {"c": 3}


def test_it_ends_when_an_error_leaves_the_block(cache, count):
    assert count() == 1
    with pytest.raises(ValueError, match="x"), cache.bypassed():
        raise ValueError("x")
    assert count() == 1


def test_bypasses_may_be_nested(cache, count):
    assert count() == 1
    with cache.bypassed():
        with cache.bypassed():
            assert count() == 2
        assert count() == 3
    assert count() == 1


def test_other_threads_and_other_caches_are_not_concerned(cache, count, make_cache):
    other = make_cache(namespace="other")
    other.set("k", 1)
    assert count() == 1
    found = []
    with cache.bypassed():
        thread = threading.Thread(target=lambda: found.append((count(), cache.get(count.cache_key()))))
        thread.start()
        thread.join()
        assert other.get("k") == 1
    assert found == [(1, 1)]


def test_other_threads_still_store_and_count_their_hits(cache):
    with cache.bypassed():
        thread = threading.Thread(target=lambda: (cache.set("k", 1), cache.get("k"), cache.get("absent")))
        thread.start()
        thread.join()
    stats = cache.get_stats()
    assert (stats["hits"], stats["misses"], stats["sets"]) == (1, 1, 1)
    assert cache.get("k") == 1


def test_tasks_that_a_task_starts_inside_are_concerned_and_its_siblings_are_not(cache):
    runs = []

    @cached(cache=cache)
    async def count():
        runs.append(1)
        return len(runs)

    face = AsyncSmartCache(cache=cache)

    async def bypassing(entered, may_leave):
        with face.bypassed():
            entered.set()
            await may_leave.wait()
            return await asyncio.create_task(count()), await face.get(count.cache_key())

    async def main():
        first = await count()
        entered, may_leave = asyncio.Event(), asyncio.Event()
        inside = asyncio.create_task(bypassing(entered, may_leave))
        await entered.wait()
        outside = await count(), await face.get(count.cache_key())
        may_leave.set()
        return first, outside, await inside

    assert asyncio.run(main()) == (1, (1, 1), (2, None))


def test_cached_many_asks_for_all_ids(cache):
    calls = []

    @cached_many(cache=cache)
    def get(ids):
        calls.append(list(ids))
        return {one: len(calls) for one in ids}

    get([1, 2])
    with cache.bypassed():
        assert get([1, 3]) == {1: 2, 3: 2}
    assert get([1, 2, 3]) == {1: 1, 2: 1, 3: 3}
    assert calls == [[1, 2], [1, 3], [3]]


def test_a_refresh_inside_removes_what_is_outdated(cache, count):
    assert count() == 1
    with cache.bypassed():
        assert count.refresh() == 2
    assert count() == 3


def test_inside_a_call_does_not_join_a_computation(cache):
    get, begun, may_end = pausing_in_run(1, cache)
    thread = threading.Thread(target=get)
    thread.start()
    assert begun.wait(SOON_SECONDS)
    with cache.bypassed():
        assert get() == 2
    may_end.set()
    thread.join()


def test_instances_without_identity_are_bypassed_too(cache):
    class Service:
        def __init__(self):
            self.runs = 0

        @cached(cache=cache)
        def count(self):
            self.runs += 1
            return self.runs

    service = Service()
    assert service.count() == 1
    with cache.bypassed():
        assert service.count() == 2
    assert service.count() == 1


def test_a_closed_cache_stays_closed(cache):
    cache.close()
    with cache.bypassed(), pytest.raises(RuntimeError, match="this cache is closed"):
        cache.get("k")


# --- refresh


@pytest.mark.parametrize("is_async", [False, True])
def test_a_refresh_computes_and_replaces_the_result(cache, is_async):
    runs = []

    def find(name, size=1):
        runs.append(name)
        return [name, len(runs)]

    async def find_later(name, size=1):
        return find(name, size)

    get = cached(cache=cache)(find_later if is_async else find)
    run = asyncio.run if is_async else (lambda result: result)
    assert run(get("a")) == ["a", 1]
    refreshed = run(get.refresh("a", size=1))
    assert refreshed == ["a", 2]
    refreshed.append("spoilt")
    if cache.may_block:
        forget_memory(cache)
    assert run(get("a")) == ["a", 2]
    assert get.cache_info() == (1, 2)


def test_during_a_refresh_others_get_the_cached_result(cache):
    get, begun, may_end = pausing_in_run(2, cache)
    assert get() == 1
    thread = threading.Thread(target=get.refresh)
    thread.start()
    assert begun.wait(SOON_SECONDS)
    assert get() == 1
    may_end.set()
    thread.join()
    assert get() == 2


def test_a_refresh_that_fails_leaves_the_cached_result(cache):
    outcomes = iter(["first", ValueError("down")])

    @cached(cache=cache)
    def get():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert get() == "first"
    with pytest.raises(ValueError, match="down"):
        get.refresh()
    assert get() == "first"
    assert not core_of(cache).flights.by_name


def test_a_refresh_whose_result_is_not_stored_removes_the_cached_one(cache):
    results = iter(["found", None, "found again"])

    @cached(cache=cache, cache_if=lambda result: result is not None)
    def get():
        return next(results)

    assert [get(), get.refresh(), get()] == ["found", None, "found again"]


def test_a_refresh_does_not_join_an_older_computation_whose_result_is_dropped(cache):
    begun, may_end = threading.Event(), threading.Event()
    version = [1]

    @cached(cache=cache)
    def get():
        found = version[0]
        if found == 1:
            begun.set()
            assert may_end.wait(SOON_SECONDS)
        return found

    old: list[int] = []
    thread = threading.Thread(target=lambda: old.append(get()))
    thread.start()
    assert begun.wait(SOON_SECONDS)
    version[0] = 2
    assert get.refresh() == 2
    may_end.set()
    thread.join()
    assert old == [1]
    assert get() == 2
    if cache.may_block:
        forget_memory(cache)
    assert get() == 2


def test_a_refresh_joins_no_call_that_begins_a_moment_before_it(make_cache, monkeypatch):
    """Such a call may find the old result below memory instead of computing a new one."""
    cache = make_cache()
    begun, may_end = threading.Event(), threading.Event()

    @cached(cache=cache)
    def name_of_thread():
        if threading.current_thread().name == "slow":
            begun.set()
            assert may_end.wait(SOON_SECONDS)
        return threading.current_thread().name

    slow = threading.Thread(target=name_of_thread, name="slow")
    loading_many = cache.loading_many

    def begin_another_call(*args, **options):
        batch = loading_many(*args, **options)
        slow.start()
        assert begun.wait(SOON_SECONDS)
        return batch

    monkeypatch.setattr(cache, "loading_many", begin_another_call)
    assert name_of_thread.refresh() == threading.current_thread().name
    may_end.set()
    slow.join()
    assert name_of_thread() == threading.current_thread().name


def test_of_two_refreshes_at_once_the_later_one_stays(cache):
    begun, may_end = threading.Event(), threading.Event()

    @cached(cache=cache)
    def name_of_thread():
        if threading.current_thread().name == "slow":
            begun.set()
            assert may_end.wait(SOON_SECONDS)
        return threading.current_thread().name

    slow = threading.Thread(target=name_of_thread.refresh, name="slow")
    slow.start()
    assert begun.wait(SOON_SECONDS)
    ours = name_of_thread.refresh()
    may_end.set()
    slow.join()
    assert name_of_thread() == ours == threading.current_thread().name
    assert name_of_thread.cache_info().misses == 2


class Source:
    """What ``load_version`` reads; a module's function, so that two caches know it by the same key."""

    def __init__(self):
        self.version = 1
        self.begun, self.may_end = threading.Event(), threading.Event()


source = Source()


def load_version():
    found = source.version
    if threading.current_thread().name == "slow":
        source.begun.set()
        assert source.may_end.wait(SOON_SECONDS)
    return found


@pytest.mark.parametrize("has_value", [False, True])
def test_a_refresh_drops_what_another_process_began_to_compute_earlier(make_cache, real_redis, monkeypatch, has_value):
    """The other one holds the lease of a missing value, or that of a value to replace."""
    monkeypatch.setattr(sys.modules[__name__], "source", Source())
    cache, other = make_cache(real_redis.url), make_cache(real_redis.url)
    ours, theirs = cached(cache=cache)(load_version), cached(cache=other)(load_version)
    assert ours.cache_key() == theirs.cache_key()
    if has_value:
        assert ours() == 1
    slow = threading.Thread(target=theirs.refresh if has_value else theirs, name="slow")
    slow.start()
    assert source.begun.wait(SOON_SECONDS)
    source.version = 2
    assert ours.refresh() == 2
    source.may_end.set()
    slow.join()
    for each in (cache, other):
        forget_memory(each)
    assert (ours(), theirs()) == (2, 2)


@pytest.mark.parametrize("by", ["this cache", "another cache"])
@pytest.mark.parametrize("how", ["delete", "tag", "pattern"])
def test_an_invalidation_during_a_refresh_voids_it(make_cache, real_redis, how, by):
    cache = make_cache(real_redis.url)
    other = cache if by == "this cache" else make_cache(real_redis.url)
    version, during = [1], []

    @cached(cache=cache, key_prefix="v", tags=["t"])
    def get():
        found = version[0]
        if during:
            during.pop()()
        return found

    change = {
        "delete": lambda: other.delete(get.cache_key()),
        "tag": lambda: other.invalidate_tag("t"),
        "pattern": lambda: other.invalidate("v:*"),
    }[how]
    assert get() == 1

    def happen():
        version[0] = 2
        change()

    during.append(happen)
    assert get.refresh() == 1
    wait_until(lambda: get() == 2)
    forget_memory(cache)
    assert get() == 2


def test_a_refresh_keeps_time_to_live_and_tags(make_cache, clock):
    cache = make_cache(clock=clock)

    @cached(cache=cache, ttl=10, tags=["t"], stale_ttl=100)
    def get():
        return 1

    get()
    clock.advance(8)
    get.refresh()
    assert cache.ttl(get.cache_key()) == 10
    assert cache.invalidate_tag("t") == 1


def test_a_method_is_refreshed_with_its_instance(cache):
    class Service:
        def __init__(self):
            self.runs = 0

        @cached(cache=cache)
        def count(self):
            self.runs += 1
            return self.runs

    service = Service()
    assert [service.count(), Service.count.refresh(service), service.count()] == [1, 2, 2]


# --- a whole process


def test_nothing_is_cached_while_caching_is_disabled(cache, count):
    assert count() == 1
    with caching_disabled():
        assert [count(), count()] == [2, 3]
        assert cache.set("k", 1) is False
        assert cache.get("k") is None
        with SmartCache(None, None) as made_inside:
            made_inside.set("k", 1)
            assert made_inside.get("k") is None
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(count()))
        thread.start()
        thread.join()
        assert found == [4]
    assert count() == 1


def test_a_cache_made_while_caching_is_disabled_works_afterwards():
    with caching_disabled(), caching_disabled():
        cache = SmartCache(None, None)
    cache.set("k", 1)
    assert cache.get("k") == 1
    cache.close()


def test_the_environment_variable_disables_the_caches_of_a_process(monkeypatch):
    monkeypatch.setenv("JARVISPERF_CACHING", "off")
    with SmartCache(None, None) as cache:

        @cached(cache=cache)
        def count(runs=[]):  # noqa: B006
            runs.append(1)
            return len(runs)

        assert cache.set("k", 1) is False
        assert cache.get("k") is None
        assert count([]) == 1
        with cache.bypassed():
            pass
        assert cache.get("k") is None


def test_the_default_cache_obeys_the_variable(tmp_path):
    program = (
        "from jarvisperf.cache import cached, get_smart_cache\n"
        "f = cached(key_prefix='x')(lambda: print('runs'))\n"
        "f(), f(), print(get_smart_cache().get_stats()['sets'])"
    )
    environ = {**os.environ, "JARVISPERF_CACHING": "off", "JARVISPERF_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["runs", "runs", "0"]


@pytest.mark.parametrize(("text", "is_on"), [("on", True), ("off", False), ("", True)])
def test_the_variable_is_on_or_off(text, is_on):
    assert is_caching_enabled({"JARVISPERF_CACHING": text}) is is_on
    assert is_caching_enabled({}) is True


def test_another_value_of_the_variable_is_an_error():
    with pytest.raises(ValueError, match="JARVISPERF_CACHING is 'no': give on or off"):
        is_caching_enabled({"JARVISPERF_CACHING": "no"})


def test_a_forgotten_cache_is_not_kept_alive():
    cache = SmartCache(None, None)
    alive = weakref.ref(cache)
    with cache.bypassed():
        pass
    cache.close()
    del cache
    gc.collect()
    assert alive() is None
