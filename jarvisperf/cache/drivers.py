"""Do the steps of ``loading``: with threads that wait, or with coroutines that do not."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.loading import Await, Make, Pause, Run, Spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jarvisperf.cache.loading import Steps

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
        answer = error = None
        try:
            if isinstance(step, Run):
                answer = step.call()
            elif isinstance(step, Make):
                answer = factory()
            elif isinstance(step, Await):
                answer = _wait(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                _in_thread(step, factory)
        except BaseException as raised:  # noqa: BLE001 - it is thrown into the steps, which decide
            error = raised


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

    Args:
        steps: What is to be done.
        factory: Makes the value.
        beside: Runs a call that may wait where it does not stop the loop.

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
        answer = error = None
        try:
            if isinstance(step, Run):
                answer = await beside(step.call)
            elif isinstance(step, Make):
                answer = await factory()
            elif isinstance(step, Await):
                answer = await _wait_async(step)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            else:
                task = asyncio.create_task(drive_async(step.steps, factory, beside))
                _background.add(task)
                task.add_done_callback(_background.discard)
        except BaseException as raised:  # noqa: BLE001 - as above
            error = raised


async def _wait_async(step: Await) -> bool:
    landing = asyncio.wrap_future(step.future)
    try:
        # Shielded, for whoever gives up waiting must not take the flight from the others.
        await asyncio.wait_for(asyncio.shield(landing), None if step.seconds == math.inf else step.seconds)
    except TimeoutError:
        if not step.future.done():
            return False
    except asyncio.CancelledError:
        raise
    except Exception:  # noqa: BLE001 - the error of the flight is in its future; here only its end counts
        return True
    return True
