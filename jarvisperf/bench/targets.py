"""What is measured: a target makes one sample, a timing of a fixed number of calls.

Each kind of call has a loop of its own, so that the loop holds the call and nothing else. What the loop costs per
call beside the target is measured by `benchmarks/bench_harness.py`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import time
from contextlib import contextmanager
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

from jarvisperf.bench.checks import check_whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Clock = Callable[[], float]
    SetUp = Callable[[], tuple[Sequence[Any], Mapping[str, Any]] | None]


__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function


class Target(Protocol):
    """Something that can be timed."""

    @property
    def has_own_clock(self) -> bool:
        """Whether the author chose a clock of their own."""

    fixed_iterations: int | None
    """Calls per sample, where the author or the kind of target decides them; None: calibrate."""

    @property
    def sets_up(self) -> bool:
        """Whether each sample has a state of its own, made by the author's `setup`."""

    def sample(self, iterations: int) -> float:
        """Call the target `iterations` times and give the seconds that all calls took together."""

    def call(self) -> Any:
        """Call the target once, untimed, and give what it returned."""

    def timed_call(self) -> tuple[float, Any]:
        """Call the target once; give the seconds that it took and what it returned."""

    def use_clock(self, clock: Clock) -> None:
        """Time further samples with another clock."""

    def close(self) -> None:
        """Let go of what the target holds."""


class _Clocked:
    """A target's clock, and how to exchange it."""

    _clock: Clock

    @property
    def has_own_clock(self) -> bool:
        """Whether the author chose a clock of their own."""
        return self._clock is not time.perf_counter

    def use_clock(self, clock: Clock) -> None:
        """Time further samples with another clock."""
        self._clock = clock


class _Call(_Clocked):
    """A callable with its arguments.

    Args:
        function: What to call.
        args: Positional arguments.
        kwargs: Keyword arguments.
        clock: Seconds as a float; only differences count.
    """

    fixed_iterations: int | None = None
    sets_up = False

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._function = function
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._clock = clock


class FunctionTarget(_Call):
    """A function with its arguments."""

    def sample(self, iterations: int) -> float:
        """Call the function `iterations` times and give the seconds that all calls took together."""
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

    def call(self) -> Any:
        """Call the function once and give what it returned."""
        return self._function(*self._args, **self._kwargs)

    def timed_call(self) -> tuple[float, Any]:
        """Call the function once; give the seconds that it took and what it returned."""
        start = self._clock()
        result = self._function(*self._args, **self._kwargs)
        return self._clock() - start, result

    def close(self) -> None:
        """Nothing is held."""


class CoroutineTarget(_Call):
    """A coroutine function with its arguments; its calls are awaited one after the other in one event loop.

    Raises:
        RuntimeError: An event loop runs already in this thread.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        if asyncio._get_running_loop() is not None:  # noqa: SLF001  # the public way raises instead of telling
            raise RuntimeError(
                f"{describe(function)} cannot be measured inside a running event loop: call the benchmark from a "
                "plain function, it awaits the coroutine itself"
            )
        super().__init__(function, args, kwargs, clock)
        self._runner = asyncio.Runner()

    async def _loop(self, iterations: int) -> float:
        function, args, kwargs, clock = self._function, self._args, self._kwargs, self._clock
        rounds = repeat(None, iterations)
        start = clock()
        for _ in rounds:
            await function(*args, **kwargs)
        return clock() - start

    async def _once(self) -> tuple[float, Any]:
        start = self._clock()
        result = await self._function(*self._args, **self._kwargs)
        return self._clock() - start, result

    def sample(self, iterations: int) -> float:
        """Await the function `iterations` times and give the seconds that all calls took together."""
        return self._runner.run(self._loop(iterations))

    def call(self) -> Any:
        """Await the function once and give what it returned."""
        return self.timed_call()[1]

    def timed_call(self) -> tuple[float, Any]:
        """Await the function once; give the seconds that it took and what it returned."""
        return self._runner.run(self._once())

    def close(self) -> None:
        """Close the event loop, what it still runs is cancelled."""
        self._runner.close()


class SetUpTarget(_Clocked):
    """A target whose arguments are made anew for every sample, outside the timing.

    Args:
        function: What to call; a coroutine function is awaited, see `awaits`.
        args: Positional arguments where `setup` gives none.
        kwargs: Keyword arguments where `setup` gives none.
        setup: Called before each sample; may return ``(args, kwargs)``.
        teardown: Called after each sample with the arguments.
        iterations: Calls per sample; with a `setup` it must be 1.
        awaits: Await a coroutine function; False: a call of it makes a coroutine and nothing more.
        clock: Seconds as a float; only differences count.

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
        awaits: bool = True,
        clock: Clock = time.perf_counter,
    ) -> None:
        check_whole_number("iterations", iterations, least=1)
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
        self._kind = CoroutineTarget if awaits and calls_are_awaited(function) else FunctionTarget

    @contextmanager
    def _prepared(self) -> Iterator[Target]:
        args, kwargs = self._args, self._kwargs
        made = self._setup() if self._setup else None
        if made:
            if args or kwargs:
                raise TypeError("setup returned arguments, and args or kwargs are given too: leave one of them out")
            args, kwargs = made[0], dict(made[1])
        target = self._kind(self._function, args, kwargs, self._clock)
        try:
            yield target
        finally:
            target.close()
        if self._teardown is not None:
            self._teardown(*args, **kwargs)

    def sample(self, iterations: int) -> float:
        """Set up, call the function `iterations` times, tear down; give the seconds of the calls alone."""
        with self._prepared() as target:
            return target.sample(iterations)

    def call(self) -> Any:
        """Set up, call the function once, tear down; give what it returned."""
        return self.timed_call()[1]

    def timed_call(self) -> tuple[float, Any]:
        """Set up, call the function once, tear down; give the seconds of the call alone and what it returned."""
        with self._prepared() as target:
            return target.timed_call()

    def close(self) -> None:
        """Nothing is held between samples."""


def make_target(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    clock: Clock = time.perf_counter,
) -> FunctionTarget | CoroutineTarget:
    """Make the target for a function or a coroutine function."""
    kind = CoroutineTarget if calls_are_awaited(function) else FunctionTarget
    return kind(function, args, kwargs, clock)


def calls_are_awaited(function: object) -> bool:
    """Whether calls are to be awaited: a coroutine function, an object with one as ``__call__``, a partial of these."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - of the type: a class is called by its own type
    )


def describe(function: object) -> str:
    """Name a callable the way a person would."""
    return getattr(function, "__qualname__", None) or repr(function)


@contextmanager
def uninstrumented() -> Iterator[None]:
    """Take tracers and profilers of this thread (coverage, debuggers) off for a while: they slow what they watch."""
    tracer, profiler = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
        sys.setprofile(profiler)
