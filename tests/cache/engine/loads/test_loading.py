"""Tests loading: however many callers request a value, it is computed once, and no caller exceeds its time limit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from typing import TypedDict

import msgspec
import pytest
from callers import callers_of
from waiting import SOON_SECONDS, until, wait_until

from jarvisperf.cache import AsyncSmartCache, SmartCache, cached
from jarvisperf.cache.engine.loads import loading
from jarvisperf.cache.engine.model import Life
from jarvisperf.cache.testing import core_of, forget_memory, store_of
from jarvisperf.cache.values.envelopes import marks
from jarvisperf.cache.values.envelopes.marks import Lease


def in_threads(count: int, call) -> list:
    results: list = []
    threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture(params=["memory", "disk", "redis"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    url = request.getfixturevalue("real_redis").url if request.param == "redis" else None
    return make_cache(url, tmp_path / "disk" if request.param == "disk" else None)


class Slow:
    """A slow factory that counts its runs."""

    def __init__(self, seconds: float = 0.05) -> None:
        self.seconds = seconds
        self.runs = 0

    def __call__(self) -> list[int]:
        self.runs += 1
        time.sleep(self.seconds)
        return [self.runs]


def test_a_missing_value_is_made_and_kept(cache):
    slow = Slow(0)
    assert cache.get_or_set("k", slow, ttl=60, tags=["t"]) == [1]
    assert cache.get_or_set("k", slow) == [1]
    assert cache.get("k") == [1]
    assert cache.invalidate_tag("t") == 1
    assert cache.get_or_set("k", slow) == [2]


def test_memory_holds_a_computed_value_too(cache):
    cache.get_or_set("k", lambda: [1])
    assert cache.get_from_memory("k") == [1]
    assert cache.get_stats()["sets"] == 1


def test_memory_holds_it_while_redis_is_down(make_cache, refusing_url):
    cache = make_cache(refusing_url)
    cache.get_or_set("k", lambda: [1])
    assert cache.get_from_memory("k") == [1]


def test_threads_that_want_one_value_make_it_once(cache):
    slow = Slow()
    assert in_threads(16, lambda: cache.get_or_set("k", slow)) == [[1]] * 16
    assert slow.runs == 1


def test_each_thread_gets_a_copy_of_its_own(cache):
    for result in in_threads(8, lambda: cache.get_or_set("k", Slow())):
        result.append("spoilt")
    assert cache.get("k") == [1]


def test_coroutines_that_want_one_value_make_it_once(cache):
    runs = []

    async def make() -> str:
        runs.append(1)
        await asyncio.sleep(0.02)
        return "v"

    async def main() -> list[str]:
        face = AsyncSmartCache(cache=cache)
        return await asyncio.gather(*(face.get_or_set("k", make) for _ in range(200)))

    assert asyncio.run(main()) == ["v"] * 200
    assert len(runs) == 1


def test_who_is_cancelled_does_not_take_the_value_from_the_others(cache):
    runs, may_end = [], asyncio.Event()

    async def make() -> str:
        runs.append(1)
        await may_end.wait()
        return "v"

    async def main() -> str:
        face = AsyncSmartCache(cache=cache)
        first = asyncio.create_task(face.get_or_set("k", make))
        await until(lambda: runs)
        second = asyncio.create_task(face.get_or_set("k", make))
        await until(lambda: callers_of(cache, "k") == 2)
        first.cancel()
        await until(first.done)
        may_end.set()
        return await asyncio.wait_for(second, SOON_SECONDS)

    assert asyncio.run(main()) == "v"
    assert len(runs) == 1


@pytest.mark.parametrize("call", ["take_lease", "fill"])
def test_who_is_cancelled_during_a_call_leaves_nothing_that_others_wait_for(make_cache, real_redis, monkeypatch, call):
    cache, other = make_cache(real_redis.url), make_cache(real_redis.url)
    begun, may_end = threading.Event(), threading.Event()
    original = getattr(core_of(cache), call)

    def slow(*args: object) -> object:
        begun.set()
        may_end.wait(SOON_SECONDS)
        return original(*args)

    monkeypatch.setattr(core_of(cache), call, slow)

    async def given_up() -> None:
        waiting = asyncio.create_task(AsyncSmartCache(cache=cache).get_or_set("k", lambda: "v"))
        await asyncio.to_thread(begun.wait, SOON_SECONDS)
        for each in asyncio.all_tasks() - {asyncio.current_task()}:  # as the end of an event loop does
            each.cancel()
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(given_up())
    assert not core_of(cache)._computations.by_key
    assert core_of(other).look("k") is not None or isinstance(core_of(other).take_lease("k", None, 30.0), Lease)


def test_who_is_cancelled_before_the_computation_begins_computes_nothing(make_cache, real_redis, monkeypatch):
    cache = make_cache(real_redis.url)
    asked, may_answer, runs = threading.Event(), threading.Event(), []
    take_lease = core_of(cache).take_lease

    def take_slowly(*args: object) -> object:
        asked.set()
        may_answer.wait(SOON_SECONDS)
        return take_lease(*args)

    monkeypatch.setattr(core_of(cache), "take_lease", take_slowly)

    async def compute() -> None:
        runs.append(1)

    async def give_up() -> None:
        waiting = asyncio.create_task(AsyncSmartCache(cache=cache).get_or_set("k", compute))
        await asyncio.to_thread(asked.wait, SOON_SECONDS)
        waiting.cancel()
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0, may_answer.set)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    assert runs == []


def test_a_value_that_can_be_neither_stored_nor_copied_reaches_all_who_wait(cache):
    def make() -> object:
        wait_until(lambda: callers_of(cache, "k") == 4)
        return threading.Lock()

    values = in_threads(4, lambda: cache.get_or_set("k", make))
    assert len(values) == 4
    assert len(set(values)) == 1


def test_an_error_reaches_all_who_wait_and_is_not_kept(cache):
    runs = []

    def fail() -> None:
        runs.append(1)
        wait_until(lambda: callers_of(cache, "k") == 4)
        raise ValueError("no luck")

    def call() -> str:
        try:
            cache.get_or_set("k", fail)
        except ValueError as error:
            return str(error)
        return "?"

    assert in_threads(4, call) == ["no luck"] * 4
    assert len(runs) == 1
    assert cache.get_or_set("k", lambda: "better") == "better"


def test_a_value_that_wants_itself_is_an_error_and_no_deadlock(make_cache):
    cache = make_cache()
    with pytest.raises(RuntimeError, match="recursive get_or_set"):
        cache.get_or_set("k", lambda: cache.get_or_set("k", lambda: 1))


def test_a_coroutine_that_wants_itself_is_an_error_and_no_deadlock(make_cache):
    @cached(cache=make_cache())
    async def itself(number: int) -> int:
        (found,) = await asyncio.gather(itself(number))
        return found

    with pytest.raises(RuntimeError, match="recursive get_or_set"):
        asyncio.run(asyncio.wait_for(itself(1), SOON_SECONDS))


def test_a_task_that_outlives_the_computation_it_began_in_may_want_the_value(make_cache):
    @cached(cache=make_cache(), ttl=0)
    async def one() -> int:
        later.append(asyncio.create_task(two()) if not later else None)
        return 1

    async def two() -> int:
        await has_ended.wait()
        return await one()

    async def both() -> tuple[int, int]:
        first = await one()
        has_ended.set()
        return first, await later[0]

    later: list = []
    has_ended = asyncio.Event()
    assert asyncio.run(both()) == (1, 1)


@pytest.mark.parametrize("error", [StopIteration("s"), GeneratorExit("g"), KeyboardInterrupt("k"), KeyError("e")])
def test_whatever_the_factory_raises_reaches_its_caller_and_the_key_stays_usable(cache, error):
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        cache.get_or_set("k", fail)
    assert raised.value is error
    if not isinstance(error, GeneratorExit):  # then nobody releases the lease, so it has to expire
        assert cache.get_or_set("k", lambda: 1) == 1


def test_the_end_of_an_event_loop_does_not_take_the_value_from_those_in_others(cache, caplog):
    """The process that was computing it is gone, so one of the others computes it."""
    begun, runs = threading.Event(), []

    @cached(cache=cache)
    async def slow() -> int:
        runs.append(1)
        begun.set()
        if len(runs) == 1:
            await asyncio.Event().wait()
        return len(runs)

    async def given_up() -> None:
        waiting = asyncio.create_task(slow())
        await until(lambda: callers_of(cache, slow.cache_key()) == 4)
        assert not waiting.done()

    async def patient() -> int:
        return await slow()

    results: list = []
    leader = threading.Thread(target=lambda: asyncio.run(given_up()))
    leader.start()
    begun.wait(SOON_SECONDS)
    followers = [threading.Thread(target=lambda: results.append(asyncio.run(patient()))) for _ in range(3)]
    for follower in followers:
        follower.start()
    for thread in (leader, *followers):
        thread.join()
    assert results == [2, 2, 2]
    assert "never retrieved" not in caplog.text


def test_a_coroutine_that_is_closed_in_the_middle_says_nothing_and_leaves_the_key_usable(make_cache):
    @cached(cache=make_cache())
    async def slow() -> int:
        await asyncio.sleep(0)
        return 1

    async def leave_and_come_back() -> int:
        call = slow()
        call.send(None)
        call.close()
        return await asyncio.wait_for(slow(), SOON_SECONDS)

    assert asyncio.run(leave_and_come_back()) == 1


def test_two_caches_on_one_redis_make_a_value_once(make_cache, real_redis):
    caches = [make_cache(real_redis.url) for _ in range(4)]
    slow = Slow(0.2)
    results: list = []
    threads = [threading.Thread(target=lambda c=c: results.append(c.get_or_set("k", slow))) for c in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[1]] * 4
    assert slow.runs == 1


def test_a_lease_whose_holder_is_gone_expires(make_cache, real_redis):
    cache = make_cache(real_redis.url, lease_seconds=0.2)
    assert isinstance(core_of(cache).take_lease("k", None, 0.2), Lease)  # and never released
    assert cache.get_or_set("k", lambda: "v") == "v"
    assert cache.get("k") == "v"


def soon(call):
    """Return the result of a call; fail if it keeps waiting."""
    results: list = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(SOON_SECONDS)
    assert results
    return results[0]


def leave_stale(cache, clock, wall_clock) -> None:
    cache.get_or_set("k", lambda: "old", ttl=10, stale_ttl=1000)
    clock.advance(50)
    wall_clock.advance(50)


def leave_expired_by_this_clock(cache, clock, wall_clock) -> None:
    cache.set("k", "old", ttl=1000)
    forget_memory(cache)
    wall_clock.advance(2000)


def leave_of_an_old_generation(cache, clock, wall_clock) -> None:
    cache.set("k", "old")
    forget_memory(cache)
    store_of(cache, "redis").begin_generation()


@pytest.mark.parametrize("leave", [leave_stale, leave_expired_by_this_clock, leave_of_an_old_generation])
def test_a_value_in_redis_that_cannot_be_used_is_replaced_and_not_waited_for(
    make_cache, real_redis, clock, wall_clock, leave
):
    cache = make_cache(real_redis.url, clock=clock, wall_clock=wall_clock)
    leave(cache, clock, wall_clock)
    assert cache.get("k") is None
    other = make_cache(real_redis.url, clock=clock, wall_clock=wall_clock)
    slow = Slow()
    threads = [threading.Thread(target=each.get_or_set, args=("k", slow), daemon=True) for each in (cache, other)]
    for thread in threads:
        thread.start()
    assert soon(lambda: cache.get_or_set("k", slow)) == [1]
    for thread in threads:
        thread.join(SOON_SECONDS)
    assert slow.runs == 1
    for each in (cache, other):
        forget_memory(each)
        assert each.get("k") == [1]


@pytest.mark.parametrize("held_version", [None, 5], ids=["nothing there", "a value to be replaced"])
def test_a_lease_that_is_asked_for_again_for_want_of_a_reply_is_granted_again(
    make_cache, real_redis, monkeypatch, held_version
):
    store = store_of(make_cache(real_redis.url), "redis")
    monkeypatch.setattr(marks, "new_token", lambda: b"t" * 16)
    for _ in range(2):
        assert isinstance(store.take_lease("k", held_version, 30), Lease)
    monkeypatch.setattr(marks, "new_token", lambda: b"u" * 16)
    assert not isinstance(store.take_lease("k", held_version, 30), Lease)


def test_a_refresh_that_came_too_late_does_not_keep_others_from_the_next(make_cache, real_redis):
    cache = make_cache(real_redis.url)
    core = core_of(cache)
    cache.set("k", "newer")
    lease = core.take_lease("k", 1, 30.0)
    core.fill(core.begin_computation("k", ()), "late", Life(60.0), lease, "late")
    assert cache.get("k") == "newer"
    assert isinstance(core.take_lease("k", 1, 30.0), Lease)


def test_a_slow_holder_still_fills_the_key_if_nobody_took_it(make_cache, real_redis, monkeypatch):
    cache, other = make_cache(real_redis.url, lease_seconds=0.01), make_cache(real_redis.url)
    monkeypatch.setattr(core_of(cache).heartbeat, "begin", lambda *_: None)
    cache.get_or_set("k", Slow(0.1))
    assert other.get("k") == [1]


CHANGES = {
    "delete": lambda cache: cache.delete("k"),
    "invalidate": lambda cache: cache.invalidate("k*"),
    "tag": lambda cache: cache.invalidate_tag("t"),
    "clear": lambda cache: cache.clear(),
    "set": lambda cache: cache.set("k", "newer"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("who", ["this", "another"])
def test_a_fill_that_raced_with_a_change_does_not_win(make_cache, real_redis, tmp_path, change, who):
    cache = make_cache(real_redis.url, tmp_path / "d")
    overtake(cache, cache if who == "this" else make_cache(real_redis.url, tmp_path / "d"), change)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_fill_that_raced_with_a_change_does_not_win_where_there_is_no_redis(make_cache, tmp_path, change):
    cache = make_cache(None, tmp_path / "d")
    overtake(cache, cache, change)


def overtake(cache, other, change) -> None:
    """Let another cache change a key while this one computes it."""

    def read_then_be_overtaken() -> str:
        change(other)
        return "old"

    assert cache.get_or_set("k", read_then_be_overtaken, tags=["t"]) == "old"
    assert cache.get("k") in {None, "newer"}
    assert other.get("k") in {None, "newer"}
    forget_memory(cache)
    assert cache.get("k") in {None, "newer"}


def test_without_a_change_the_fill_is_seen_by_all(make_cache, real_redis, tmp_path):
    cache, other = (make_cache(real_redis.url, tmp_path / "d") for _ in range(2))
    cache.get_or_set("k", lambda: "v")
    assert other.get("k") == "v"


@pytest.fixture
def timed(make_cache, clock, wall_clock, request) -> SmartCache:
    return make_cache(clock=clock, wall_clock=wall_clock)


def test_a_stale_value_is_given_at_once_while_a_new_one_is_made(timed, clock):
    slow = Slow(0.01)
    timed.get_or_set("k", slow, ttl=10, stale_ttl=100)
    clock.advance(50)
    assert timed.get("k") is None
    assert timed.get_or_set("k", slow, ttl=10, stale_ttl=100) == [1]
    wait_until(lambda: timed.get("k") == [2])
    assert slow.runs == 2


@pytest.mark.parametrize("tier", ["redis", "disk"])
def test_a_stale_value_is_found_in_the_lower_tiers_too(make_cache, clock, wall_clock, real_redis, tmp_path, tier):
    url, folder = (real_redis.url, None) if tier == "redis" else (None, tmp_path / "d")
    cache = make_cache(url, folder, clock=clock, wall_clock=wall_clock, memory_items=0)
    slow = Slow(0.01)
    cache.get_or_set("k", slow, ttl=10, stale_ttl=100)
    clock.advance(50)
    wall_clock.advance(50)
    assert cache.get("k") is None
    assert cache.get_or_set("k", slow, ttl=10, stale_ttl=100) == [1]
    wait_until(lambda: cache.get("k") == [2])


def test_a_stale_value_stands_in_for_an_error(timed, clock, caplog):
    timed.get_or_set("k", lambda: "good", ttl=10, stale_ttl=100)
    clock.advance(50)

    def fail() -> None:
        raise ValueError("no luck")

    for _ in range(2):
        assert timed.get_or_set("k", fail, ttl=10, stale_ttl=100) == "good"
    wait_until(lambda: caplog.messages)
    assert "no luck" in caplog.messages[0]
    clock.advance(100)
    with pytest.raises(ValueError, match="no luck"):
        timed.get_or_set("k", fail, ttl=10, stale_ttl=100)


def test_a_stale_value_is_held_back_for_the_soft_limit(timed, clock):
    timed.get_or_set("k", lambda: "old", ttl=10, stale_ttl=100)
    clock.advance(50)
    assert timed.get_or_set("k", lambda: "new", ttl=10, stale_ttl=100, soft_seconds=SOON_SECONDS) == "new"
    clock.advance(50)
    is_asked_for = threading.Event()

    def newest() -> str:
        is_asked_for.wait(SOON_SECONDS)
        return "newest"

    assert timed.get_or_set("k", newest, ttl=10, stale_ttl=100, soft_seconds=0.01) == "new"
    is_asked_for.set()


def test_beyond_the_hard_limit_it_is_a_timeout_and_the_value_comes_later(cache):
    released = threading.Event()

    def make() -> str:
        released.wait(SOON_SECONDS)
        return "late"

    for _ in range(2):
        with pytest.raises(TimeoutError, match=r"no value of 'k' after 0.05 s"):
            cache.get_or_set("k", make, hard_seconds=0.05)
    released.set()
    wait_until(lambda: cache.get("k") == "late")


def test_a_value_is_made_anew_before_it_expires_if_it_took_long(timed, clock, monkeypatch):
    slow = Slow(0.02)
    timed.get_or_set("k", slow, ttl=10, refresh_ahead=True)
    monkeypatch.setattr(loading, "draw_exponential", lambda: 1.0)
    assert timed.get_or_set("k", slow, ttl=10, refresh_ahead=True) == [1]
    assert slow.runs == 1
    clock.advance(9.99)
    assert timed.get_or_set("k", slow, ttl=10, refresh_ahead=True) == [1]
    wait_until(lambda: timed.get("k") == [2])


def test_the_chance_of_an_early_refresh_is_the_one_of_the_paper():
    draws = [loading.draw_exponential() for _ in range(20_000)]
    assert sum(draw >= 1.0 for draw in draws) / len(draws) == pytest.approx(0.368, abs=0.03)


def test_a_thread_that_cannot_be_started_costs_one_call_and_not_the_key(timed, clock, monkeypatch, refuse_threads):
    refuse_threads("jarvisperf-refresh")
    with pytest.raises(RuntimeError, match="can't start new thread"):
        timed.get_or_set("k", lambda: "v", hard_seconds=SOON_SECONDS)
    monkeypatch.undo()
    assert soon(lambda: timed.get_or_set("k", lambda: "v", hard_seconds=SOON_SECONDS)) == "v"


@pytest.mark.parametrize("soft_seconds", [0, SOON_SECONDS])
def test_where_no_thread_can_be_started_the_stale_value_is_given(
    timed, clock, monkeypatch, refuse_threads, caplog, soft_seconds
):
    def get(value: str) -> str:
        return timed.get_or_set("k", lambda: value, ttl=10, stale_ttl=100, soft_seconds=soft_seconds)

    get("old")
    clock.advance(50)
    refused = refuse_threads("jarvisperf-refresh")
    assert soon(lambda: get("new")) == "old"
    assert len(refused) == 1
    assert "'k' could not be computed in the background" in caplog.messages[0]
    monkeypatch.undo()
    soon(lambda: get("new"))
    wait_until(lambda: timed.get("k") == "new")


def test_where_no_thread_can_be_started_a_value_that_is_due_is_given(timed, clock, monkeypatch, refuse_threads):
    slow = Slow(0.02)
    timed.get_or_set("k", slow, ttl=10, refresh_ahead=True)
    monkeypatch.setattr(loading, "draw_exponential", lambda: 1.0)
    clock.advance(9.99)
    refused = refuse_threads("jarvisperf-refresh")
    assert soon(lambda: timed.get_or_set("k", slow, ttl=10, refresh_ahead=True)) == [1]
    assert refused


@dataclass
class Point:
    x: int
    y: float


class Row(msgspec.Struct):
    name: str
    points: list[Point]


class Named(TypedDict):
    name: str


def test_a_result_comes_back_as_what_the_annotation_says(cache):
    calls = []

    @cached(key_prefix="typed", cache=cache)
    def rows(n: int) -> dict[str, Row]:
        calls.append(n)
        return {"a": Row("r", [Point(n, 0.5)])}

    @cached(key_prefix="typed2", cache=cache)
    async def point() -> Point | None:
        return Point(1, 2.0)

    @cached(key_prefix="typed3", cache=cache)
    def named() -> Named:
        return {"name": "n"}

    assert rows(1) == rows(1) == {"a": Row("r", [Point(1, 0.5)])}
    forget_memory(cache)
    assert rows(1) == {"a": Row("r", [Point(1, 0.5)])}
    assert len(calls) == (2 if not cache.may_block else 1)
    assert asyncio.run(point()) == asyncio.run(point()) == Point(1, 2.0)
    assert named() == named() == {"name": "n"}


def test_the_key_can_be_made_by_hand_and_arguments_ignored(cache):
    calls = []

    @cached(key_prefix="p", key=lambda user, **_: f"user-{user['id']}", cache=cache)
    def by_hand(user, trace=None):
        calls.append(user)
        return user["id"]

    @cached(key_prefix="q", ignore=("trace",), cache=cache)
    def ignoring(x, trace=None):
        calls.append(x)
        return x

    assert [by_hand({"id": 1}, trace=object()), by_hand({"id": 1, "other": object()})] == [1, 1]
    assert by_hand.cache_key({"id": 1}).endswith(":user-1")
    assert [ignoring(5, trace=object()), ignoring(5, trace=object())] == [5, 5]
    assert len(calls) == 2


def test_results_can_be_tagged_by_their_arguments_and_invalidated_together(cache):
    @cached(key_prefix="t", tags=lambda x: [f"user:{x}", "all"], cache=cache)
    def f(x):
        return x

    @cached(key_prefix="t", cache=cache)
    def g(x):
        return x

    for number in range(3):
        f(number)
        g(number)
    assert cache.invalidate_tag("user:1") == 1
    assert f.invalidate_all() == 2
    assert g.invalidate_all() == 3


def test_a_functions_calls_are_counted(cache):
    @cached(key_prefix="c", cache=cache)
    def f(x):
        return x

    for x in [1, 1, 2, 1]:
        f(x)
    assert f.cache_info() == (2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "k"}, "key is 'k': give a function"),
        ({"tags": "t"}, "tags is the str 't'"),
        ({"tags": [""]}, "tag is ''"),
        ({"stale_ttl": -1}, "stale_ttl is -1"),
        ({"hard_seconds": 0}, "hard_seconds is 0"),
        ({"soft_seconds": "1"}, "soft_seconds is '1'"),
    ],
)
def test_a_wrong_option_is_said_when_it_is_decorated(options, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        cached(**options)
    assert message in str(caught.value)


def test_a_refresh_in_the_background_that_fails_is_logged(timed, clock, caplog):
    caplog.set_level(logging.WARNING)
    timed.get_or_set("k", lambda: 1, ttl=1, stale_ttl=10)
    clock.advance(2)
    timed.get_or_set("k", lambda: 1 / 0, ttl=1, stale_ttl=10)
    wait_until(lambda: any("'k' could not be computed in the background" in text for text in caplog.messages))
