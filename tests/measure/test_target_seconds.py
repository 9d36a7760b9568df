"""Tests which part of a target's work is timed: all of its calls, and nothing else. The work itself advances the
clock."""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jarvisperf.clocks import REAL
from jarvisperf.measure.targets.call_targets import (
    CoroutineTarget,
    FunctionTarget,
    Handed,
    SetUpTarget,
    any_is_awaited,
    calls_are_awaited,
    is_to_be_awaited,
    look_at,
    make_target,
)
from jarvisperf.measure.targets.lazy_results import LazyResultError
from jarvisperf.measure.targets.waiters import OwnLoop


class Work:
    """Functions that advance a clock: a call by 1 s, a set-up by 100 s, a teardown by 10,000 s."""

    def __init__(self) -> None:
        self.now = 64.0  # not 0: only differences count
        self.made: list[Any] = []

    def clock(self) -> float:
        return self.now

    def call(self, *args: Any, **kwargs: Any) -> str:
        self.now += 1.0
        self.made.append((args, kwargs))
        return f"call {len(self.made)}"

    async def call_async(self, *args: Any, **kwargs: Any) -> str:
        return self.call(*args, **kwargs)

    def setup(self) -> tuple[tuple[int, ...], dict[str, int]]:
        self.now += 100.0
        self.made.append("setup")
        return (1,), {"b": 2}

    def setup_without_arguments(self) -> None:
        self.setup()

    async def setup_async(self) -> tuple[tuple[int, ...], dict[str, int]]:
        return self.setup()

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        self.now += 10_000.0
        self.made.append(("teardown", args, kwargs))

    async def teardown_async(self, *args: Any, **kwargs: Any) -> None:
        self.teardown(*args, **kwargs)

    @contextmanager
    def around(self) -> Iterator[None]:
        self.made.append("enter")
        yield
        self.made.append("leave")


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), ((1, 2), {}), ((), {"a": 1}), ((1,), {"a": 2})]
KINDS = ["call", "call_async"]


def made(work: Work, kind: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
    return (FunctionTarget if kind == "call" else CoroutineTarget)(getattr(work, kind), args, kwargs, work.clock)


@pytest.mark.parametrize(("args", "kwargs"), ARGUMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_the_seconds_of_all_its_calls(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]):
    work = Work()
    target = made(work, kind, args, kwargs)
    assert (target.fixed_iterations, target.sets_up, target.has_own_clock) == (None, False, True)
    assert target.sample(5) == 5.0
    assert target.timed_call() == (1.0, "call 6")
    assert target.call() == "call 7"
    assert work.made == [(args, kwargs)] * 7
    target.close()


@pytest.mark.parametrize("kind", KINDS)
def test_several_samples_are_taken_inside_one_context(kind: str):
    work = Work()
    target = made(work, kind)
    assert target.samples(2, 3, work.around()) == [2.0, 2.0, 2.0]
    assert work.made == ["enter", *[((), {})] * 6, "leave"]
    target.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_clock_may_be_exchanged_and_the_real_one_is_nobodys_own(kind: str):
    work = Work()
    target = (FunctionTarget if kind == "call" else CoroutineTarget)(getattr(work, kind))
    assert not target.has_own_clock
    target.use_clock(work.clock)
    assert target.has_own_clock
    assert target.sample(3) == 3.0
    target.use_clock(REAL.wall)
    assert not target.has_own_clock
    target.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_was_made_already_is_the_first_that_is_given_and_only_that(kind: str):
    work = Work()
    if kind == "call":
        target: Any = FunctionTarget(work.call, (), None, work.clock, (7.0, "made"))
    else:
        target = CoroutineTarget(work.call_async, (), None, work.clock, (7.0, work.call_async()))
    seconds, result = target.timed_call()
    assert (seconds, result) == ((7.0, "made") if kind == "call" else (8.0, "call 1"))  # awaiting it took 1 s more
    assert target.timed_call()[0] == 1.0
    assert target.call() != result
    target.close()


def test_what_was_made_and_never_awaited_is_closed_with_its_target():
    work = Work()
    coroutine = work.call_async()
    CoroutineTarget(work.call_async, (), None, work.clock, (0.0, coroutine)).close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)
    CoroutineTarget(work.call_async, (), None, work.clock, (0.0, "no coroutine")).close()


class Waiter:
    """Records what it awaits, and whether it is closed."""

    def __init__(self) -> None:
        self.ran = 0
        self.closed = False
        self._own = OwnLoop()

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        self.ran += 1
        return self._own.run(steps)

    def close(self) -> None:
        self.closed = True
        self._own.close()


def test_coroutines_are_awaited_where_the_waiter_says():
    work, waiter = Work(), Waiter()
    target = CoroutineTarget(work.call_async, (), None, work.clock, None, waiter)  # type: ignore[arg-type]
    assert target.sample(2) == 2.0
    assert target.samples(1, 2, work.around()) == [1.0, 1.0]
    assert target.timed_call()[0] == 1.0
    target.close()
    assert (waiter.ran, waiter.closed) == (3, True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setup", ["setup", "setup_async"])
@pytest.mark.parametrize("teardown", ["teardown", "teardown_async"])
def test_set_up_and_teardown_are_outside_of_the_seconds(kind: str, setup: str, teardown: str):
    work = Work()
    target = SetUpTarget(
        getattr(work, kind), setup=getattr(work, setup), teardown=getattr(work, teardown), clock=work.clock
    )
    assert (target.fixed_iterations, target.sets_up, target.has_own_clock) == (1, True, True)
    once = ["setup", ((1,), {"b": 2}), ("teardown", (1,), {"b": 2})]
    assert target.sample(1) == 1.0
    assert work.made == once
    assert target.timed_call()[0] == 1.0
    assert target.call() == "call 8"
    assert work.made == once * 3
    work.made.clear()
    repeated = Repeated(work)
    assert target.samples(1, 2, repeated) == [1.0, 1.0]
    assert work.made == ["setup", "enter", once[1], "leave", once[2]] * 2
    target.close()


class Repeated:
    """A context manager that can be reused."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __enter__(self) -> None:
        self._work.made.append("enter")

    def __exit__(self, *_: object) -> None:
        self._work.made.append("leave")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setup", [None, "setup_without_arguments"])
def test_the_authors_arguments_are_used_where_the_set_up_makes_none(kind: str, setup: str | None):
    work = Work()
    target = SetUpTarget(
        getattr(work, kind), (3,), {"a": 4}, setup=setup and getattr(work, setup), teardown=work.teardown
    )
    target.sample(1)
    calls = [step for step in work.made if step != "setup"]
    assert calls == [((3,), {"a": 4}), ("teardown", (3,), {"a": 4})]
    assert target.sets_up is (setup is not None)
    target.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_several_calls_counts_each_once(kind: str):
    work = Work()
    target = SetUpTarget(getattr(work, kind), teardown=work.teardown, iterations=3, clock=work.clock)
    assert target.fixed_iterations == 3
    assert target.sample(3) == 3.0  # the first call is inspected, and counts
    assert target.sample(3) == 3.0
    assert len([step for step in work.made if step == ((), {})]) == 6
    assert len([step for step in work.made if step != ((), {})]) == 2
    target.close()


@pytest.mark.parametrize("source", ["args", "kwargs"])
def test_arguments_from_two_places_are_refused(source: str):
    work = Work()
    given: dict[str, Any] = {"args": (1,)} if source == "args" else {"kwargs": {"a": 1}}
    with pytest.raises(TypeError, match=r"^setup returned arguments, and args or kwargs are given too: leave one"):
        SetUpTarget(work.call, **given, setup=work.setup).sample(1)


def test_a_set_up_target_needs_a_loop_only_where_something_is_awaited():
    work, waiter = Work(), Waiter()
    plain = SetUpTarget(work.call, setup=work.setup, waiter=waiter)  # type: ignore[arg-type]
    plain.sample(1)
    plain.close()
    assert (waiter.ran, waiter.closed) == (0, False)
    awaited = SetUpTarget(work.call, setup=work.setup_async, waiter=waiter)  # type: ignore[arg-type]
    awaited.sample(1)
    awaited.close()
    assert (waiter.ran, waiter.closed) == (1, True)


def test_without_awaiting_coroutines_and_generators_are_given_back():
    work = Work()
    target = SetUpTarget(work.call_async, awaits=False, clock=work.clock)
    seconds, made = target.timed_call()
    assert (seconds, work.made) == (0.0, [])
    made.close()
    lazy = SetUpTarget(numbers, awaits=False)
    assert list(lazy.call()) == [0, 1]


def numbers() -> Iterator[int]:
    yield from range(2)


def test_a_generator_is_refused_in_any_call_that_is_looked_at():
    for target in (lambda: look_at(numbers), lambda: SetUpTarget(numbers).sample(1)):
        with pytest.raises(LazyResultError):
            target()
    with pytest.raises(LazyResultError):
        SetUpTarget(numbers, iterations=2).sample(2)


def test_a_look_at_a_plain_function_is_one_call_which_is_then_the_first():
    work = Work()
    handed = look_at(work.call, (1,), {"a": 2}, work.clock)
    assert handed == Handed(work.call, (1,), {"a": 2}, work.clock, (1.0, "call 1"), is_awaited=False)
    target = handed.target()
    assert isinstance(target, FunctionTarget)
    assert target.timed_call() == (1.0, "call 1")
    assert target.sample(2) == 2.0
    assert work.made == [((1,), {"a": 2})] * 3


def test_a_look_at_a_coroutine_function_calls_nothing():
    work, waiter = Work(), Waiter()
    handed = look_at(work.call_async, (1,), {"a": 2}, work.clock)
    assert handed == Handed(work.call_async, (1,), {"a": 2}, work.clock, None, is_awaited=True)
    target = handed.target(waiter)  # type: ignore[arg-type]
    assert isinstance(target, CoroutineTarget)
    assert (target.sample(1), waiter.ran) == (1.0, 1)
    handed.discard()
    target.close()


def test_a_look_at_what_hides_a_coroutine_function_awaits_its_result():
    work = Work()
    handed = look_at(lambda: work.call_async(), (), None, work.clock)  # noqa: PLW0108  # it hides the function
    assert handed.is_awaited
    assert handed.kwargs == {}
    target = handed.target()
    assert target.call() == "call 1"
    target.close()


def test_a_first_call_that_nobody_awaits_is_let_go():
    work = Work()
    handed = look_at(lambda: work.call_async())  # noqa: PLW0108  # it hides the function
    handed.discard()
    assert handed.first is not None
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        handed.first[1].send(None)
    look_at(work.call).discard()


class Later:
    """An awaitable object, such as a query from a builder."""

    def __await__(self) -> Iterator[None]:
        yield from ()


def test_what_can_be_awaited_is_awaited_only_inside_a_loop_unless_it_is_a_coroutine():
    work = Work()
    coroutine = work.call_async()
    assert is_to_be_awaited(coroutine)
    coroutine.close()
    assert not is_to_be_awaited(Later())
    assert not is_to_be_awaited("result")

    async def inside() -> tuple[bool, bool]:
        return is_to_be_awaited(Later()), is_to_be_awaited("result")

    loop = OwnLoop()
    assert loop.run(inside()) == (True, False)
    loop.close()


class Awaited:
    async def __call__(self) -> None: ...


def test_calls_are_awaited_of_coroutine_functions_however_they_are_wrapped():
    work = Work()
    assert calls_are_awaited(work.call_async)
    assert calls_are_awaited(Awaited())
    assert calls_are_awaited(functools.partial(functools.partial(work.call_async)))
    assert calls_are_awaited(functools.partial(Awaited()))
    assert not calls_are_awaited(Awaited)
    assert not calls_are_awaited(work.call)
    assert not calls_are_awaited(functools.partial(work.call))
    assert any_is_awaited(None, work.call, work.call_async)
    assert not any_is_awaited(None, work.call)
    assert not any_is_awaited()


def test_a_target_is_made_as_its_function_asks():
    work = Work()
    assert isinstance(make_target(work.call), FunctionTarget)
    target = make_target(work.call_async, (1,), {"a": 1}, work.clock)
    assert isinstance(target, CoroutineTarget)
    assert target.sample(2) == 2.0
    assert work.made[-1] == ((1,), {"a": 1})
    target.close()


def test_one_iteration_is_the_fewest():
    work = Work()
    assert SetUpTarget(work.call, iterations=1).fixed_iterations == 1
    with pytest.raises(ValueError, match=r"^iterations is 2: with a setup function each sample is one call$"):
        SetUpTarget(work.call, setup=work.setup, iterations=2)


def test_only_the_first_call_of_several_is_looked_at_by_itself():
    readings: list[float] = []

    def clock() -> float:
        readings.append(float(len(readings)))
        return readings[-1]

    target = SetUpTarget(lambda: None, iterations=3, clock=clock)
    target.sample(3)
    assert len(readings) == 4  # around the first call, and around the two others
    target.sample(3)
    assert len(readings) == 6
    SetUpTarget(lambda: None, clock=clock).sample(1)
    assert len(readings) == 8
    pair = SetUpTarget(lambda: None, iterations=2, clock=clock)
    pair.sample(2)
    assert len(readings) == 12
