"""SIGTERM, by which CI ends a job: the run ends as by Ctrl-C, with the report of what was measured until then."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


class Termination:
    """The plugin object that handles the signal, unless somebody else does.

    A second signal, as CI sends one after Ctrl-C, must not cost the report. What hangs is ended by SIGKILL.
    """

    def __init__(self) -> None:
        self._handles = False

    def pytest_sessionstart(self) -> None:
        """Handle the signal from now on."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _exit)
            self._handles = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Ignore it while reports are written."""
        if self._handles:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return (yield)

    def pytest_unconfigure(self) -> None:
        """Give it its default meaning back."""
        if self._handles:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pytest.exit("ended by SIGTERM")  # with the status of an interrupted session, or pytest would show no summary
