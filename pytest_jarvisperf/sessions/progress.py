"""How far a measuring run is: one line under what pytest writes, and the time that is left."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

LONGEST_NAME = 50
MINUTES_FROM_SECONDS = 120


class ProgressLine:
    """A line below the one that pytest writes to, which stays as it is; nothing in a pipe or on a dumb terminal.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self._wanted = self._capture is not None and config.getoption("verbose", -1) >= 0 and not _others_write(config)
        self._is_shown = False

    def show(self, text: str) -> None:
        """Write a text in place of the one before; what is too long for the terminal is cut."""
        if self._wanted and not self._is_shown:
            self._wanted = _takes_cursor_moves()
        if self._wanted:
            self._write(text)
            self._is_shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._write("")
            self._is_shown = False

    def _write(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns
        column = self._config.get_terminal_writer().width_of_current_line % columns + 1
        # A line down, which scrolls where there is none; then up again, to where pytest goes on writing.
        line = f"\n\r\x1b[2K{text[: columns - 1]}\x1b[1A\x1b[{column}G"
        assert self._capture is not None  # noqa: S101  # wanted only where there is one
        with self._capture.global_and_fixture_disabled():
            sys.stdout.write(line)
            sys.stdout.flush()


class Countdown:
    """Which benchmark runs, and how long the rest takes at the pace so far.

    Args:
        expected: Seconds that each benchmark probably takes, by id.
        clock: Seconds that pass.

    Attributes:
        taken: Seconds that benchmarks took from beginning to end, by id; nothing of those that failed.
    """

    def __init__(self, expected: Mapping[str, float], clock: Callable[[], float] = REAL.wall) -> None:
        self._total = len(expected)
        self._to_come = dict(expected)
        self._clock = clock
        self._planned = self._spent = self._begin = 0.0
        self.taken: dict[str, float] = {}

    def begin(self, name: str) -> str:
        """Begin a benchmark, and say how far the run is."""
        self._begin = self._clock()
        return self._text(name)

    def replan(self, name: str, seconds: float) -> str:
        """Correct the expectation for the benchmark that runs, and say how far the run is.

        Args:
            name: Its id.
            seconds: What it still takes, from now on.
        """
        if name in self._to_come:
            self._to_come[name] = self._clock() - self._begin + seconds
        return self._text(name)

    def _text(self, name: str) -> str:
        pace = self._spent / self._planned if self._planned else 1.0
        place = self._total - len(self._to_come) + 1
        seconds = pace * sum(self._to_come.values()) - (self._clock() - self._begin)
        left = f"about {duration(max(0.0, seconds))} left"
        return f"benchmark {min(place, self._total)} of {self._total}, {left}  {name[-LONGEST_NAME:]}"

    def end(self, name: str, *, measured: bool = True) -> None:
        """End a benchmark; one that runs again, as plugins for flaky tests have it, is counted once.

        Args:
            name: Its id.
            measured: Whether it ran to its end; one that failed or was skipped says nothing of the pace.
        """
        planned = self._to_come.pop(name, None)
        if planned is not None and measured:
            self.taken[name] = self._clock() - self._begin
            self._planned += planned
            self._spent += self.taken[name]


def duration(seconds: float) -> str:
    """Write a time that is only roughly known."""
    return f"{seconds:.0f} s" if seconds < MINUTES_FROM_SECONDS else f"{seconds / 60:.0f} min"


def precise_duration(seconds: float) -> str:
    """Write a time that is well known: three digits below two minutes."""
    return f"{seconds:.3g} s" if seconds < MINUTES_FROM_SECONDS else duration(seconds)


def _takes_cursor_moves() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _others_write(config: pytest.Config) -> bool:
    """Tell whether tests write to the terminal while they run, by `-s` or live logs: the line would be in their way."""
    if config.getoption("capture", "fd") == "no":
        return True
    logs = config.pluginmanager.hasplugin("logging-plugin")
    return logs and bool(config.getini("log_cli") or config.getoption("log_cli_level"))
