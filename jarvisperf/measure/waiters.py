"""Where the calls of a coroutine function are awaited: in a loop of our own, in one that is lent, or in a running task.

Whoever measures is ordinary code that blocks. Inside a running event loop it therefore works in a thread of its own,
and the task that waits for the measurement awaits the calls: they run where the test's own calls would run, with its
context, its cancel scopes and its connections, and all other tasks of the loop go on.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from contextlib import nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from jarvisperf.measure.instrumentation import is_uninstrumented, uninstrumented

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function

R = TypeVar("R")
END_SECONDS = 5.0  # a measurement that was cancelled has so long to end


class Waiter(Protocol):
    """Awaits coroutines for code that blocks."""

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Await a coroutine and give what it returned."""

    def close(self) -> None:
        """Let go of the event loop."""


class OwnLoop:
    """An asyncio loop that begins with the first coroutine and ends when it is closed.

    Raises:
        RuntimeError: An event loop runs already in this thread.
    """

    def __init__(self) -> None:
        if is_inside_a_loop():
            raise RuntimeError(
                "a coroutine cannot be measured from here, inside a running event loop: "
                "call the benchmark from a plain function, it awaits the coroutine itself"
            )
        self._runner = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Await a coroutine and give what it returned."""
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Close the event loop; what it still runs is cancelled."""
        self._runner.close()


class LentLoop:
    """An event loop that belongs to somebody else and does not run just now.

    Args:
        run: Awaits a coroutine in it.
        give_back: Called at the end.
    """

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], give_back: Callable[[], object]) -> None:
        self._run = run
        self._give_back = give_back

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Await a coroutine and give what it returned."""
        result: R = self._run(coroutine)
        return result

    def close(self) -> None:
        """Give the loop back."""
        self._give_back()


class _Errand:
    """A coroutine that the measuring thread wants awaited, and whether tracers are to be off while it runs."""

    __slots__ = ("bare", "coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], *, bare: bool) -> None:
        self.coroutine = coroutine
        self.bare = bare


class CancelledMeasurementError(BaseException):
    """The task that awaited a measurement was cancelled; it derives from BaseException so that no target catches it."""


class RunningTask:
    """The task that runs now: it awaits what a thread of its own asks for.

    Make it in the task; then `work` is given what is to be done in the thread.
    """

    def __init__(self) -> None:
        self._bell = _bell()
        self._errand: _Errand | None = None
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._is_over = False

    async def work(self, function: Callable[[], R]) -> R:
        """Call a function in a thread; what it gives to `run` is awaited here.

        Args:
            function: May block.

        Returns:
            What it returned.

        Raises:
            BaseException: What it raised.
        """
        outcome: list[tuple[Any, BaseException | None]] = []
        thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._do, function, outcome),
            name="jarvisperf",
            daemon=True,  # a test that was ended from outside must not keep the process
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
        """Have the task await a coroutine, from within `work`'s function, and give what it returned."""
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
        """The loop is not ours."""

    def _do(self, function: Callable[[], Any], outcome: list[tuple[Any, BaseException | None]]) -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:  # noqa: BLE001  # it is raised where the measurement is awaited
            outcome.append((None, error))
        if not self._is_over:
            self._bell.ring()

    async def _answer(self, errand: _Errand) -> tuple[Any, BaseException | None]:
        self._errand = None
        try:
            with uninstrumented() if errand.bare else nullcontext():
                return await errand.coroutine, None
        except BaseException as error:  # noqa: BLE001  # what a target raises goes through the harness first
            return None, error

    def _abandon(self, thread: threading.Thread, error: BaseException) -> None:
        """End the thread: what it waits for will not come."""
        self._is_over = True
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.coroutine.close()
        self._answers.put((None, CancelledMeasurementError(f"{type(error).__name__}: {error}")))
        thread.join(END_SECONDS)


class _Bell(Protocol):
    """Lets a thread wake a task."""

    def ring(self) -> None:
        """Wake the task, from any thread."""

    async def rung(self) -> None:
        """Wait, in the task, until it was rung since the last time."""


class _AsyncioBell:
    def __init__(self) -> None:
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
    """Whether this code runs inside an event loop: asyncio's, or trio's."""
    return _asyncio_runs() or _trio_runs()


def _asyncio_runs() -> bool:
    return asyncio._get_running_loop() is not None  # noqa: SLF001  # the public way raises instead of telling


def _trio_runs() -> bool:
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()  # a guest run has a token between tasks too, in the code of its host
    except RuntimeError:
        return False
    return True
