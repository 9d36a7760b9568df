"""Ends an arm's process: runs Python's exit handlers in bounded time, and each handler in one process only."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from typing import Any, NoReturn

EXIT_SECONDS = 3.0  # for all exit handlers together; then the process ends without them


def forget_inherited_handlers() -> None:
    """In a freshly forked copy, drop the original's exit handlers, which would remove what other processes need.

    Handlers registered later do run. So do those that libraries register once for everything they start later:
    concurrent.futures ends its pools anyway, and multiprocessing and `weakref.finalize` are reset here.
    """
    atexit._clear()  # noqa: SLF001
    finalize: Any = weakref.finalize
    for inherited in list(finalize._registry):  # noqa: SLF001
        inherited.atexit = False
    finalize._registered_with_atexit = False  # noqa: SLF001  # the next finalizer registers the handler again
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None and util is not None:
        multiprocessing._children = set()  # noqa: SLF001  # the original's
        atexit.register(util._exit_function)  # noqa: SLF001


def end_process(status: int = 0) -> NoReturn:
    """Run the exit handlers and exit.

    The interpreter is not finalized: that would take as long as starting it, for no benefit.
    """
    run_exit_handlers(status)
    end_now(status)


def run_exit_handlers(status: int = 0) -> None:
    """Join threads and run the exit handlers; if that takes more than 3 s, exit without them.

    Args:
        status: The exit status in that case.
    """
    late = threading.Timer(EXIT_SECONDS, _end_late, (status,))
    late.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread can be started; the coordinator's patience ends as well
        late.start()
    shutdown: Any = threading
    shutdown._shutdown()  # noqa: SLF001  # joins threads and ends the pools of concurrent.futures
    atexit._run_exitfuncs()  # noqa: SLF001
    late.cancel()


def _end_late(status: int) -> None:
    sys.stderr.write(f"jarvisperf: an exit handler did not finish within {EXIT_SECONDS:.0f} s and was abandoned\n")
    end_now(status)


def end_now(status: int) -> NoReturn:
    """Flush the output and exit immediately."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # it is closed, or its reader is gone
            continue
    os._exit(status)
