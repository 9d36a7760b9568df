"""Runs the steps of a load, in blocking threads or in coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.engine.flights.flight import computing
from jarvisperf.cache.engine.flights.steps import Compute, FactoryStopError, Invoke, Pause, Spawn, Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jarvisperf.cache.engine.flights.steps import Steps

logger = logging.getLogger(__name__)

_FLIGHTS_PER_THREAD: Final = 100  # two for each computation
_background: Final[set[asyncio.Task[Any]]] = set()  # the event loop holds tasks only weakly


def drive(steps: Steps, factory: Callable[[], Any]) -> Any:
    """Run the steps in this thread; background steps run in their own thread.

    Args:
        steps: The steps.
        factory: Computes the value.

    Returns:
        The result of the steps.
    """
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
        except FactoryStopError as stopped:
            raise stopped.stop from None
        answer = error = None
        try:
            if isinstance(step, Invoke):
                answer = step.function()
            elif isinstance(step, Compute):
                answer = _made(step, factory)
            elif isinstance(step, Wait):
                answer = _wait(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                _in_thread(step, factory)
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - the steps decide how to handle it
            error = raised


def _made(step: Compute, factory: Callable[[], Any]) -> Any:
    with computing(step.flights, for_caller=step.for_caller) as depth:
        try:
            if depth < _FLIGHTS_PER_THREAD or depth % _FLIGHTS_PER_THREAD >= len(step.flights):
                return factory()
            return _in_thread_of_its_own(factory, depth)
        except StopIteration as stop:  # a generator cannot raise it
            raise FactoryStopError(stop) from stop


def _in_thread_of_its_own(factory: Callable[[], Any], depth: int) -> Any:
    """Continue a deep recursion in a thread, whose stack is empty: a computation takes several frames of the stack."""
    if depth > 2 * sys.getrecursionlimit():
        raise RecursionError(f"{depth // 2} computations are nested: the cached function may never end")
    made: Future[Any] = Future()

    def make() -> None:
        try:
            made.set_result(factory())
        except BaseException as error:  # noqa: BLE001 - raised by ``result``
            made.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(make,), name="jarvisperf-recursion", daemon=True).start()
    return made.result()


def _wait(step: Wait) -> bool:
    try:
        step.future.result(None if step.seconds == math.inf else step.seconds)
    except FutureTimeoutError:
        return False
    return True


def _in_thread(step: Spawn, factory: Callable[[], Any]) -> None:
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(drive, step.steps, factory), name="jarvisperf-refresh", daemon=True
    ).start()


async def drive_async(
    steps: Steps, factory: Callable[[], Awaitable[Any]], beside: Callable[[Callable[[], Any]], Awaitable[Any]]
) -> Any:
    """Run the steps in this coroutine; background steps run in their own task.

    A cancellation never separates a call from its answer, which may be a lease that must be released. The steps receive
    the cancellation while they wait for something else, or when they end.

    Args:
        steps: The steps.
        factory: Computes the value.
        beside: Runs a potentially blocking call outside the event loop.

    Returns:
        The result of the steps.
    """
    answer: Any = None
    error: BaseException | None = None
    cancellation: asyncio.CancelledError | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as end:
            if cancellation is not None:
                raise cancellation from None
            return end.value
        except FactoryStopError as stopped:
            raise stopped.stop from None  # a coroutine cannot raise it either: it becomes a RuntimeError
        answer = error = None
        if cancellation is not None and not isinstance(step, Invoke):
            error, cancellation = cancellation, None
            continue
        try:
            if isinstance(step, Invoke):
                call = beside(step.function)
                cancellation = await _end_of(call) or cancellation
                answer = await call
            elif isinstance(step, Spawn):
                task = asyncio.create_task(drive_async(step.steps, factory, beside))
                _background.add(task)
                task.add_done_callback(_background.discard)
                answer = partial(_cancel, task)
            else:
                answer = await _take(step, factory)
        except GeneratorExit:  # this coroutine will not be resumed, so it cannot wait for anything
            steps.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - as above
            error = raised


def _cancel(task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(RuntimeError):  # its event loop is closed
        task.get_loop().call_soon_threadsafe(task.cancel)


async def _take(step: Compute | Wait | Pause, factory: Callable[[], Awaitable[Any]]) -> Any:
    if isinstance(step, Compute):
        with computing(step.flights, for_caller=step.for_caller):
            return await factory()
    if isinstance(step, Wait):
        return await _wait_async(step)
    return await asyncio.sleep(step.seconds)


async def _end_of(call: Awaitable[Any]) -> asyncio.CancelledError | None:
    """Wait until a call in a thread has ended, even if this coroutine is cancelled; return the cancellation."""
    cancellation: asyncio.CancelledError | None = None
    while isinstance(call, asyncio.Future) and not call.done():
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError as error:
            cancellation = error
    return cancellation


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def _wait_async(step: Wait) -> bool:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end_soon(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so no caller is waiting
            loop.call_soon_threadsafe(_end, ended)

    # Only the end matters here; the flight keeps the error, which may be another caller's cancellation.
    step.future.add_done_callback(end_soon)
    try:
        await asyncio.wait_for(ended, None if step.seconds == math.inf else step.seconds)
    except TimeoutError:
        return step.future.done()
    return True
