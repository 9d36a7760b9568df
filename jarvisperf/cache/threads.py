"""Threads for blocking calls made by coroutines.

The cache has its own, so that an application's busy pool cannot delay its calls. A call in a thread costs about 0.1 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from jarvisperf.forks import at_fork

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

_THREADS: Final = 16

_T = TypeVar("_T")


class _Threads:
    """The threads of this process, started when they are first needed."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="jarvisperf-cache")
        return self._pool

    def forget(self) -> None:
        self._pool = None


_threads: Final = _Threads()
at_fork(after_in_child=_threads.forget)  # a child does not inherit threads


def in_thread(call: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:
    """Run a call in a thread, in the caller's context; cancelling only stops the wait, the call runs to completion."""
    import asyncio  # only coroutines get here, so asyncio is loaded
    import contextvars

    run = contextvars.copy_context().run
    return asyncio.get_running_loop().run_in_executor(_threads.pool(), run, call, *args)


async def inline(call: Callable[..., _T], *args: Any) -> _T:
    """Run a call that never blocks."""
    return call(*args)
