"""Tests ``@cached_many``: each id is computed once, and all missing ones together."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from callers import most_callers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import SOON_SECONDS, until, wait_until

from jarvisperf.cache import SmartCache, cached, cached_many
from jarvisperf.cache.testing import core_of, forget_memory, store_of


@pytest.fixture(params=["memory", "redis", "disk", "redis+disk"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    url = request.getfixturevalue("real_redis").url if "redis" in request.param else None
    return make_cache(url, tmp_path / "disk" if "disk" in request.param else None)


class Squares:
    """A function that records the ids it is called with."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def of(self, cache: SmartCache, **options: Any) -> Any:
        @cached_many(cache=cache, key_prefix="squares", **options)
        def squares(ids: Collection[int]) -> dict[int, list[int]]:
            self.calls.append(list(ids))
            return {one: [one * one] for one in ids if one >= 0}

        return squares

    def of_later(self, cache: SmartCache, **options: Any) -> Any:
        @cached_many(cache=cache, key_prefix="squares", **options)
        async def squares(ids: Collection[int]) -> dict[int, list[int]]:
            self.calls.append(list(ids))
            await asyncio.sleep(0)
            return {one: [one * one] for one in ids if one >= 0}

        return squares


@pytest.fixture(params=["function", "coroutine function"])
def squares(request, cache):
    """A decorated function that can be called either way, and the ids of its calls."""
    source = Squares()
    if request.param == "function":
        return source.of(cache), source.calls
    later = source.of_later(cache)
    return (lambda ids: asyncio.run(later(ids))), source.calls


def test_only_the_missing_ids_are_computed_in_one_call(cache, squares):
    get, calls = squares
    forget = forget_memory if cache.may_block else (lambda cache: None)
    assert get([3, 1]) == {3: [9], 1: [1]}
    forget(cache)
    assert get([1, 2, 3, 4]) == {1: [1], 2: [4], 3: [9], 4: [16]}
    assert get([4, 1]) == {4: [16], 1: [1]}
    assert calls == [[3, 1], [2, 4]]


def test_the_results_are_in_the_order_of_the_ids_and_each_is_asked_for_once(squares):
    get, calls = squares
    get([5])
    assert list(get(one for one in [7, 5, 7, 6])) == [7, 5, 6]
    assert calls == [[5], [7, 6]]


def test_no_ids_need_no_call(squares):
    get, calls = squares
    assert get([]) == {}
    assert calls == []


def test_an_id_without_a_result_is_left_out_and_asked_for_again(squares):
    get, calls = squares
    assert get([1, -1]) == {1: [1]}
    assert get([1, -1]) == {1: [1]}
    assert calls == [[1, -1], [-1]]


def test_callers_get_copies(squares):
    get, _ = squares
    get([1])
    get([1])[1].append("spoilt")
    assert get([1]) == {1: [1]}


def test_none_is_a_result(cache):
    calls = []

    @cached_many(cache=cache)
    def nothing(ids: Iterable[int]) -> dict[int, None]:
        calls.append(list(ids))
        return dict.fromkeys(ids)

    assert nothing([1]) == nothing([1]) == {1: None}
    assert calls == [[1]]


def test_an_error_is_raised_and_nothing_is_kept(cache):
    outcomes: list[Any] = [ValueError("first"), {1: "one"}]

    @cached_many(cache=cache)
    def moody(ids):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="first"):
        moody([1])
    assert moody([1]) == {1: "one"}


def test_results_can_be_invalidated_by_id_tag_and_function(cache):
    source = Squares()
    squares = source.of(cache, tags=lambda number: [f"number:{number}"])
    squares([1, 2, 3])
    assert squares.invalidate([1, 2, 9]) == 2
    squares([1, 2, 3])
    assert cache.invalidate_tag("number:3") == 1
    squares([1, 2, 3])
    assert squares.invalidate_all() == 3
    squares([1])
    assert source.calls == [[1, 2, 3], [1, 2], [3], [1]]


def test_a_coroutine_functions_helpers_are_awaited(cache):
    source = Squares()
    squares = source.of_later(cache)

    async def main():
        await squares([1, 2])
        assert await squares.invalidate([1]) == 1
        assert await squares.refresh([2, 3]) == {2: [4], 3: [9]}
        assert await squares.invalidate_all() == 2
        return await squares.cache_info()

    info = asyncio.run(main())
    assert source.calls == [[1, 2], [2, 3]]
    assert (info.hits, info.misses) == (0, 4)


def test_hits_and_misses_are_counted_by_id(cache):
    squares = Squares().of(cache)
    squares([1, 2])
    squares([1, 2, 3])
    assert squares.cache_info() == (2, 3)


def test_stored_results_are_counted_by_id(cache):
    @cached_many(cache=cache, cache_if=lambda result: result != 2)
    def itself(ids):
        return {one: one for one in ids}

    assert itself([1, 2, 3]) == {1: 1, 2: 2, 3: 3}
    assert cache.get_stats()["sets"] == 2


def test_other_arguments_and_the_instance_belong_to_the_key(cache):
    class Shop:
        def __init__(self, factor):
            self.factor = factor

        @cached_many(cache=cache)
        def prices(self, ids, tax=1):
            return {one: one * self.factor * tax for one in ids}

        @classmethod
        @cached_many(cache=cache)
        def names(cls, ids):
            return dict.fromkeys(ids, cls.__name__)

        @staticmethod
        @cached_many(cache=cache)
        def alone(ids):
            return {one: -one for one in ids}

    one, two = Shop(1), Shop(2)
    assert [one.prices([5]), two.prices([5]), two.prices([5], 3), two.prices([5], tax=3)] == [
        {5: 5},
        {5: 10},
        {5: 30},
        {5: 30},
    ]
    assert Shop.prices.cache_info() == (1, 3)
    Shop.__qualname__ = "Shop"
    assert Shop.names([1]) == one.names([1]) == {1: "Shop"}
    assert Shop.alone([1]) == one.alone([1]) == {1: -1}


@dataclass(frozen=True)
class User:
    id: int
    name: str


def users(ids: list[int]) -> Mapping[int, User | None]:
    return {one: User(one, "Ada") if one else None for one in ids}


def test_results_come_back_as_their_classes(cache):
    get = cached_many(cache=cache)(users)
    expected = get([0, 1])
    if cache.may_block:
        forget_memory(cache)
    assert get([0, 1]) == expected == {0: None, 1: User(1, "Ada")}
    assert type(get([1])[1]) is User


def test_a_stored_result_of_another_type_is_computed_again(cache):
    get = cached_many(cache=cache)(users)
    cache.set_many({get.cache_key(1): "from an older version", get.cache_key(2): User(2, "Bob")})
    assert get([1, 2]) == {1: User(1, "Ada"), 2: User(2, "Bob")}
    assert get([1]) == {1: User(1, "Ada")}


def test_each_result_has_its_own_life(make_cache, clock):
    cache = make_cache(clock=clock)
    source = Squares()
    squares = source.of(cache, ttl=lambda result: 10 * result[0], cache_if=lambda result: result != [9])
    squares([1, 2, 3])
    clock.advance(15)
    squares([1, 2, 3])
    assert source.calls == [[1, 2, 3], [1, 3]]


def test_results_that_cannot_be_stored_are_returned(cache):
    @cached_many(cache=cache)
    def odd(ids):
        return {one: object() if one else "plain" for one in ids}

    assert type(odd([0, 1])[1]) is object
    assert cache.get_stats()["unstorable"] == 1
    assert odd.cache_info() == (0, 2)
    odd([0, 1])
    assert odd.cache_info() == (1, 3)


def test_a_refresh_replaces_what_is_cached(cache):
    version = [1]

    @cached_many(cache=cache)
    def versions(ids):
        return {one: version[0] for one in ids if one < version[0] * 10}

    assert versions([1, 2]) == {1: 1, 2: 1}
    version[0] = 2
    assert versions([1, 2]) == {1: 1, 2: 1}
    assert versions.refresh([2, 15]) == {2: 2, 15: 2}
    if cache.may_block:
        forget_memory(cache)
    assert versions([1, 2, 15]) == {1: 1, 2: 2, 15: 2}
    version[0] = 0
    assert versions.refresh([15]) == {}
    version[0] = 3
    assert versions([15]) == {15: 3}  # what is gone from the source is gone from the cache


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: cached_many(users), r"@cached_many needs parentheses: write @cached_many\(\)"),
        (lambda: cached_many(key_prefix="x")(lambda: {1: 1}), "takes no list of ids"),
        (lambda: cached_many(key_prefix="x")(lambda *ids: dict(ids)), "takes no list of ids"),
        (lambda: cached_many()(SmartCache), "give a function, method or coroutine function"),
        (lambda: cached_many(cache=SmartCache(None, None))(users)(1), r"ids is 1: give several ids, such as \[1\]"),
        (lambda: cached_many(cache=SmartCache(None, None))(users)("ab"), r"give several ids, such as \['ab'\]"),
        (lambda: cached_many(cache=SmartCache(None, None))(users)(ids=[1]), "needs ids"),
        (lambda: cached_many(cache=SmartCache(None, None))(users)([[1]]), "give ids that can be keys of a dict"),
        (lambda: cached_many("600", cache=SmartCache(None, None))(users), "ttl is '600'"),
    ],
    ids=range(9),
)
def test_what_cannot_work_is_a_type_error(wrong, message):
    with pytest.raises(TypeError, match=message):
        wrong()


@pytest.mark.parametrize("name", ["cache_errors", "stale_ttl", "refresh_ahead", "soft_seconds", "hard_seconds", "key"])
def test_an_argument_of_cached_that_it_cannot_honour_is_rejected_by_name(name):
    with pytest.raises(TypeError, match=f"cached_many.* unexpected keyword argument '{name}'"):
        cached_many(ttl=60, **{name: 1})


def test_a_function_must_return_a_mapping(cache):
    @cached_many(cache=cache)
    def listed(ids):
        return list(ids)

    with pytest.raises(TypeError, match=r"listed returned \[1\]: return a mapping of ids and results"):
        listed([1])


def test_the_ids_cannot_be_left_out_of_the_key():
    with pytest.raises(ValueError, match="ignore contains 'ids'"):
        cached_many(key_prefix="x", ignore=["ids"])(lambda ids: {})


# --- round trips


@pytest.mark.parametrize("count", [1, 50])
def test_the_number_of_exchanges_does_not_grow_with_the_ids(make_cache, real_redis, tmp_path, monkeypatch, count):
    cache = make_cache(real_redis.url, tmp_path / "disk")
    source = Squares()
    squares = source.of(cache, tags=["numbers"])
    exchanges: list[str] = []

    def counted(tier: str, target: object, name: str) -> None:
        original = getattr(target, name)
        monkeypatch.setattr(
            target, name, lambda *args, **options: (exchanges.append(f"{tier} {name}"), original(*args, **options))[1]
        )

    counted("redis", store_of(cache, "redis").link, "call")
    counted("redis", store_of(cache, "redis").link, "many")
    for name in ("get_many", "put_many", "get", "put", "delete", "delete_many"):
        counted("disk", store_of(cache, "disk"), name)
    squares(range(count))
    assert exchanges == ["redis call", "disk get_many", "redis many", "disk put_many", "redis many"]
    exchanges.clear()
    forget_memory(cache)
    assert len(squares(range(count))) == count
    assert exchanges == ["redis call"]
    assert len(source.calls) == 1


# --- concurrent callers


def in_thread(call) -> tuple[threading.Thread, list]:
    outcome: list = []
    thread = threading.Thread(target=lambda: outcome.append(call()))
    thread.start()
    return thread, outcome


def test_an_id_that_another_call_is_computing_is_waited_for(cache):
    begun, may_end = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    @cached_many(cache=cache)
    def slow(ids):
        calls.append(list(ids))
        if 1 in ids:
            begun.set()
            assert may_end.wait(SOON_SECONDS)
        return {one: [one] for one in ids}

    first, of_first = in_thread(lambda: slow([1, 2]))
    assert begun.wait(SOON_SECONDS)
    second, of_second = in_thread(lambda: slow([2, 3]))
    wait_until(lambda: [3] in calls)
    may_end.set()
    first.join()
    second.join()
    assert (of_first, of_second) == ([{1: [1], 2: [2]}], [{2: [2], 3: [3]}])
    assert sorted(calls) == [[1, 2], [3]]
    of_first[0][2].append("spoilt")
    assert of_second[0][2] == [2]


def test_calls_that_miss_each_others_ids_do_not_wait_for_ever(cache):
    barrier = threading.Barrier(2)

    @cached_many(cache=cache)
    def crossed(ids):
        if 1 in ids or 4 in ids:
            barrier.wait(SOON_SECONDS)
        return {one: one for one in ids}

    first, of_first = in_thread(lambda: crossed([1, 2, 3]))
    second, of_second = in_thread(lambda: crossed([4, 3, 2]))
    first.join()
    second.join()
    assert (of_first, of_second) == ([{1: 1, 2: 2, 3: 3}], [{4: 4, 3: 3, 2: 2}])


def test_a_waiting_call_gets_a_result_that_is_not_stored(cache):
    begun, may_end = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    @cached_many(cache=cache, cache_if=lambda result: False)
    def slow(ids):
        calls.append(list(ids))
        begun.set()
        assert may_end.wait(SOON_SECONDS)
        return {one: [one] for one in ids}

    first, of_first = in_thread(lambda: slow([1]))
    assert begun.wait(SOON_SECONDS)
    second, of_second = in_thread(lambda: slow([1]))
    wait_until(lambda: most_callers(cache) == 2)
    may_end.set()
    first.join()
    second.join()
    assert (of_first, of_second, calls) == ([{1: [1]}], [{1: [1]}], [[1]])


def test_waiting_callers_get_the_error_each_its_own(cache):
    begun, may_end = threading.Event(), threading.Event()

    @cached_many(cache=cache)
    def failing(ids):
        begun.set()
        assert may_end.wait(SOON_SECONDS)
        raise LookupError("no such table")

    def caught() -> LookupError:
        with pytest.raises(LookupError, match="no such table") as raised:
            failing([1])
        return raised.value

    first, of_first = in_thread(caught)
    assert begun.wait(SOON_SECONDS)
    second, of_second = in_thread(caught)
    wait_until(lambda: most_callers(cache) == 2)
    may_end.set()
    first.join()
    second.join()
    assert of_first[0] is not of_second[0]


def test_an_id_that_another_call_has_just_computed_is_not_computed_again(make_cache, monkeypatch):
    cache = make_cache()
    source = Squares()
    squares = source.of(cache)
    core = core_of(cache)
    look_many = core.look_many

    def look_while_another_call_computes(keys):
        found = look_many(keys)
        monkeypatch.setattr(core, "look_many", look_many)
        squares([1, 2])
        return found

    monkeypatch.setattr(core, "look_many", look_while_another_call_computes)
    assert squares([1, 3]) == {1: [1], 3: [9]}
    assert source.calls == [[1, 2], [3]]


class Gate:
    """Holds up ``gated`` in threads of the name "slow"."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.begun, self.may_end = threading.Event(), threading.Event()


gate = Gate()


def gated(ids: list[int]) -> dict[int, int]:
    gate.calls.append(list(ids))
    if threading.current_thread().name == "slow":
        gate.begun.set()
        assert gate.may_end.wait(SOON_SECONDS)
    return {one: len(gate.calls) for one in ids}


def test_an_id_that_another_process_is_computing_is_waited_for(make_cache, real_redis, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "gate", Gate())
    theirs, ours = (cached_many(cache=make_cache(real_redis.url))(gated) for _ in range(2))
    slow = threading.Thread(target=theirs, args=([1, 2],), name="slow")
    slow.start()
    assert gate.begun.wait(SOON_SECONDS)
    waiting, outcome = in_thread(lambda: ours([2, 3]))
    wait_until(lambda: [3] in gate.calls)
    gate.may_end.set()
    slow.join()
    waiting.join()
    assert gate.calls == [[1, 2], [3]]
    assert outcome[0].keys() == {2, 3}
    assert ours([1, 2, 3]).keys() == {1, 2, 3}
    assert len(gate.calls) == 2


def test_a_function_that_asks_for_its_own_id_gets_an_error(cache):
    @cached_many(cache=cache)
    def endless(ids):
        return endless(ids)

    with pytest.raises(RuntimeError, match=r"requested .* again"):
        endless([1, 2])


def test_a_function_may_ask_for_other_ids(cache):
    @cached_many(cache=cache)
    def sums(ids):
        below = sums([one - 1 for one in ids if one])
        return {one: one + below.get(one - 1, 0) for one in ids}

    assert sums([3]) == {3: 6}
    assert sums([2, 4]) == {2: 3, 4: 10}


def test_cancelling_the_only_caller_cancels_the_computation(cache):
    ended = []

    @cached_many(cache=cache)
    async def long(ids):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(list(ids))

    async def main():
        task = asyncio.create_task(long([1, 2]))
        await until(lambda: long.cache_info().misses)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return list(ended)

    assert asyncio.run(main()) == [[1, 2]]


def test_cancelling_all_callers_cancels_the_computation(cache):
    ended = []

    @cached_many(cache=cache)
    async def long(ids):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(list(ids))

    async def main():
        tasks = [asyncio.create_task(long([1, 2]))]
        await until(lambda: long.cache_info().misses)
        tasks.append(asyncio.create_task(long([2])))
        await until(lambda: most_callers(cache) == 2)
        for task in reversed(tasks):
            assert not ended
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return list(ended)

    assert asyncio.run(main()) == [[1, 2]]


def test_two_functions_whose_results_need_each_other_do_not_wait_for_ever(cache):
    begun: dict[str, asyncio.Event] = {}

    async def both_begun(name):
        begun[name].set()
        await asyncio.gather(*(event.wait() for event in begun.values()))

    @cached_many(cache=cache)
    async def several(ids):
        if not begun["several"].is_set():
            await both_begun("several")
            return {one: f"several of {await single()}" for one in ids}
        return dict.fromkeys(ids, "several alone")

    @cached(cache=cache)
    async def single():
        if not begun["single"].is_set():
            await both_begun("single")
            return f"single of {(await several([1]))[1]}"
        return "single alone"

    async def main():
        begun.update(several=asyncio.Event(), single=asyncio.Event())
        async with asyncio.timeout(SOON_SECONDS):
            return await asyncio.gather(several([1]), single())

    found, text = asyncio.run(main())
    assert "alone" in found[1] + text


def test_a_cancelled_caller_does_not_take_the_values_from_others(cache):
    may_end: list[asyncio.Event] = []
    calls = []

    @cached_many(cache=cache)
    async def slow(ids):
        calls.append(list(ids))
        await may_end[0].wait()
        return {one: one for one in ids}

    async def main():
        may_end.append(asyncio.Event())
        first = asyncio.create_task(slow([1, 2]))
        await until(lambda: calls)
        second = asyncio.create_task(slow([2]))
        await until(lambda: most_callers(cache) == 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        may_end[0].set()
        return await second

    assert asyncio.run(main()) == {2: 2}
    assert calls == [[1, 2]]


# --- invalidation


@pytest.mark.parametrize("how", ["invalidate", "tag", "pattern", "clear", "set"])
@pytest.mark.parametrize("by", ["this cache", "another cache"])
def test_what_changes_during_a_computation_is_not_kept(make_cache, real_redis, tmp_path, how, by):
    cache = make_cache(real_redis.url, tmp_path / "disk")
    other = cache if by == "this cache" else make_cache(real_redis.url, tmp_path / "disk")
    version = [1]
    during: list[Any] = []

    @cached_many(cache=cache, key_prefix="v", tags=lambda number: [f"id:{number}"])
    def versions(ids):
        found = dict.fromkeys(ids, version[0])
        if during:
            during.pop()()
        return found

    key = versions.cache_key(1)
    change = {
        "invalidate": lambda: other.delete(key),
        "tag": lambda: other.invalidate_tag("id:1"),
        "pattern": lambda: other.invalidate("v:*"),
        "clear": other.clear,
        "set": lambda: other.set(key, 2),
    }[how]

    def happen() -> None:
        version[0] = 2
        change()

    during.append(happen)
    assert versions([1, 2]) == {1: 1, 2: 1}
    wait_until(lambda: versions([1]) == {1: 2})
    forget_memory(cache)
    assert versions([1]) == {1: 2}


def test_redis_alone_tells_that_a_key_has_changed(make_cache, real_redis, monkeypatch):
    """The message that another cache has changed a key may arrive late."""
    cache, other = make_cache(real_redis.url), make_cache(real_redis.url)
    monkeypatch.setattr(core_of(cache), "apply_remote_changes", lambda keys: None)
    version = [1]

    @cached_many(cache=cache)
    def versions(ids):
        found = dict.fromkeys(ids, version[0])
        if version[0] == 1:
            version[0] = 2
            other.delete(versions.cache_key(1))
        return found

    assert versions([1, 2]) == {1: 1, 2: 1}
    assert versions([1, 2]) == {1: 2, 2: 1}


def test_a_message_alone_tells_that_a_key_has_changed(make_cache):
    """Redis may not have been in use when the computation began."""
    cache = make_cache()
    calls = []

    @cached_many(cache=cache)
    def versions(ids):
        calls.append(list(ids))
        core_of(cache).apply_remote_changes([versions.cache_key(1)])
        return dict.fromkeys(ids, len(calls))

    assert versions([1, 2]) == {1: 1, 2: 1}
    assert versions([1, 2]) == {1: 2, 2: 1}


def test_a_call_after_an_invalidation_does_not_join_an_older_computation(cache):
    begun, may_end = threading.Event(), threading.Event()
    version = [1]

    @cached_many(cache=cache)
    def versions(ids):
        found = dict.fromkeys(ids, version[0])
        if version[0] == 1:
            begun.set()
            assert may_end.wait(SOON_SECONDS)
        return found

    first, of_first = in_thread(lambda: versions([1, 2]))
    assert begun.wait(SOON_SECONDS)
    version[0] = 2
    versions.invalidate([1])
    assert versions([1]) == {1: 2}
    may_end.set()
    first.join()
    assert of_first == [{1: 1, 2: 1}]
    assert versions([1, 2]) == {1: 2, 2: 1}


class Model:
    """What calls one by one would return: the state of the source, and of a cache without any concurrency."""

    def __init__(self, clock) -> None:
        self.source = dict.fromkeys(range(5), 0)
        self.cached: dict[int, int] = {}
        self.calls: list[list[int]] = []
        self.during: list[int] = []
        self.cache = SmartCache(None, None, clock=clock)
        self.get = cached_many(cache=self.cache, key_prefix="model", ttl=10, tags=lambda one: [f"id:{one}"])(self.load)

    def load(self, ids: list[int]) -> dict[int, int]:
        self.calls.append(ids)
        found = {one: self.source[one] for one in ids}
        if self.during:  # somebody changes these and invalidates them, while the function computes
            changed = [self.during.pop() for _ in self.during[:]]
            self.change(changed)
            self.get.invalidate(changed[:1])
            for one in changed[1:]:
                self.cache.invalidate_tag(f"id:{one}")
        return found

    def change(self, ids: list[int]) -> None:
        for one in ids:
            self.source[one] += 1

    def call(self, ids: list[int], during: list[int], *, recompute: bool) -> None:
        expected = {one: self.source[one] if recompute else self.cached.get(one, self.source[one]) for one in ids}
        missing = [one for one in ids if recompute or one not in self.cached]
        self.calls, self.during = [], list(during) if missing else []
        assert (self.get.refresh if recompute else self.get)(ids) == expected
        assert self.calls == [missing] * bool(missing)
        self.cached |= {one: expected[one] for one in missing}
        if missing:
            self.cached = {one: value for one, value in self.cached.items() if one not in during}


IDS = st.lists(st.integers(0, 4), unique=True, max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["call", "refresh", "change", "invalidate", "tag", "wait"]), IDS, IDS)))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_calls_for_several_ids_return_what_calls_one_by_one_would(clock, operations):
    model = Model(clock)
    for what, ids, during in operations:
        if what in {"call", "refresh"}:
            model.call(ids, during, recompute=what == "refresh")
        elif what == "change":
            model.change(ids)
        elif what == "wait":
            clock.advance(11)
            model.cached.clear()
        else:
            if what == "invalidate":
                assert model.get.invalidate(ids) == len(model.cached.keys() & set(ids))
            elif ids:
                model.cache.invalidate_tag(*(f"id:{one}" for one in ids))
            for one in ids:
                model.cached.pop(one, None)
    model.cache.close()


def test_no_call_gets_a_value_from_before_the_invalidations_that_had_returned(cache):
    """Threads call for overlapping ids, refresh and invalidate, all at once."""
    source, floor = dict.fromkeys(range(6), 0), dict.fromkeys(range(6), 0)
    lock = threading.Lock()
    too_old: list[str] = []

    @cached_many(cache=cache)
    def versions(ids):
        return {one: source[one] for one in ids}

    def change(number: int) -> None:
        with lock:  # two changes of one id would have no order
            source[number] += 1
            now = source[number]
            (versions.invalidate if now % 2 else versions.refresh)([number])
            floor[number] = now

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(40):
            if rng.random() < 0.3:
                change(rng.randrange(6))
            ids = rng.sample(range(6), rng.randint(1, 6))
            least = {one: floor[one] for one in ids}
            found = versions(ids)
            too_old.extend(f"{one}: {found[one]} < {least[one]}" for one in ids if found[one] < least[one])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not too_old
