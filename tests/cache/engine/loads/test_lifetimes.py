"""Tests how long computed values live: times, functions of the value, jitter, and values that are not stored."""

from __future__ import annotations

import asyncio
import math
import threading
from datetime import timedelta

import pytest
from callers import most_callers
from hypothesis import given
from hypothesis import strategies as st
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache import AsyncSmartCache, SmartCache, cached
from jarvisperf.cache.engine.loads.lifetime import keeping
from jarvisperf.cache.engine.model import Life
from jarvisperf.cache.testing import core_of, forget_memory


@pytest.fixture
def cache(make_cache, clock) -> SmartCache:
    return make_cache(clock=clock)


# --- times


def test_a_timedelta_is_a_time_to_live_wherever_there_is_one(make_cache, clock):
    cache = make_cache(clock=clock, default_ttl=timedelta(minutes=1))
    cache.set("default", 1)
    cache.set("set", 1, ttl=timedelta(minutes=2))
    cache.set_many({"many": 1}, ttl=timedelta(hours=1))
    cache.get_or_set("made", lambda: 1, ttl=timedelta(days=1))
    cache.touch("set", timedelta(seconds=30))
    ttls = {key: cache.ttl(key) for key in ("default", "set", "many", "made")}
    assert ttls == {"default": 60, "set": 30, "many": 3600, "made": 86400}


@pytest.mark.parametrize("ttl", [timedelta(seconds=-1), -1, math.nan])
def test_a_negative_time_is_a_value_error(cache, ttl):
    with pytest.raises(ValueError, match=r"ttl is .*: give 0 or more"):
        cache.set("k", 1, ttl=ttl)
    with pytest.raises(ValueError, match=r"ttl is .*: give 0 or more"):
        cached(ttl=ttl, cache=cache)


def test_the_result_decides_how_long_it_lives(cache):
    @cached(cache=cache, ttl=lambda result: result["expires_in"])
    def token(name):
        return {"name": name, "expires_in": {"a": 10, "b": timedelta(minutes=1), "c": None, "d": 0}[name]}

    for name in "abcd":
        token(name)
    assert [cache.ttl(token.cache_key(name)) for name in "abcd"] == [10, 60, 3600, None]


def test_a_coroutine_functions_result_decides_too(cache):
    @cached(cache=cache, ttl=len)
    async def text(name):
        return name * 10

    asyncio.run(text("ab"))
    assert cache.ttl(text.cache_key("ab")) == 20


def test_get_or_set_takes_a_function_of_the_value_on_both_faces(cache):
    cache.get_or_set("sync", lambda: 7, ttl=lambda value: value)
    asyncio.run(AsyncSmartCache(cache=cache).get_or_set("async", lambda: 9, ttl=lambda value: value))
    assert [cache.ttl("sync"), cache.ttl("async")] == [7, 9]


def test_what_the_function_returns_is_checked_and_leaves_nothing_behind(cache):
    ttls = iter([-1, "60", 60])

    @cached(cache=cache, ttl=lambda result: next(ttls))
    def get():
        return 1

    with pytest.raises(ValueError, match="the result of ttl is -1: give 0 or more seconds"):
        get()
    with pytest.raises(TypeError, match="the result of ttl is '60': give a number of seconds"):
        get()
    assert get() == 1
    assert cache.ttl(get.cache_key()) == 60


async def _later(result: object) -> float:
    return 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ttl": _later}, TypeError, "ttl is the coroutine function _later: give a plain function of the result"),
        ({"cache_if": _later}, TypeError, "cache_if is the coroutine function _later"),
        ({"cache_if": True}, TypeError, "cache_if is True: give a function of the result"),
        ({"jitter": 1.5}, ValueError, "jitter is 1.5: give a number from 0 to 1"),
        ({"jitter": -0.1}, ValueError, "jitter is -0.1: give a number from 0 to 1"),
        ({"jitter": "10%"}, TypeError, "jitter is '10%'"),
    ],
)
def test_what_cannot_work_is_an_error_at_once(cache, options, error, message):
    with pytest.raises(error, match=message):
        cached(cache=cache, **options)
    with pytest.raises(error, match=message):
        cache.get_or_set("k", lambda: 1, **options)


def test_a_function_of_the_result_is_passed_by_name(cache):
    with pytest.raises(TypeError, match=r"@cached needs parentheses: write @cached\(\), and give a ttl by name"):
        cached(lambda result: 60)


# --- jitter


def test_results_that_are_stored_together_do_not_expire_together(cache):
    @cached(cache=cache, ttl=100, jitter=0.2)
    def get(number):
        return number

    for number in range(200):
        get(number)
    ttls = [cache.ttl(get.cache_key(number)) for number in range(200)]
    assert all(80 < ttl <= 100 for ttl in ttls)
    assert len({round(ttl) for ttl in ttls}) > 10


@given(st.floats(0, 1), st.floats(0, 1e9) | st.just(math.inf), st.none() | st.floats(0, 1e9))
def test_jitter_only_ever_shortens_a_life_and_never_by_more_than_its_share(jitter, seconds, given_seconds):
    life_of = keeping(None if given_seconds is None else (lambda _: given_seconds), jitter, lambda _: True)
    whole = seconds if given_seconds is None else given_seconds
    life = life_of(Life(seconds, 5.0, ("t",)), "value")
    least = whole if whole == math.inf else whole * (1 - jitter)
    assert least <= life.seconds <= whole
    assert (life.stale_seconds, life.tags) == (5.0, ("t",))


# --- what is stored


@pytest.mark.parametrize("is_async", [False, True])
def test_only_results_that_pass_are_stored(cache, is_async):
    calls = []

    def find(name):
        calls.append(name)
        return None if name == "nobody" else name

    async def find_later(name):
        return find(name)

    get = cached(cache=cache, cache_if=lambda user: user is not None)(find_later if is_async else find)
    results = [asyncio.run(get(name)) if is_async else get(name) for name in ("ada", "ada", "nobody", "nobody")]
    assert results == ["ada", "ada", None, None]
    assert calls == ["ada", "nobody", "nobody"]


def test_waiting_callers_share_a_result_that_is_not_stored(cache):
    begun, may_end, runs, results = threading.Event(), threading.Event(), [], []

    @cached(cache=cache, cache_if=bool)
    def nothing():
        runs.append(1)
        begun.set()
        assert may_end.wait(SOON_SECONDS)
        return []

    threads = [threading.Thread(target=lambda: results.append(nothing())) for _ in range(3)]
    threads[0].start()
    assert begun.wait(SOON_SECONDS)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: most_callers(cache) == 3)
    may_end.set()
    for thread in threads:
        thread.join()
    assert results == [[], [], []]
    assert len(runs) == 1
    assert results[0] is not results[1]


def test_a_result_that_is_not_stored_leaves_the_stale_one_and_the_next_attempt_waits(cache, clock):
    results = iter(["good", "bad", "bad", "new"])
    runs = []

    @cached(cache=cache, ttl=10, stale_ttl=1000, cache_if=lambda result: result != "bad")
    def get():
        runs.append(next(results))
        return runs[-1]

    assert get() == "good"
    clock.advance(11)
    assert get() == "good"
    wait_until(lambda: len(runs) == 2 and not core_of(cache).flights.by_name)
    assert get() == "good"
    assert len(runs) == 2  # the next attempt waits, as after a failure
    clock.advance(0.6)
    get()
    wait_until(lambda: len(runs) == 3 and not core_of(cache).flights.by_name)
    clock.advance(1.1)
    get()
    wait_until(lambda: len(runs) == 4 and not core_of(cache).flights.by_name)
    assert get() == "new"


def test_an_error_in_cache_if_is_raised_and_the_next_call_computes(cache):
    @cached(cache=cache, cache_if=lambda result: 1 / result)
    def get(number):
        return number

    with pytest.raises(ZeroDivisionError):
        get(0)
    with pytest.raises(ZeroDivisionError):
        get(0)
    assert get(1) == 1
    assert get.cache_info() == (0, 3)


def test_a_lease_is_returned_when_the_result_is_not_stored(make_cache, real_redis):
    cache, other = make_cache(real_redis.url), make_cache(real_redis.url)
    assert cache.get_or_set("k", lambda: None, cache_if=bool) is None
    assert other.get_or_set("k", lambda: 1, cache_if=bool) == 1
    forget_memory(cache)
    assert cache.get("k") == 1
