"""Tests that every wait for another caller's computation ends, and that it never brings back an older value."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import threading
import traceback
import weakref
from contextvars import ContextVar

import pytest
from callers import callers_of, let_time_pass_for_computations, most_callers
from waiting import SOON_SECONDS, until, wait_until

from jarvisperf.cache import AsyncSmartCache, SmartCache, cached, cached_many
from jarvisperf.cache.testing import core_of


@pytest.fixture(params=["memory", "disk", "redis"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    url = request.getfixturevalue("real_redis").url if request.param == "redis" else None
    return make_cache(url, tmp_path / "disk" if request.param == "disk" else None)


class Started:
    """A thread whose result or error can be collected."""

    def __init__(self, call, *args) -> None:
        self._result = self._error = None
        self._thread = threading.Thread(target=self._run, args=(call, *args), daemon=True)
        self._thread.start()

    def _run(self, call, *args) -> None:
        try:
            self._result = call(*args)
        except BaseException as error:  # noqa: BLE001 - raised again by ``result``
            self._error = error

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def result(self):
        self._thread.join(SOON_SECONDS)
        assert not self._thread.is_alive(), "the call hung"
        if self._error is not None:
            raise self._error
        return self._result


class Held:
    """A factory that begins, waits to be released, and returns its value."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self) -> object:
        self.begun.set()
        self.released.wait(SOON_SECONDS)
        return self.value

    async def in_coroutine(self) -> object:
        self.begun.set()
        await asyncio.to_thread(self.released.wait, SOON_SECONDS)
        return self.value


CHANGES = {
    "delete": lambda cache: cache.delete("k"),
    "delete_many": lambda cache: cache.delete_many(["k"]),
    "invalidate": lambda cache: cache.invalidate("k*"),
    "invalidate_tag": lambda cache: cache.invalidate_tag("t"),
    "clear": lambda cache: cache.clear(),
}


# --- a change during a computation


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_after_a_change_does_not_join_a_computation_that_began_before(cache, change):
    old = Held("old")
    early = Started(lambda: cache.get_or_set("k", old, tags=["t"]))
    old.begun.wait(SOON_SECONDS)
    CHANGES[change](cache)
    late = Started(lambda: cache.get_or_set("k", lambda: "new", tags=["t"]))
    assert late.result() == "new"
    old.released.set()
    assert early.result() == "old"
    assert cache.get("k") == "new"


@pytest.mark.parametrize("change", CHANGES)
def test_neither_does_a_coroutine(cache, change):
    old = Held("old")

    async def main() -> tuple[object, object]:
        face = AsyncSmartCache(cache=cache)
        early = asyncio.create_task(face.get_or_set("k", old.in_coroutine, tags=["t"]))
        await asyncio.to_thread(old.begun.wait, SOON_SECONDS)
        await asyncio.to_thread(CHANGES[change], cache)
        late = await asyncio.wait_for(face.get_or_set("k", lambda: "new", tags=["t"]), SOON_SECONDS)
        old.released.set()
        return await early, late

    assert asyncio.run(main()) == ("old", "new")
    assert cache.get("k") == "new"


@pytest.mark.parametrize("change", CHANGES)
def test_nor_does_one_that_comes_during_a_refresh(make_cache, clock, change):
    cache, old = make_cache(clock=clock), Held("refreshed before the change")
    terms = {"ttl": 10, "stale_ttl": 100, "tags": ["t"]}
    cache.get_or_set("k", lambda: "first", **terms)
    clock.advance(50)
    assert cache.get_or_set("k", old, **terms) == "first"
    old.begun.wait(SOON_SECONDS)
    CHANGES[change](cache)
    late = Started(lambda: cache.get_or_set("k", lambda: "new", **terms))
    assert late.result() == "new"
    old.released.set()


def test_a_write_during_a_computation_is_what_later_calls_get(make_cache):
    cache, old = make_cache(memory_items=0), Held("old")
    early = Started(lambda: cache.get_or_set("k", old))
    old.begun.wait(SOON_SECONDS)
    cache.set("k", "written")  # kept nowhere: this cache has no tier that could hold it
    late = Started(lambda: cache.get_or_set("k", lambda: "new"))
    assert late.result() == "new"
    old.released.set()
    assert early.result() == "old"


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_another_process_ends_joining_too(make_cache, real_redis, change):
    cache, other, old = make_cache(real_redis.url), make_cache(real_redis.url), Held("old")
    early = Started(lambda: cache.get_or_set("k", old, tags=["t"]))
    old.begun.wait(SOON_SECONDS)
    CHANGES[change](other)
    wait_until(lambda: not core_of(cache).flights.by_name)
    late = Started(lambda: cache.get_or_set("k", lambda: "new", tags=["t"], hard_seconds=SOON_SECONDS))
    if change in {"invalidate", "invalidate_tag", "clear"}:
        old.released.set()  # its lease is still valid: the caller waits for its end, not for its value
    assert late.result() == "new"
    old.released.set()
    assert early.result() == "old"
    assert cache.get("k") == "new"


def test_a_computation_that_was_overtaken_does_not_replace_the_newer_value(make_cache):
    cache, slow = make_cache(), Held("slow")
    with pytest.raises(TimeoutError):
        cache.get_or_set("k", slow, hard_seconds=0.01)
    let_time_pass_for_computations(cache)
    assert cache.get_or_set("k", lambda: "newer", hard_seconds=SOON_SECONDS) == "newer"
    core, threads = core_of(cache), threading.active_count()
    slow.released.set()
    wait_until(lambda: not core._computations.by_key or threading.active_count() < threads)
    assert cache.get("k") == "newer"


def test_while_a_new_value_is_computed_only_who_accepts_a_stale_one_gets_it(make_cache, clock):
    cache, new = make_cache(clock=clock), Held("new")
    cache.get_or_set("k", lambda: "old", ttl=10, stale_ttl=100)
    clock.advance(50)
    first = Started(lambda: cache.get_or_set("k", new))
    assert new.begun.wait(SOON_SECONDS)
    second = Started(lambda: cache.get_or_set("k", new))
    wait_until(lambda: callers_of(cache, "k") == 2 or not second.is_alive())
    assert Started(lambda: cache.get_or_set("k", new, stale_ttl=100)).result() == "old"
    new.released.set()
    assert [first.result(), second.result()] == ["new", "new"]


@pytest.mark.parametrize("is_stale", [False, True], ids=["missing", "stale"])
def test_a_caller_waits_for_a_background_thread_that_has_not_started_yet(make_cache, clock, monkeypatch, is_stale):
    cache = make_cache(clock=clock, wall_clock=clock)
    if is_stale:
        cache.get_or_set("k", lambda: "old", ttl=10, stale_ttl=100)
        clock.advance(50)
    may_start, run, runs = threading.Event(), threading.Thread.run, []

    def run_later(thread: threading.Thread) -> None:
        if thread.name == "jarvisperf-refresh":
            assert may_start.wait(SOON_SECONDS)
        run(thread)

    def make() -> str:
        runs.append(threading.current_thread().name)
        return "new"

    monkeypatch.setattr(threading.Thread, "run", run_later)
    limits = {"soft_seconds": SOON_SECONDS} if is_stale else {"hard_seconds": SOON_SECONDS}
    caller = Started(lambda: cache.get_or_set("k", make, ttl=10, stale_ttl=100, **limits))
    flights = core_of(cache).flights.by_name
    wait_until(lambda: not caller.is_alive() or any(flight._future is not None for flight in list(flights.values())))
    may_start.set()
    assert caller.result() == "new"
    assert runs == ["jarvisperf-refresh"]


# --- waits that could not end


def test_a_plain_call_in_the_event_loop_does_not_wait_for_a_coroutine_of_that_loop(cache):
    async def slow() -> str:
        await asyncio.sleep(0.01)
        return "from the coroutine"

    async def main() -> tuple[object, object]:
        task = asyncio.create_task(AsyncSmartCache(cache=cache).get_or_set("k", slow))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return cache.get_or_set("k", lambda: "from the plain call"), await task

    in_loop = Started(lambda: asyncio.run(main()))
    plain, awaited = in_loop.result()
    assert plain in {"from the plain call", "from the coroutine"}
    assert awaited in {"from the plain call", "from the coroutine"}


def test_nor_for_a_thread_that_waits_for_that_coroutine(make_cache):
    cache, begun = make_cache(), threading.Event()

    async def main() -> tuple[object, object]:
        gate = asyncio.Event()

        async def inner() -> str:
            await gate.wait()
            return "inner"

        def outer() -> str:
            begun.set()
            return f"outer of {cache.get_or_set('inner', lambda: 'not needed')}"

        task = asyncio.create_task(AsyncSmartCache(cache=cache).get_or_set("inner", inner))
        await asyncio.sleep(0.001)
        thread = Started(lambda: cache.get_or_set("outer", outer))
        await asyncio.to_thread(begun.wait, SOON_SECONDS)
        wanted = cache.get_or_set("outer", lambda: "computed here")
        gate.set()
        await task
        return wanted, await asyncio.to_thread(thread.result)

    in_loop = Started(lambda: asyncio.run(main()))
    wanted, outer = in_loop.result()
    assert wanted == "computed here"
    assert outer in {"outer of inner", "outer of not needed"}


@pytest.mark.parametrize("is_closed", [False, True])
def test_nobody_waits_for_an_event_loop_that_has_stopped(make_cache, is_closed):
    cache = make_cache()
    loop = asyncio.new_event_loop()

    async def endless() -> None:
        await asyncio.Event().wait()

    async def begin() -> asyncio.Task:
        task = asyncio.create_task(AsyncSmartCache(cache=cache).get_or_set("k", endless))
        await asyncio.sleep(0.001)
        return task

    task = loop.run_until_complete(begin())
    if is_closed:
        logging.getLogger("asyncio").disabled = True  # it reports the task that is lost here
        loop.close()
    assert Started(lambda: cache.get_or_set("k", lambda: "new")).result() == "new"
    assert not task.done()
    if not is_closed:
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    del task
    gc.collect()
    logging.getLogger("asyncio").disabled = False


def test_who_already_waits_notices_that_the_event_loop_has_stopped(make_cache, monkeypatch):
    monkeypatch.setattr("jarvisperf.cache.engine.flights.waiting.LOOK_AFTER_SECONDS", 0.01)
    cache, begun, waits = make_cache(), threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def begin() -> asyncio.Task:
        task = asyncio.create_task(AsyncSmartCache(cache=cache).get_or_set("k", endless))
        await asyncio.to_thread(begun.wait, SOON_SECONDS)
        await asyncio.to_thread(waits.wait, SOON_SECONDS)
        return task

    running = Started(lambda: loop.run_until_complete(begin()))
    begun.wait(SOON_SECONDS)
    waiting = Started(lambda: cache.get_or_set("k", lambda: "new"))
    waits.set()
    task = running.result()
    assert waiting.result() == "new"
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def test_so_does_a_batch(make_cache, monkeypatch):
    monkeypatch.setattr("jarvisperf.cache.engine.flights.waiting.LOOK_AFTER_SECONDS", 0.01)
    cache, calls, loop = make_cache(), [], asyncio.new_event_loop()

    @cached_many(cache=cache, key_prefix="batch")
    async def compute(names: list[str]) -> dict[str, str]:
        calls.append(names)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return dict.fromkeys(names, "new")

    async def begin() -> asyncio.Task:
        task = asyncio.create_task(compute(["a"]))
        await until(lambda: calls and most_callers(cache) == 2)
        return task

    running = Started(lambda: loop.run_until_complete(begin()))
    wait_until(lambda: calls)
    waiting = Started(lambda: asyncio.run(compute(["a"])))
    task = running.result()
    assert waiting.result() == {"a": "new"}
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_threads_that_need_each_others_keys_end(cache, count):
    barrier = threading.Barrier(count)

    def need(number: int) -> object:
        def make() -> object:
            barrier.wait(SOON_SECONDS)
            return cache.get_or_set(f"k{(number + 1) % count}", lambda: "alone", hard_seconds=SOON_SECONDS)

        return cache.get_or_set(f"k{number}", make)

    threads = [Started(need, number) for number in range(count)]
    assert {thread.result() for thread in threads} == {"alone"}


@pytest.mark.parametrize("count", [2, 3])
def test_tasks_that_need_each_others_keys_end(cache, count):
    async def main() -> set[object]:
        face, arrived, all_arrived = AsyncSmartCache(cache=cache), [], asyncio.Event()

        async def need(number: int) -> object:
            async def make() -> object:
                arrived.append(number)
                if len(arrived) == count:
                    all_arrived.set()
                await all_arrived.wait()
                return await face.get_or_set(f"k{(number + 1) % count}", lambda: "alone")

            return await face.get_or_set(f"k{number}", make)

        return set(await asyncio.wait_for(asyncio.gather(*map(need, range(count))), SOON_SECONDS))

    assert asyncio.run(main()) == {"alone"}


def test_functions_that_need_each_other_end_with_an_error_in_two_threads_as_in_one(make_cache):
    cache, barrier = make_cache(), threading.Barrier(2)

    @cached(cache=cache)
    def ping(first: bool) -> int:
        if first:
            barrier.wait(SOON_SECONDS)
        return pong(False)

    @cached(cache=cache)
    def pong(first: bool) -> int:
        if first:
            barrier.wait(SOON_SECONDS)
        return ping(False)

    threads = [Started(ping, True), Started(pong, True)]
    for thread in threads:
        with pytest.raises(RuntimeError, match="recursive get_or_set"):
            thread.result()


def test_two_caches_are_one_graph(make_cache):
    caches, barrier = [make_cache(), make_cache()], threading.Barrier(2)

    def need(number: int) -> object:
        def make() -> object:
            barrier.wait(SOON_SECONDS)
            return caches[1 - number].get_or_set("k", lambda: "alone")

        return caches[number].get_or_set("k", make)

    threads = [Started(need, number) for number in (0, 1)]
    assert {thread.result() for thread in threads} == {"alone"}


def test_a_hanging_computation_is_given_up_for_later_callers_too(cache, monkeypatch):
    if core_of(cache).heartbeat is not None:
        monkeypatch.setattr(core_of(cache).heartbeat, "lease_seconds", 0.05)
    hanging = Held("late")
    with pytest.raises(TimeoutError):
        cache.get_or_set("k", hanging, hard_seconds=0.05)
    let_time_pass_for_computations(cache)
    assert cache.get_or_set("k", lambda: "new", hard_seconds=SOON_SECONDS) == "new"
    hanging.released.set()


def test_a_refresh_that_hangs_is_given_up_too(make_cache, clock):
    cache, hanging = make_cache(clock=clock), Held("late")
    terms = {"ttl": 10, "stale_ttl": 100, "hard_seconds": SOON_SECONDS}
    cache.get_or_set("k", lambda: "old", **terms)
    clock.advance(50)
    assert cache.get_or_set("k", hanging, **terms) == "old"
    hanging.begun.wait(SOON_SECONDS)
    let_time_pass_for_computations(cache)
    wait_until(lambda: cache.get_or_set("k", lambda: "new", **terms) == "new")
    hanging.released.set()


# --- refreshes that fail


def test_a_refresh_that_fails_is_attempted_after_growing_pauses(make_cache, clock, caplog):
    caplog.set_level(logging.CRITICAL)
    cache, attempts = make_cache(clock=clock), []
    failed = threading.Event()

    def fail() -> None:
        attempts.append(clock())
        failed.set()
        raise ConnectionError("the origin is down")

    cache.get_or_set("k", lambda: "good", ttl=10, stale_ttl=1000)
    clock.advance(50)
    core = core_of(cache)
    for _ in range(400):
        before = len(attempts)
        assert cache.get_or_set("k", fail, ttl=10, stale_ttl=1000) == "good"
        if core.backoff.is_due("k"):
            wait_until(lambda before=before: len(attempts) > before and not core.backoff.is_due("k"))
        clock.advance(0.25)
    pauses = [round(after - before, 2) for before, after in itertools.pairwise(attempts)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_after_a_refresh_that_succeeds_the_next_one_is_attempted_at_once(make_cache, clock, caplog):
    caplog.set_level(logging.CRITICAL)
    cache = make_cache(clock=clock)
    terms = {"ttl": 10, "stale_ttl": 1000}
    cache.get_or_set("k", lambda: "first", **terms)
    clock.advance(50)
    cache.get_or_set("k", lambda: 1 / 0, **terms)
    core = core_of(cache)
    wait_until(lambda: not core.backoff.is_due("k"))
    clock.advance(1)
    cache.get_or_set("k", lambda: "second", **terms)
    wait_until(lambda: cache.get("k") == "second")
    clock.advance(50)
    assert core.backoff.is_due("k")
    cache.get_or_set("k", lambda: "third", **terms)
    wait_until(lambda: cache.get("k") == "third")


# --- coroutines


def test_cancelling_the_only_caller_cancels_the_computation_and_waits_for_its_end(cache):
    ended = []

    async def main() -> None:
        begun = asyncio.Event()

        async def use_session() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
                ended.append("the computation")

        async def request() -> None:
            try:
                await AsyncSmartCache(cache=cache).get_or_set("k", use_session)
            finally:
                ended.append("the session")

        task = asyncio.create_task(request())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, SOON_SECONDS)

    asyncio.run(main())
    assert ended == ["the computation", "the session"]
    assert cache.get_or_set("k", lambda: "usable") == "usable"


def test_cancelling_all_callers_one_by_one_cancels_the_computation(cache):
    async def main() -> list[str]:
        seen, begun, face = [], asyncio.Event(), AsyncSmartCache(cache=cache)

        async def compute() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        tasks = [asyncio.create_task(face.get_or_set("k", compute)) for _ in range(3)]
        await begun.wait()
        await until(lambda: callers_of(cache, "k") == len(tasks))
        for task in tasks:
            assert not seen
            task.cancel()
            await until(task.done)
        return seen

    assert asyncio.run(main()) == ["cancelled"]


def test_a_shielded_call_goes_on_without_its_caller(cache):
    async def main() -> object:
        face, begun = AsyncSmartCache(cache=cache), asyncio.Event()

        async def compute() -> str:
            begun.set()
            await asyncio.sleep(0.01)
            return "v"

        call = asyncio.ensure_future(face.get_or_set("k", compute))
        task = asyncio.ensure_future(asyncio.wait_for(asyncio.shield(call), SOON_SECONDS))
        await begun.wait()
        task.cancel()
        await call
        return await face.get("k")

    assert asyncio.run(main()) == "v"


def test_an_error_in_a_coroutine_is_raised_and_not_logged_too(cache, caplog):
    async def fail() -> None:
        raise KeyError("user 7")

    async def main() -> None:
        with pytest.raises(KeyError, match="user 7"):
            await AsyncSmartCache(cache=cache).get_or_set("k", fail)

    asyncio.run(main())
    with pytest.raises(KeyError, match="user 7"):
        cache.get_or_set("k", lambda: {}["user 7"], hard_seconds=SOON_SECONDS)
    assert not caplog.messages


def test_context_variables_travel_into_the_computation(cache):
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

    async def compute() -> str:
        return tenant.get()

    async def main() -> object:
        tenant.set("acme")
        return await AsyncSmartCache(cache=cache).get_or_set("k", compute)

    assert asyncio.run(main()) == "acme"
    assert cache.get_or_set("other", tenant.get, hard_seconds=SOON_SECONDS) == "nobody"


# --- errors shared by many callers


class RefusedError(Exception):
    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.reason = reason


@pytest.mark.parametrize("make_error", [lambda: ValueError("no luck"), lambda: RefusedError(7, reason="no luck")])
def test_the_traceback_of_a_shared_error_does_not_grow_with_its_callers(make_cache, make_error):
    cache = make_cache()

    async def main() -> list[BaseException]:
        begun = asyncio.Event()

        async def fail() -> None:
            await begun.wait()
            raise make_error()

        face = AsyncSmartCache(cache=cache)
        calls = [asyncio.create_task(face.get_or_set("k", fail)) for _ in range(50)]
        await asyncio.sleep(0.001)
        begun.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    errors = asyncio.run(main())
    assert {type(error) for error in errors} == {type(make_error())}
    assert all("no luck" in str(error) for error in errors)
    assert max(len(traceback.extract_tb(error.__traceback__)) for error in errors) < 30
    assert all("fail" in [frame.name for frame in traceback.extract_tb(error.__traceback__)] for error in errors)


# --- recursion


def test_a_recursion_may_be_as_deep_as_that_of_lru_cache(make_cache):
    @cached(cache=make_cache())
    def count(number: int) -> int:
        return 0 if number == 0 else 1 + count(number - 1)

    assert count(900) == 900
    assert count(899) == 899


def test_an_endless_recursion_is_a_recursion_error(make_cache, monkeypatch):
    monkeypatch.setattr("jarvisperf.cache.engine.loads.drivers._FLIGHTS_PER_THREAD", 20)

    @cached(cache=make_cache())
    def endless(number: int) -> int:
        return endless(number + 1)

    with pytest.raises(RecursionError, match="computations are nested"):
        endless(0)


def test_a_coroutine_may_recurse_as_deep(make_cache):
    @cached(cache=make_cache())
    async def count(number: int) -> int:
        return 0 if number == 0 else 1 + await count(number - 1)

    assert asyncio.run(count(900)) == 900


def test_a_long_computation_does_not_keep_what_it_got_from_others(make_cache):
    cache = make_cache()

    def use_and_forget() -> bool:
        found = cache.get_or_set("inner", lambda: {1, 2}, cache_if=lambda _: False)
        gone = weakref.ref(found)
        del found
        gc.collect()
        return gone() is None

    assert cache.get_or_set("outer", use_and_forget)


def test_a_computation_that_others_waited_for_is_not_kept_alive(cache):
    class Result:
        """Cannot be stored, so nothing but its callers should hold it."""

    made: list[weakref.ref[Result]] = []

    def make() -> Result:
        wait_until(lambda: callers_of(cache, "k") == 2)
        result = Result()
        made.append(weakref.ref(result))
        return result

    calls = [Started(cache.get_or_set, "k", make) for _ in range(2)]
    assert all(isinstance(call.result(), Result) for call in calls)
    del calls
    gc.collect()
    assert [each() for each in made] == [None]
