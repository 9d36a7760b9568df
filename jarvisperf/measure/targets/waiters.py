"""Awaits calls of a coroutine function: in a new event loop, in a borrowed one, or in a running task.

Measuring code is ordinary blocking code. Inside a running event loop it therefore runs in a separate thread, and the
task that waits for the measurement awaits the calls. They run where the test's own calls would run, with its context,
cancel scopes and connections, while all other tasks of the loop continue.

asyncio is imported only where a coroutine is awaited: it takes as long to load as everything else that measures.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from contextlib import nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from jarvisperf.measure.instrumentation import is_uninstrumented, uninstrumented

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function

R = TypeVar("R")
END_SECONDS = 5.0  # how long to wait for the thread of a cancelled measurement


class Waiter(Protocol):
    """Awaits coroutines on behalf of blocking code."""

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Await a coroutine and return its result."""

    def close(self) -> None:
        """Release the event loop."""


class OwnLoop:
    """Our own asyncio loop: it starts with the first coroutine and ends with `close`.

    Raises:
        RuntimeError: An event loop is already running in this thread.
    """

    def __init__(self) -> None:
        if is_inside_a_loop():
            raise RuntimeError(
                "a coroutine cannot be measured from here, inside a running event loop: "
                "call the benchmark from a plain function; it awaits the coroutine itself"
            )
        import asyncio

        self._runner = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Await a coroutine and return its result."""
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Close the event loop and cancel its remaining tasks."""
        self._runner.close()


class LentLoop:
    """A borrowed event loop that is not running at the moment.

    Args:
        run: Awaits a coroutine in it.
        give_back: Called by `close`.
    """

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], give_back: Callable[[], object]) -> None:
        self._run = run
        self._give_back = give_back

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Await a coroutine and return its result."""
        result: R = self._run(coroutine)
        return result

    def close(self) -> None:
        """Return the loop to its owner."""
        self._give_back()


class _Errand:
    """A coroutine for the task to await, and whether to suspend tracers while it runs."""

    __slots__ = ("bare", "coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], *, bare: bool) -> None:
        self.coroutine = coroutine
        self.bare = bare


class CancelledMeasurementError(BaseException):
    """The task that awaited a measurement was cancelled. Derives from BaseException so that no target catches it."""


class RunningTask:
    """The current task: it awaits coroutines on behalf of a measuring thread.

    Create it in the task, then call `work` with the function to run in the thread.
    """

    def __init__(self) -> None:
        self._bell = _bell()
        self._errand: _Errand | None = None
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._is_over = False

    async def work(self, function: Callable[[], R]) -> R:
        """Call a function in a thread, and await here the coroutines it passes to `run`.

        Args:
            function: The function; it may block.

        Returns:
            Its result.

        Raises:
            BaseException: Whatever it raises.
        """
        outcome: list[tuple[Any, BaseException | None]] = []
        thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._do, function, outcome),
            name="jarvisperf",
            daemon=True,  # so that an aborted test does not keep the process alive
        )
        thread.start()
        try:
            while not outcome:
                await self._bell.rung()
                if self._errand is not None:
                    self._answers.put(await self._answer(self._errand))
        except BaseException as error:
            self._abandon(thread, error)
            raise
        thread.join()
        result, raised = outcome[0]
        if raised is not None:
            raise raised
        return result  # type: ignore[no-any-return]

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Have the task await a coroutine and return its result; called by the function that `work` runs."""
        if self._is_over:
            coroutine.close()
            raise CancelledMeasurementError
        self._errand = _Errand(coroutine, bare=is_uninstrumented())
        self._bell.ring()
        result, error = self._answers.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Do nothing: the loop is not ours."""

    def _do(self, function: Callable[[], Any], outcome: list[tuple[Any, BaseException | None]]) -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:  # noqa: BLE001  # raised again where the measurement is awaited
            outcome.append((None, error))
        if not self._is_over:
            self._bell.ring()

    async def _answer(self, errand: _Errand) -> tuple[Any, BaseException | None]:
        self._errand = None
        try:
            with uninstrumented() if errand.bare else nullcontext():
                return await errand.coroutine, None
        except BaseException as error:  # noqa: BLE001  # passed to the measuring thread, which raises it
            return None, error

    def _abandon(self, thread: threading.Thread, error: BaseException) -> None:
        """End the thread, whose coroutine will not be awaited any more."""
        self._is_over = True
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.coroutine.close()
        self._answers.put((None, CancelledMeasurementError(f"{type(error).__name__}: {error}")))
        thread.join(END_SECONDS)


class _Bell(Protocol):
    """Wakes a task from a thread."""

    def ring(self) -> None:
        """Wake the task, from any thread."""

    async def rung(self) -> None:
        """Wait, in the task, until `ring` has been called since the last wait."""


class _AsyncioBell:
    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    async def rung(self) -> None:
        await self._event.wait()
        self._event.clear()


class _TrioBell:
    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def ring(self) -> None:
        self._token.run_sync_soon(self._set)

    def _set(self) -> None:
        self._event.set()

    async def rung(self) -> None:
        await self._event.wait()
        self._event = self._trio.Event()


def _bell() -> _Bell:
    if _asyncio_runs():
        return _AsyncioBell()
    return _TrioBell(sys.modules["trio"])


def is_inside_a_loop() -> bool:
    """Return whether this code runs inside an event loop of asyncio or trio."""
    return _asyncio_runs() or _trio_runs()


def _asyncio_runs() -> bool:
    asyncio: Any = sys.modules.get("asyncio")  # where nothing has imported it, none of its loops runs
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001  # the public one raises


def _trio_runs() -> bool:
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()  # unlike the trio token, set only while a task runs
    except RuntimeError:
        return False
    return True
