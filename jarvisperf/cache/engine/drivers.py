"""Do the steps of ``loading``: with threads that wait, or with coroutines that do not."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.engine.flights import computing
from jarvisperf.cache.engine.loading import Await, FactoryStopError, Make, Pause, Run, Spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jarvisperf.cache.engine.loading import Steps

logger = logging.getLogger(__name__)

_background: Final[set[asyncio.Task[Any]]] = set()  # the loop itself holds tasks weakly


def drive(steps: Steps, factory: Callable[[], Any]) -> Any:
    """Do the steps in this thread; the background is a thread of its own for each.

    Args:
        steps: What is to be done.
        factory: Makes the value.

    Returns:
        What the steps lead to.
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
            if isinstance(step, Run):
                answer = step.call()
            elif isinstance(step, Make):
                answer = _made(step, factory)
            elif isinstance(step, Await):
                answer = _wait(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                _in_thread(step, factory)
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - it is thrown into the steps, which decide
            error = raised


def _made(step: Make, factory: Callable[[], Any]) -> Any:
    with computing(step.flights):
        try:
            return factory()
        except StopIteration as stop:  # no generator lets it through
            raise FactoryStopError(stop) from stop


def _wait(step: Await) -> bool:
    try:
        step.future.exception(None if step.seconds == math.inf else step.seconds)
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
    """Do the steps in this coroutine; the background is a task of its own for each.

    A cancellation never comes between a call and its answer, which may be a lease that has to be given back: the steps
    are told of it where they wait for something else, or at their end.

    Args:
        steps: What is to be done.
        factory: Makes the value.
        beside: Runs a call that may wait where it does not stop the loop.

    Returns:
        What the steps lead to.
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
            raise stopped.stop from None  # which no coroutine lets through either: it becomes a RuntimeError
        answer = error = None
        if cancellation is not None and not isinstance(step, Run):
            error, cancellation = cancellation, None
            continue
        try:
            if isinstance(step, Run):
                call = beside(step.call)
                cancellation = await _end_of(call) or cancellation
                answer = await call
            elif isinstance(step, Spawn):
                task = asyncio.create_task(drive_async(step.steps, factory, beside))
                _background.add(task)
                task.add_done_callback(_background.discard)
            else:
                answer = await _take(step, factory)
        except GeneratorExit:  # nobody will go on with this coroutine, so it cannot wait for anything
            steps.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - as above
            error = raised


async def _take(step: Make | Await | Pause, factory: Callable[[], Awaitable[Any]]) -> Any:
    if isinstance(step, Make):
        with computing(step.flights):
            return await factory()
    if isinstance(step, Await):
        return await _wait_async(step)
    return await asyncio.sleep(step.seconds)


async def _end_of(call: Awaitable[Any]) -> asyncio.CancelledError | None:
    """Wait until a call in a thread has ended, also when this is cancelled meanwhile; gives that cancellation."""
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


async def _wait_async(step: Await) -> bool:
    loop = asyncio.get_running_loop()
    landed: asyncio.Future[None] = loop.create_future()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits in it any more
            loop.call_soon_threadsafe(_end, landed)

    # Only its end counts here: its error, which may be somebody else's cancellation, stays in the flight.
    step.future.add_done_callback(tell)
    try:
        await asyncio.wait_for(landed, None if step.seconds == math.inf else step.seconds)
    except TimeoutError:
        return step.future.done()
    return True
