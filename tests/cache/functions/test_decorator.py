"""Tests ``@cached``: a function runs once per key."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import pytest
from callers import most_callers
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache import SmartCache, cached
from jarvisperf.cache import default as shared
from jarvisperf.cache.testing import forget_memory, store_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["memory", "disk"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    return make_cache(None, tmp_path / "disk" if request.param == "disk" else None)


def test_a_function_runs_once_per_arguments(cache):
    calls = []

    @cached(ttl=600, key_prefix="embeddings", cache=cache)
    def embed(text, size=2):
        calls.append(text)
        return [len(text)] * size

    assert embed("abc") == embed("abc", 2) == embed(text="abc") == [3, 3]
    assert embed("abc", 1) == [3]
    assert calls == ["abc", "abc"]


def test_a_coroutine_function_runs_once_per_arguments(cache):
    calls = []

    @cached(ttl=600, cache=cache)
    async def embed(text):
        calls.append(text)
        await asyncio.sleep(0)
        return [text]

    async def main():
        return [await embed("a"), await embed("a"), await embed("b")]

    assert inspect.iscoroutinefunction(embed)
    assert asyncio.run(main()) == [["a"], ["a"], ["b"]]
    assert calls == ["a", "b"]


def test_a_cache_that_waits_does_not_stop_the_event_loop(make_cache, tmp_path, monkeypatch):
    cache = make_cache(None, tmp_path / "disk")
    released = threading.Event()
    monkeypatch.setattr(store_of(cache, "disk"), "get", lambda key: released.wait(SOON_SECONDS) and None)

    @cached(cache=cache)
    async def slow(x):
        return x

    async def main():
        waiting = asyncio.create_task(slow(1))
        await asyncio.sleep(0.05)  # the event loop keeps running while a thread waits for the disk
        released.set()
        return await waiting

    assert asyncio.run(main()) == 1


class Service:
    def __init__(self, factor) -> None:
        self.factor = factor
        self.calls = 0

    def work(self, x):
        self.calls += 1
        return x * self.factor

    async def work_later(self, x):
        self.calls += 1
        return x * self.factor


def test_a_method_runs_once_per_instance_and_arguments(cache):
    class Cached(Service):
        work = cached(cache=cache)(Service.work)
        work_later = cached(cache=cache)(Service.work_later)

    two, three = Cached(2), Cached(3)
    assert [two.work(5), two.work(5), three.work(5), three.work(5)] == [10, 10, 15, 15]
    assert (two.calls, three.calls) == (1, 1)
    assert asyncio.run(two.work_later(5)) == asyncio.run(two.work_later(5)) == 10
    assert two.calls == 2


def test_class_and_static_methods_are_cached_below_their_decorator(cache):
    calls = []

    class Tool:
        @classmethod
        @cached(key_prefix="class", cache=cache)
        def of_class(cls, x):
            calls.append(x)
            return x

        @staticmethod
        @cached(key_prefix="static", cache=cache)
        def alone(x):
            calls.append(x)
            return x

    Tool.__qualname__ = "Tool"  # defined in the module, not in a function
    assert [Tool.of_class(1), Tool().of_class(1), Tool.alone(2), Tool().alone(2)] == [1, 1, 2, 2]
    assert calls == [1, 2]


def test_none_is_a_result_like_any_other(cache):
    calls = []

    @cached(cache=cache)
    def nothing():
        calls.append(1)

    assert nothing() is nothing() is None
    assert len(calls) == 1


def test_an_exception_is_not_kept(cache):
    outcomes = iter([ValueError("first"), "second"])

    @cached(cache=cache)
    def moody():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="first"):
        moody()
    assert moody() == "second"


def test_a_result_expires(make_cache, clock):
    calls = []

    @cached(ttl=10, cache=make_cache(clock=clock))
    def now():
        calls.append(1)
        return len(calls)

    assert now() == now() == 1
    clock.advance(10)
    assert now() == 2


def test_the_ttl_of_the_cache_holds_where_none_is_given(make_cache, clock):
    calls = []

    @cached(cache=make_cache(clock=clock, default_ttl=5))
    def now():
        calls.append(1)
        return len(calls)

    now()
    clock.advance(5)
    assert now() == 2


def test_a_result_can_be_invalidated(cache):
    calls = []

    @cached(key_prefix="p", cache=cache)
    def double(x):
        calls.append(x)
        return 2 * x

    double(1)
    double(2)
    assert double.invalidate(x=1) is True
    assert double.invalidate(1) is False
    double(1)
    double(2)
    assert calls == [1, 2, 1]
    assert cache.invalidate("p:*") == 2


def test_the_key_is_the_one_in_the_cache(cache):
    @cached(key_prefix="p", cache=cache)
    def double(x):
        return 2 * x

    double(4)
    assert cache.get(double.cache_key(4)) == 8


def test_changing_a_result_changes_nothing(cache):
    @cached(cache=cache)
    def rows():
        return [1]

    rows().append(2)
    rows().append(3)
    assert rows() == [1]


def test_the_function_keeps_its_face(cache):
    def original(a: int) -> int:
        """Say what it does."""
        return a

    wrapped = cached(cache=cache)(original)
    assert wrapped.__wrapped__ is original
    assert (wrapped.__name__, wrapped.__doc__) == ("original", "Say what it does.")
    assert inspect.signature(wrapped) == inspect.signature(original)


def test_an_argument_without_a_lasting_encoding_is_an_error_that_names_it(cache):
    @cached(cache=cache)
    def f(x, handle):
        return x

    with pytest.raises(TypeError, match=r"argument 'handle' of .*\.f: object of type object"):
        f(1, object())


def test_a_result_that_cannot_be_stored_is_returned_and_logged_once(cache, caplog):
    @cached(cache=cache)
    def f():
        return {"rows": [object()]}

    with caplog.at_level(logging.WARNING, "jarvisperf"):
        first, second = f(), f()
    assert (type(first["rows"][0]), first is second) == (object, False)
    assert cache.get_stats()["unstorable"] == 2
    (record,) = caplog.records
    assert "test_a_result_that_cannot_be_stored_is_returned_and_logged_once.<locals>.f is not cached" in record.message
    assert "value['rows'][0]: object of type object cannot be cached" in record.message


def test_a_dead_redis_does_not_keep_a_function_from_working(refusing_url):
    with SmartCache(refusing_url, None) as cache:
        wrapped = cached(cache=cache)(len)
        assert wrapped("abc") == wrapped("abc") == 3


def test_the_caches_failure_to_find_its_key_is_not_the_functions(cache):
    @cached(cache=cache)
    def f(x):
        return x

    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        f()


@pytest.mark.parametrize(
    ("decorate", "error", "message"),
    [
        (lambda: cached(ttl=-1), ValueError, "ttl is -1"),
        (lambda: cached(ttl="1h"), TypeError, "ttl is '1h'"),
        (lambda: cached(len), TypeError, "write @cached()"),
        (lambda: cached(classmethod(len)), TypeError, "write @cached()"),
        (lambda: cached(key_prefix=5), TypeError, "key_prefix is 5: give a str"),
        (lambda: cached()(5), TypeError, "@cached got 5: give a function"),
        (lambda: cached()(dict), TypeError, "give a function"),
        (lambda: cached()(staticmethod(len)), TypeError, "put @cached below @staticmethod"),
        (lambda: cached()(lambda: (yield)), TypeError, "can be read only once"),
        (lambda: cached()(lambda x: x), ValueError, "give @cached a key_prefix"),
    ],
)
def test_what_cannot_be_decorated_is_said_when_it_is_decorated(decorate, error, message):
    with pytest.raises(error) as caught:
        decorate()
    assert message in str(caught.value)


def test_without_a_cache_it_is_the_process_own_looked_up_at_the_call(monkeypatch, make_cache):
    one, other = make_cache(), make_cache()

    @cached()
    def f(x):
        return x

    monkeypatch.setattr(shared, "get_smart_cache", lambda: one)
    f(1)
    monkeypatch.setattr(shared, "get_smart_cache", lambda: other)
    f(1)
    assert one.get_stats()["sets"] == other.get_stats()["sets"] == 1


@dataclass
class Point:
    x: int


class Wider(TypedDict):
    x: int
    y: int


def typed(cache, result, annotation, calls):
    """Decorate one function as it is in an older or a newer version of the program, plain or as a coroutine
    function."""

    def work() -> Any:
        calls.append(result)
        return result

    async def work_async() -> Any:
        return work()

    def decorate(is_async: bool) -> Callable[[], Any]:
        function = work_async if is_async else work
        function.__annotations__["return"] = annotation
        function.__qualname__ = "work"
        decorated = cached(key_prefix="typed", cache=cache)(function)
        return (lambda: asyncio.run(decorated())) if is_async else decorated

    return decorate


@pytest.mark.parametrize("is_async", [False, True], ids=["function", "coroutine"])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_cached_result_that_no_longer_fits_the_annotation_is_computed_again(make_cache, tmp_path, is_async, where):
    cache, calls = make_cache(None, tmp_path / "d"), []
    typed(cache, Point(1), Point, calls)(is_async)()
    if where == "disk":
        forget_memory(cache)
    newer = typed(cache, {"x": 1, "y": 2}, Wider, calls)(is_async)
    assert [newer(), newer()] == [{"x": 1, "y": 2}] * 2
    assert calls == [Point(1), {"x": 1, "y": 2}]


@pytest.mark.parametrize("is_async", [False, True], ids=["function", "coroutine"])
def test_a_result_that_never_fits_the_annotation_is_returned_and_computed_at_each_call(make_cache, tmp_path, is_async):
    cache, calls = make_cache(None, tmp_path / "d"), []
    work = typed(cache, {"x": "no number"}, Point, calls)(is_async)
    assert [work(), work()] == [{"x": "no number"}] * 2
    assert len(calls) == 2


@pytest.mark.parametrize("is_async", [False, True], ids=["function", "coroutine"])
def test_where_an_older_process_keeps_what_does_not_fit_again_and_again_the_function_is_called(
    make_cache, monkeypatch, is_async
):
    cache, calls = make_cache(), []
    typed(cache, Point(1), Point, calls)(is_async)()
    newer = typed(cache, {"x": 1, "y": 2}, Wider, calls)(is_async)
    monkeypatch.setattr(cache, "delete", lambda key: False)
    assert newer() == {"x": 1, "y": 2}


@dataclass
class Shape:
    name: str


@dataclass
class Circle(Shape):
    radius: int


class Pair(NamedTuple):
    first: Shape
    second: int


class Known(TypedDict):
    name: str


@pytest.mark.parametrize(
    ("annotation", "result"),
    [(Shape, Circle("c", 2)), (list[Shape], [Shape("s"), Circle("c", 2)])],
    ids=["dataclass", "inside a list"],
)
def test_an_instance_of_a_subclass_is_returned_whole_and_not_stored(cache, annotation, result):
    runs = []

    def make():
        runs.append(1)
        return result

    make.__annotations__["return"] = annotation
    kept = cached(cache=cache)(make)
    assert [kept(), kept()] == [result, result]
    assert len(runs) == 2


def test_a_typed_dict_keeps_keys_that_its_annotation_lacks(cache):
    def make() -> Known:
        return {"name": "k", "more": 1}  # type: ignore[typeddict-unknown-key]

    kept = cached(cache=cache)(make)
    assert [kept(), kept()] == [{"name": "k", "more": 1}] * 2
    assert kept.cache_info().misses == 1


def test_a_named_tuple_comes_back_as_one(cache):
    @cached(cache=cache)
    def pair() -> Pair:
        return Pair(Shape("s"), 2)

    assert pair() == Pair(Shape("s"), 2)
    forget_memory(cache)
    assert type(pair()) is Pair


@cached(cache=SmartCache(None, None))
def make_later() -> Later:
    return Later(1)


@dataclass
class Later:
    number: int


def test_an_annotation_may_name_what_is_defined_below_the_function():
    assert make_later() == make_later() == Later(1)
    assert make_later.cache_info().misses == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache": 5}, "cache is 5: give a SmartCache or an AsyncSmartCache"),
        ({"ignore": None}, "ignore is None: give a list or tuple of names"),
        ({"tags": 5}, "tags is 5: give several tags"),
    ],
)
def test_an_option_of_a_wrong_type_is_said_when_it_is_decorated(options, message):
    with pytest.raises(TypeError, match=message):
        cached(**options)(len)


def test_a_factory_that_is_no_function_is_an_error_before_anything_is_asked(cache):
    with pytest.raises(TypeError, match="factory is 5: give a function without arguments"):
        cache.get_or_set("k", 5)


def test_a_closed_cache_says_so_to_whoever_looks_into_its_memory(make_cache):
    cache = make_cache()
    cache.close()
    with pytest.raises(RuntimeError, match="this cache is closed"):
        cache.get_from_memory("k")


REFUSED = "read is a generator, which only one caller can read: return a list or another value that can be cached"


@pytest.mark.parametrize(
    ("make", "of_second"),
    [(lambda: iter([1, 2]), [1, 2]), (lambda: (number for number in [1, 2]), REFUSED)],
    ids=["can be copied", "cannot"],
)
def test_a_caller_that_waited_never_gets_an_iterator_that_another_one_reads(cache, make, of_second):
    begun, may_end = threading.Event(), threading.Event()

    @cached(cache=cache)
    def read():
        begun.set()
        assert may_end.wait(SOON_SECONDS)
        return make()

    def outcome():
        try:
            return list(read())
        except TypeError as error:
            return str(error).partition("<locals>.")[2]

    with ThreadPoolExecutor() as pool:
        first = pool.submit(outcome)
        assert begun.wait(SOON_SECONDS)
        second = pool.submit(outcome)
        wait_until(lambda: most_callers(cache) == 2)
        may_end.set()
    assert (first.result(), second.result()) == ([1, 2], of_second)
