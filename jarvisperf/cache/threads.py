"""Calls that may wait, beside the event loop: in threads of their own, so that a busy application's do not delay them.

A hop to a thread and back takes about 0.1 ms; a hit in memory takes none, for it is looked up in the loop itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

_THREADS: Final = 16

_T = TypeVar("_T")


class _Threads:
    """The threads of this process, made when they are first needed."""

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
os.register_at_fork(after_in_child=_threads.forget)  # threads do not live on in a child


def beside_the_loop(call: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:
    """Run a call in a thread; who is cancelled stops waiting, the call itself is finished."""
    import asyncio  # at the start nobody needs it

    return asyncio.get_running_loop().run_in_executor(_threads.pool(), call, *args)


async def at_once(call: Callable[..., _T], *args: Any) -> _T:
    """Run a call here, for one that never waits."""
    return call(*args)
