"""Lets threads finish their work at the end of a program while Python still works as usual.

Python joins threads at the end anyway, but before that it shuts down all thread pools, and from then on some modules
can no longer be imported. A thread that loads a model would fail. So the threads given to :func:`finish_before_the_end`
are joined first, by the hook with which ``concurrent.futures`` shuts down its pools. It is private, but other packages
use it too, and without it the threads are joined later.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class _Program:
    def __init__(self) -> None:
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._is_followed = False
        self._ends = False

    @property
    def is_ending(self) -> bool:
        return self._ends or not threading.main_thread().is_alive()

    def follow(self, thread: threading.Thread) -> None:
        self._threads.add(thread)
        if self._is_followed:
            return
        self._is_followed = True
        # The hooks are called in reverse order, so those of the pools must be registered first.
        import concurrent.futures.process
        import concurrent.futures.thread  # noqa: F401 - see above

        register: Callable[[Callable[[], None]], None] | None = getattr(threading, "_register_atexit", None)
        if register is not None:
            with contextlib.suppress(RuntimeError):  # the program ends already
                register(self._end)

    def _end(self) -> None:
        self._ends = True
        for thread in list(self._threads):
            thread.join()


_program: Final = _Program()


def finish_before_the_end(thread: threading.Thread) -> None:
    """Let the program wait for a thread at its end, before thread pools are shut down.

    Args:
        thread: It has been started, is not a daemon, and looks at :func:`is_ending` if its work can be left.
    """
    _program.follow(thread)


def is_ending() -> bool:
    """Return whether the main thread has ended."""
    return _program.is_ending
