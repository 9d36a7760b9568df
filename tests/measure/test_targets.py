"""Tests what a target calls, how often, with which arguments, and what it returns."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from jarvisperf.measure.targets import CoroutineTarget, FunctionTarget, SetUpTarget, make_target


class Calls:
    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        self.made.append((*args, *kwargs.items()))
        return "result"

    async def awaited(self, *args: Any, **kwargs: Any) -> str:
        await asyncio.sleep(0)
        return self(*args, **kwargs)


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2), {}), ((), {"a": 1}), ((1,), {"a": 2})])
@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_sample_makes_exactly_its_calls_with_the_arguments(kind: str, args: Any, kwargs: Any):
    calls = Calls()
    target = make_target(calls if kind == "function" else calls.awaited, args, kwargs)
    assert isinstance(target, FunctionTarget if kind == "function" else CoroutineTarget)
    assert target.call() == "result"
    assert target.sample(5) > 0
    assert calls.made == [(*args, *kwargs.items())] * 6
    assert target.call() == "result"
    seconds, result = target.timed_call()
    assert seconds > 0
    assert result == "result"
    target.close()


class AwaitedObject:
    async def __call__(self, value: int = 3) -> int:
        await asyncio.sleep(0)
        return value


async def awaited_function(value: int = 3) -> int:
    return await AwaitedObject()(value)


AWAITED = [AwaitedObject(), functools.partial(AwaitedObject(), 3), functools.partial(awaited_function, 3)]


@pytest.mark.parametrize("function", AWAITED, ids=["object", "partial of object", "partial of function"])
def test_whatever_makes_a_coroutine_is_awaited(function: Any):
    target = make_target(function)
    assert target.call() == 3
    target.close()
    assert SetUpTarget(function, setup=lambda: None).call() == 3


def test_without_awaiting_a_call_makes_a_coroutine_and_nothing_more():
    made = SetUpTarget(AwaitedObject(), awaits=False).call()
    assert asyncio.iscoroutine(made)
    made.close()


def test_a_class_whose_instances_are_awaited_is_itself_just_called():
    assert isinstance(make_target(AwaitedObject).call(), AwaitedObject)


class Clock:
    """Stands still except for what `work` adds; counts how often it is read."""

    def __init__(self) -> None:
        self.now = 10.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now

    def work(self, *args: Any, **kwargs: Any) -> None:
        self.now += 1.0

    async def awaited_work(self, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self.now += 1.0

    def begins_work(self) -> Any:
        self.now += 1.0
        return self.awaited_work()


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1,), {}), ((), {"a": 1}), ((1,), {"a": 2})])
@pytest.mark.parametrize("kind", ["work", "awaited_work"])
def test_a_sample_is_the_seconds_between_two_readings_of_the_clock(kind: str, args: Any, kwargs: Any):
    clock = Clock()
    target = make_target(getattr(clock, kind), args, kwargs, clock)
    target.call()
    clock.reads = 0
    assert (target.sample(5), clock.reads) == (5.0, 2)
    assert (target.timed_call()[0], clock.reads) == (1.0, 4)
    target.close()


def test_the_first_call_of_a_function_that_returns_a_coroutine_includes_creating_it():
    clock = Clock()
    target = make_target(clock.begins_work, clock=clock)
    assert target.timed_call() == (2.0, None)
    target.close()


@pytest.mark.parametrize("iterations", [1, 2, 5])
@pytest.mark.parametrize("kind", ["work", "awaited_work"])
def test_a_sample_without_set_up_makes_its_calls_and_no_more(kind: str, iterations: int):
    clock = Clock()
    target = SetUpTarget(getattr(clock, kind), iterations=iterations, clock=clock)
    first, then = target.sample(iterations), target.sample(iterations)
    assert (first, then) == (iterations, iterations)
    target.close()


def test_only_the_first_sample_of_several_calls_times_a_call_by_itself():
    clock = Clock()
    target = SetUpTarget(clock.work, iterations=3, clock=clock)
    target.sample(3)
    assert clock.reads == 4
    target.sample(3)
    assert clock.reads == 6


def test_a_sample_of_one_call_reads_the_clock_twice():
    clock = Clock()
    target = SetUpTarget(clock.work, clock=clock)
    target.sample(1)
    assert clock.reads == 2


def test_a_coroutine_inside_a_running_loop_is_refused_with_the_way_out():
    async def inside() -> None:
        make_target(Calls().awaited)

    with pytest.raises(RuntimeError, match="call the benchmark from a plain function"):
        asyncio.run(inside())


def test_set_up_and_teardown_surround_every_sample_outside_the_timing():
    events: list[Any] = []
    time = 0.0

    def clock() -> float:
        events.append("clock")
        return time

    def setup() -> tuple[tuple[int, ...], dict[str, int]]:
        events.append("setup")
        return (1,), {"b": 2}

    def work(a: int, b: int) -> None:
        events.append(("call", a, b))

    def teardown(a: int, b: int) -> None:
        events.append(("teardown", a, b))

    target = SetUpTarget(work, setup=setup, teardown=teardown, clock=clock)
    target.sample(1)
    assert events == ["setup", "clock", ("call", 1, 2), "clock", ("teardown", 1, 2)]


def test_arguments_from_two_places_are_refused():
    target = SetUpTarget(Calls(), (1,), setup=lambda: ((2,), {}))
    with pytest.raises(TypeError, match="setup returned arguments"):
        target.sample(1)


@pytest.mark.parametrize("iterations", [0, -1, True, 1.5, "2"])
def test_iterations_must_be_a_positive_whole_number(iterations: Any):
    with pytest.raises((TypeError, ValueError), match="iterations is"):
        SetUpTarget(Calls(), iterations=iterations)


def test_a_set_up_allows_one_call_per_sample():
    with pytest.raises(ValueError, match="each sample is one call"):
        SetUpTarget(Calls(), setup=lambda: None, iterations=2)


def test_what_the_target_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        make_target(lambda: 1 / 0).sample(1)
