"""Targets: the things to measure. A target takes samples; a sample is the timing of a fixed number of calls.

Each form of call has its own loop, so that the loop contains nothing but the call. `benchmarks/bench_harness.py`
measures the overhead of the loop per call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Coroutine
from contextlib import nullcontext
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from jarvisperf.checks import whole_number
from jarvisperf.clocks import REAL
from jarvisperf.measure.targets.lazy_results import refuse_lazy
from jarvisperf.measure.targets.waiters import OwnLoop, is_inside_a_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from jarvisperf.measure.targets.waiters import Waiter

    Clock = Callable[[], float]
    SetUp = Callable[[], Any]  # returns (args, kwargs) or None, or a coroutine that does


__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function


class Target(Protocol):
    """Something whose calls can be timed."""

    @property
    def has_own_clock(self) -> bool:
        """Whether the author of the benchmark chose the clock."""

    fixed_iterations: int | None
    """Calls per sample if the author or the kind of target fixes them; None: calibrate."""

    @property
    def sets_up(self) -> bool:
        """Whether the author's `setup` creates a fresh state for each sample."""

    def sample(self, iterations: int) -> float:
        """Call the target `iterations` times and return the total seconds."""

    def samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        """Take several samples inside a context, which is entered on the thread that makes the calls."""

    def call(self) -> Any:
        """Call the target once and return its result."""

    def timed_call(self) -> tuple[float, Any]:
        """Call the target once; return the seconds and the result."""

    def use_clock(self, clock: Clock) -> None:
        """Use another clock for further samples."""

    def close(self) -> None:
        """Release what the target holds."""


class _Clocked:
    """A target with an exchangeable clock."""

    _clock: Clock

    @property
    def has_own_clock(self) -> bool:
        """Whether the author of the benchmark chose the clock."""
        return self._clock is not REAL.wall

    def use_clock(self, clock: Clock) -> None:
        """Use another clock for further samples."""
        self._clock = clock


class _CallTarget(_Clocked):
    """A callable with its arguments.

    Args:
        function: The function to call.
        args: Positional arguments.
        kwargs: Keyword arguments.
        clock: Returns seconds; only differences matter.
        first: A call that has already been made: its seconds and its result. The first `call` returns it.
    """

    fixed_iterations: int | None = None
    sets_up = False

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        clock: Clock = REAL.wall,
        first: tuple[float, Any] | None = None,
    ) -> None:
        self._function = function
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._clock = clock
        self._first = first

    @property
    def function(self) -> Callable[..., Any]:
        """What is called."""
        return self._function


class FunctionTarget(_CallTarget):
    """A function with its arguments."""

    def sample(self, iterations: int) -> float:
        """Call the function `iterations` times and return the total seconds."""
        function, args, kwargs, clock = self._function, self._args, self._kwargs, self._clock
        rounds = repeat(None, iterations)
        if kwargs:
            start = clock()
            for _ in rounds:
                function(*args, **kwargs)
            return clock() - start
        if args:
            start = clock()
            for _ in rounds:
                function(*args)
            return clock() - start
        start = clock()
        for _ in rounds:
            function()
        return clock() - start

    def samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        """Take several samples inside a context."""
        with around:
            return [self.sample(iterations) for _ in range(count)]

    def call(self) -> Any:
        """Call the function once and return its result."""
        return self.timed_call()[1]

    def timed_call(self) -> tuple[float, Any]:
        """Call the function once; return the seconds and the result."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        start = self._clock()
        result = self._function(*self._args, **self._kwargs)
        return self._clock() - start, result

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class CoroutineTarget(_CallTarget):
    """A coroutine function, or another function with an awaitable result, with its arguments.

    Calls are awaited one after the other. A sample is one coroutine that contains the loop, so that the timing does not
    include starting it and passing it to the event loop.

    Args:
        function: The function to call and await.
        args: Positional arguments.
        kwargs: Keyword arguments.
        clock: Returns seconds; only differences matter.
        first: A call that has already been made: its seconds, and the awaitable it returned.
        waiter: Where calls are awaited; None: in a new event loop.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        clock: Clock = REAL.wall,
        first: tuple[float, Any] | None = None,
        waiter: Waiter | None = None,
    ) -> None:
        super().__init__(function, args, kwargs, clock, first)
        self._waiter = waiter or OwnLoop()

    async def sample_here(self, iterations: int) -> float:
        """Await the function `iterations` times in the current task; return the total seconds."""
        function, args, kwargs, clock = self._function, self._args, self._kwargs, self._clock
        rounds = repeat(None, iterations)
        start = clock()
        for _ in rounds:
            await function(*args, **kwargs)
        return clock() - start

    async def call_here(self) -> tuple[float, Any]:
        """Await the function once in the current task; return the seconds and the result."""
        if self._first is not None:
            (seconds, made), self._first = self._first, None
            start = self._clock()
            result = await made
            return seconds + self._clock() - start, result
        start = self._clock()
        result = await self._function(*self._args, **self._kwargs)
        return self._clock() - start, result

    async def _samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        with around:
            return [await self.sample_here(iterations) for _ in range(count)]

    def sample(self, iterations: int) -> float:
        """Await the function `iterations` times and return the total seconds."""
        return self._waiter.run(self.sample_here(iterations))

    def samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        """Take several samples inside a context, which is entered on the event loop's thread."""
        return self._waiter.run(self._samples(iterations, count, around))

    def call(self) -> Any:
        """Await the function once and return its result."""
        return self.timed_call()[1]

    def timed_call(self) -> tuple[float, Any]:
        """Await the function once; return the seconds and the result."""
        return self._waiter.run(self.call_here())

    def close(self) -> None:
        """Release the event loop; our own is closed, and its remaining tasks are cancelled."""
        if self._first is not None and inspect.iscoroutine(self._first[1]):
            self._first[1].close()
        self._waiter.close()


class SetUpTarget(_Clocked):
    """A target whose arguments are created for each sample, outside the timing.

    Function, setup and teardown are awaited if they are coroutine functions; then all three run in the event loop.

    Args:
        function: The function to call.
        args: Positional arguments, unless `setup` returns some.
        kwargs: Keyword arguments, unless `setup` returns some.
        setup: Called before each sample; may return ``(args, kwargs)``.
        teardown: Called after each sample with the arguments.
        iterations: Calls per sample; with a `setup` it must be 1.
        clock: Returns seconds; only differences matter.
        waiter: Where coroutines are awaited; None: in a new event loop.
        awaits: Whether to await coroutine functions; False: return the result of a call as it is, even a coroutine or
            a generator.

    Raises:
        ValueError: `iterations` is below 1, or above 1 with a `setup`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        setup: SetUp | None = None,
        teardown: Callable[..., Any] | None = None,
        iterations: int = 1,
        clock: Clock = REAL.wall,
        waiter: Waiter | None = None,
        awaits: bool = True,
    ) -> None:
        whole_number("iterations", iterations, at_least=1)
        if setup is not None and iterations != 1:
            raise ValueError(f"iterations is {iterations}: with a setup function each sample is one call")
        self.fixed_iterations: int | None = iterations
        self._function = function
        self._args = args
        self._kwargs = dict(kwargs or {})
        self._setup = setup
        self._teardown = teardown
        self._clock = clock
        self.sets_up = setup is not None
        self._is_awaited = calls_are_awaited(function) and awaits
        self._has_been_called = False
        self._awaits = awaits
        needs_loop = any_is_awaited(function, setup, teardown) and awaits
        self._waiter = (waiter or OwnLoop()) if needs_loop else None

    async def _take(self, iterations: int, around: AbstractContextManager[Any]) -> tuple[float, Any]:
        """Set up, make the calls, tear down; return the seconds of the calls, and the result of a single one."""
        args, kwargs = await self._arguments()
        result = None
        if self._is_awaited:
            awaited = CoroutineTarget(self._function, args, kwargs, self._clock, waiter=self._waiter)
            with around:
                if iterations == 1:
                    seconds, result = await awaited.call_here()
                else:
                    seconds = await awaited.sample_here(iterations)
        else:
            called = FunctionTarget(self._function, args, kwargs, self._clock)
            with around:
                if iterations == 1 or not self._has_been_called:
                    seconds, result = called.timed_call()
                    if self._awaits:
                        refuse_lazy(self._function, result)
                    if iterations > 1:
                        seconds += called.sample(iterations - 1)
                else:
                    seconds = called.sample(iterations)
            self._has_been_called = True
        if self._teardown is not None:
            await self._settled(self._teardown, *args, **kwargs)
        return seconds, result

    async def _arguments(self) -> tuple[Sequence[Any], dict[str, Any]]:
        made = await self._settled(self._setup) if self._setup is not None else None
        if not made:
            return self._args, self._kwargs
        if self._args or self._kwargs:
            raise TypeError("setup returned arguments, and args or kwargs are given too: leave one of them out")
        return made[0], dict(made[1])

    async def _settled(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call setup or teardown; await the result of a coroutine function."""
        made = function(*args, **kwargs)
        return await made if calls_are_awaited(function) and self._awaits else made

    def _run(self, iterations: int, around: AbstractContextManager[Any]) -> tuple[float, Any]:
        steps = self._take(iterations, around)
        return _without_loop(steps) if self._waiter is None else self._waiter.run(steps)

    def sample(self, iterations: int) -> float:
        """Set up, call the function `iterations` times, tear down; return the seconds of the calls alone."""
        return self._run(iterations, nullcontext())[0]

    def samples(self, iterations: int, count: int, around: AbstractContextManager[Any]) -> list[float]:
        """Take several samples; the context is entered for each, around the calls only, so it must be reusable."""
        return [self._run(iterations, around)[0] for _ in range(count)]

    def call(self) -> Any:
        """Set up, call the function once, tear down; return its result."""
        return self.timed_call()[1]

    def timed_call(self) -> tuple[float, Any]:
        """Set up, call the function once, tear down; return the seconds of the call and its result."""
        return self._run(1, nullcontext())

    def close(self) -> None:
        """Release the event loop, if there is one."""
        if self._waiter is not None:
            self._waiter.close()


def _without_loop(steps: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never suspends."""
    try:
        steps.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a target without an event loop suspended")


class Handed(NamedTuple):
    """A function to measure, and what is known about its calls.

    Attributes:
        function: The function to call.
        args: Positional arguments.
        kwargs: Keyword arguments.
        clock: Returns seconds.
        first: The call that showed what the function returns; None: no call was needed to know.
        is_awaited: Whether its calls are awaited.
    """

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    clock: Clock
    first: tuple[float, Any] | None
    is_awaited: bool

    def target(self, waiter: Waiter | None = None) -> FunctionTarget | CoroutineTarget:
        """Create the target.

        Args:
            waiter: Where calls are awaited; None: in a new event loop.
        """
        if self.is_awaited:
            return CoroutineTarget(self.function, self.args, self.kwargs, self.clock, self.first, waiter)
        return FunctionTarget(self.function, self.args, self.kwargs, self.clock, self.first)

    def discard(self) -> None:
        """Close the coroutine of a first call that nobody will await."""
        if self.first is not None and isinstance(self.first[1], Coroutine):
            self.first[1].close()


def look_at(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    clock: Clock = REAL.wall,
) -> Handed:
    """Find out whether a function's calls must be awaited.

    A function that is not recognizably a coroutine function is called once to see what it returns, because lambdas and
    decorated functions hide what they call. The target's first `call` returns the result of that call.

    Raises:
        LazyResultError: The function returned a generator, so a call does none of the work.
        Exception: Whatever the function raises.
    """
    if calls_are_awaited(function):
        return Handed(function, args, kwargs or {}, clock, None, is_awaited=True)
    first = FunctionTarget(function, args, kwargs, clock).timed_call()
    is_awaited = is_to_be_awaited(first[1])
    if not is_awaited:
        refuse_lazy(function, first[1])
    return Handed(function, args, kwargs or {}, clock, first, is_awaited)


def make_target(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    clock: Clock = REAL.wall,
) -> FunctionTarget | CoroutineTarget:
    """Create the target for a function or coroutine function; see `look_at`. Calls are awaited in a new event loop."""
    return look_at(function, args, kwargs, clock).target()


def is_to_be_awaited(result: object) -> bool:
    """Return whether to await a result: coroutines always, inside an event loop any awaitable.

    Outside a loop, an awaitable may be the very purpose of the call, such as a query object from a builder.
    """
    return isinstance(result, Coroutine) or (is_inside_a_loop() and inspect.isawaitable(result))


def any_is_awaited(*functions: object) -> bool:
    """Return whether one of these is a coroutine function; None values are skipped."""
    return any(calls_are_awaited(function) for function in functions if function is not None)


def calls_are_awaited(function: object) -> bool:
    """Return whether calls must be awaited: for coroutine functions, partials of them, and an async ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - the type's, because calling a class calls its metaclass
    )
