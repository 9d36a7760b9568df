"""How an arm's process ends: with Python's exit handlers, in bounded time, and each handler in one process only."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import Any, NoReturn

EXIT_SECONDS = 3.0  # for all exit handlers together, then the process ends without them


def forget_inherited_handlers() -> None:
    """In a fresh copy of a process, drop the exit handlers of the original: they would remove what others need.

    What later registers itself is run. So is what libraries register once for all that they will ever start:
    concurrent.futures ends its pools by itself, multiprocessing and `weakref.finalize` are told that they begin here.
    """
    atexit._clear()  # noqa: SLF001
    finalize: Any = weakref.finalize
    for inherited in list(finalize._registry):  # noqa: SLF001
        inherited.atexit = False
    finalize._registered_with_atexit = False  # noqa: SLF001  # the next one registers them
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None and util is not None:
        multiprocessing._children = set()  # noqa: SLF001  # the original's
        atexit.register(util._exit_function)  # noqa: SLF001


def end_process(status: int = 0) -> NoReturn:
    """Run the exit handlers and end.

    The interpreter itself is not taken down: that takes as long as starting it, and serves nobody.
    """
    run_exit_handlers(status)
    end_now(status)


def run_exit_handlers(status: int = 0) -> None:
    """Join threads and run the exit handlers; where one does not end within 3 s, end the process without.

    Args:
        status: The exit status then.
    """
    late = threading.Timer(EXIT_SECONDS, _end_late, (status,))
    late.daemon = True
    late.start()
    shutdown: Any = threading
    shutdown._shutdown()  # noqa: SLF001  # joins threads and ends the pools of concurrent.futures
    atexit._run_exitfuncs()  # noqa: SLF001
    late.cancel()


def _end_late(status: int) -> None:
    sys.stderr.write(f"jarvisperf: an exit handler did not end within {EXIT_SECONDS:.0f} s and was left\n")
    end_now(status)


def end_now(status: int) -> NoReturn:
    """End without another word, but with what was printed so far."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed, or nobody reads: there is nothing left to tell it to
            continue
    os._exit(status)
