"""Tests where coroutines are awaited: in a new loop, in a borrowed one, and in a running task."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until, wait_until

from jarvisperf.measure.instrumentation import uninstrumented
from jarvisperf.measure.targets import CoroutineTarget, SetUpTarget, make_target
from jarvisperf.measure.targets.waiters import (
    CancelledMeasurementError,
    LentLoop,
    OwnLoop,
    RunningTask,
    is_inside_a_loop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def work(value: int = 3) -> tuple[int, Any]:
    await asyncio.sleep(0)
    return value, asyncio.current_task()


def test_in_a_running_task_calls_are_made_by_that_task():
    async def test() -> tuple[Any, Any]:
        task = RunningTask()
        target = CoroutineTarget(work, (5,), waiter=task)

        def measure() -> Any:
            assert target.sample(4) > 0
            assert len(target.samples(2, 3, nullcontext())) == 3
            return target.call()

        return await task.work(measure), asyncio.current_task()

    (value, caller), here = asyncio.run(test())
    assert value == 5
    assert caller is here


def test_the_same_on_trio(require: Callable[[str], Any]):
    trio = require("trio")
    seen = []

    async def trio_work() -> None:
        await trio.sleep(0)
        seen.append(trio.lowlevel.current_task())

    async def test() -> Any:
        task = RunningTask()
        target = CoroutineTarget(trio_work, waiter=task)
        await task.work(lambda: target.sample(3))
        return trio.lowlevel.current_task()

    here = trio.run(test)
    assert seen == [here] * 3


def test_what_a_call_raises_is_raised_in_the_thread_first_and_then_in_the_task():
    noticed = []

    async def fail() -> None:
        raise ZeroDivisionError

    async def test() -> None:
        task = RunningTask()
        target = CoroutineTarget(fail, waiter=task)

        def measure() -> None:
            try:
                target.sample(1)
            except ZeroDivisionError:
                noticed.append(threading.current_thread())
                raise

        with pytest.raises(ZeroDivisionError):
            await task.work(measure)

    asyncio.run(test())
    assert noticed != [threading.main_thread()]


@pytest.mark.parametrize("where", ["in a call", "between calls"])
def test_a_cancelled_task_ends_the_thread(where: str):
    ends: list[BaseException] = []
    has_begun = threading.Event()

    async def call() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    async def test() -> None:
        task = RunningTask()
        target = CoroutineTarget(call, waiter=task)

        def measure() -> None:
            try:
                if where == "between calls":
                    has_begun.set()
                    wait_until(lambda: task._is_over)
                target.sample(1)
            except BaseException as error:
                ends.append(error)
                raise

        await task.work(measure)

    async def cancel() -> None:
        running = asyncio.create_task(test())
        await until(has_begun.is_set)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel())
    expected = asyncio.CancelledError if where == "in a call" else CancelledMeasurementError
    assert [type(error) for error in ends] == [expected]
    assert not any(thread.name == "jarvisperf" for thread in threading.enumerate())


def test_tracers_are_taken_off_on_the_thread_that_makes_the_calls():
    seen: list[Any] = []

    async def look() -> None:
        seen.append(sys.getprofile())

    async def test() -> None:
        task = RunningTask()
        target = CoroutineTarget(look, waiter=task)

        def measure() -> None:
            target.sample(1)
            with uninstrumented():
                target.sample(1)
            target.sample(1)

        await task.work(measure)

    def profiler(*_: object) -> None: ...

    sys.setprofile(profiler)
    try:
        asyncio.run(test())
    finally:
        sys.setprofile(None)
    assert seen == [profiler, None, profiler]


def test_a_context_around_samples_is_entered_on_the_thread_of_the_loop():
    threads = []

    @contextlib.contextmanager
    def noting() -> Any:
        threads.append(threading.current_thread())
        yield

    async def test() -> None:
        task = RunningTask()
        await task.work(lambda: CoroutineTarget(work, waiter=task).samples(1, 2, noting()))

    asyncio.run(test())
    assert threads == [threading.main_thread()]


def test_set_up_and_teardown_run_in_the_task_too():
    tasks = []

    async def setup() -> tuple[tuple[int, ...], dict[str, int]]:
        tasks.append(asyncio.current_task())
        return (7,), {}

    async def teardown(value: int) -> None:
        assert value == 7
        tasks.append(asyncio.current_task())

    async def test() -> Any:
        task = RunningTask()
        target = SetUpTarget(work, setup=setup, teardown=teardown, waiter=task)
        result = await task.work(target.call)
        assert {*tasks, result[1]} == {asyncio.current_task()}
        return result[0]

    assert asyncio.run(test()) == 7
    assert len(tasks) == 2


def test_a_lent_loop_is_used_and_given_back():
    given_back = []
    loop = asyncio.new_event_loop()

    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    target = CoroutineTarget(where, waiter=LentLoop(loop.run_until_complete, lambda: given_back.append(True)))
    assert target.call() is loop
    target.close()
    assert given_back == [True]
    loop.close()


def test_a_function_that_makes_coroutines_is_called_once_to_find_out():
    made = []

    def make() -> Coroutine[Any, Any, Any]:
        made.append(1)
        return work(1)

    target = make_target(make)
    assert isinstance(target, CoroutineTarget)
    assert target.call()[0] == 1
    assert made == [1]
    target.sample(2)
    assert made == [1] * 3
    target.close()


def test_inside_a_loop_there_is_no_other_loop():
    async def test() -> None:
        assert is_inside_a_loop()
        OwnLoop()

    assert not is_inside_a_loop()
    with pytest.raises(RuntimeError, match="call the benchmark from a plain function"):
        asyncio.run(test())
