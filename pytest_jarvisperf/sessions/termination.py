"""Ends a run on SIGTERM (from CI) and SIGHUP (from a closed terminal) in the same way as on Ctrl-C.

The report contains what was measured up to then.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


SIGNALS = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))  # Windows has no SIGHUP


class Termination:
    """The plugin object that handles these signals unless another handler is installed.

    A second signal, such as the one CI sends after Ctrl-C, must not prevent the report. SIGKILL still ends a run that
    hangs.
    """

    def __init__(self) -> None:
        self._handled: list[signal.Signals] = []

    def pytest_sessionstart(self) -> None:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            self._handled = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
            self._set(_exit)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Ignore the signals, and Ctrl-C, while reports are written."""
        self._set(signal.SIG_IGN)
        listens = self._handled and signal.getsignal(signal.SIGINT) == signal.default_int_handler
        if listens:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return (yield)
        finally:
            if listens:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def pytest_unconfigure(self) -> None:
        """Restore the default handlers."""
        self._set(signal.SIG_DFL)

    def _set(self, handler: Any) -> None:
        for number in self._handled:
            signal.signal(number, handler)


def _exit(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    signal.signal(number, signal.SIG_IGN)
    # With the exit status of an interrupted session; otherwise pytest would show no summary.
    pytest.exit(f"ended by {signal.Signals(number).name}")
