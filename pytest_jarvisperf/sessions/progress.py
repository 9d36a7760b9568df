"""Shows how far a measuring run is: a line below pytest's output, with the remaining time."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from jarvisperf.clocks import REAL
from jarvisperf.escaping import log_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

LONGEST_NAME = 50
MINUTES_FROM_SECONDS = 120
TWO_DIGITS = 10.0  # seconds


class ProgressLine:
    """A line below the one that pytest writes to; not shown in a pipe or on a dumb terminal.

    Args:
        config: pytest's config.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self._wanted = self._capture is not None and config.getoption("verbose", -1) >= 0 and not _others_write(config)
        self._is_shown = False

    def show(self, text: str) -> None:
        """Replace the line's text, cut to the width of the terminal."""
        if self._wanted and not self._is_shown:
            self._wanted = _takes_cursor_moves()
        if self._wanted:
            self._write(text)
            self._is_shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            self._write("")
            self._is_shown = False

    def _write(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns
        column = self._config.get_terminal_writer().width_of_current_line % columns + 1
        # One line down, scrolling if necessary; then back up to where pytest continues to write.
        line = f"\n\r\x1b[2K{text[: columns - 1]}\x1b[1A\x1b[{column}G"
        assert self._capture is not None  # noqa: S101  # wanted only if there is one
        with self._capture.global_and_fixture_disabled():
            sys.stdout.write(line)
            sys.stdout.flush()


class LongCalls:
    """Reports, once per benchmark, that one call takes longer than the whole budget, as soon as that is known.

    Args:
        config: pytest's config.
        budget: Returns a benchmark's budget in seconds.
        progress: The progress line, which is removed first.
    """

    def __init__(self, config: pytest.Config, budget: Callable[[str], float], progress: ProgressLine) -> None:
        self._config = config
        self._budget = budget
        self._progress = progress
        self._announced: set[str] = set()

    def tell(self, name: str, call_seconds: float, least_seconds: float | None = None) -> None:
        """Report that one call takes longer than the budget.

        Args:
            name: The benchmark's id.
            call_seconds: The seconds of one call.
            least_seconds: The minimum seconds that measuring takes; None: the progress line includes them.
        """
        if name in self._announced:
            return
        self._announced.add(name)
        takes = "" if least_seconds is None else f", at least {least_seconds:.3g} s"
        tell_line(
            self._config,
            self._progress,
            f"{name}: one call takes {call_seconds:.3g} s, more than its budget of {self._budget(name):.3g} s; "
            f"it is measured with as few calls as possible{takes}",
        )


class Silences:
    """Reports, once per benchmark, that an arm does not answer, and how long it is waited for.

    Args:
        config: pytest's config.
        progress: The progress line, which is removed first.
    """

    def __init__(self, config: pytest.Config, progress: ProgressLine) -> None:
        self._config = config
        self._progress = progress
        self._announced: set[str] = set()

    def tell(self, name: str, seconds: float) -> None:
        """Report that an arm does not answer.

        Args:
            name: The benchmark's id.
            seconds: The seconds after which it is given up.
        """
        if name not in self._announced:
            self._announced.add(name)
            tell_line(
                self._config,
                self._progress,
                f"{name}: an arm does not answer; if that lasts {seconds:.0f} s, it is ended and the benchmark is not "
                "compared, and the others go on",
            )


def tell_line(config: pytest.Config, progress: ProgressLine, text: str) -> None:
    """Write a line to the terminal right now.

    Args:
        config: pytest's config.
        progress: The progress line, which is removed first.
        text: The line, without the plugin's name.
    """
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    progress.clear()
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        reporter.ensure_newline()
        reporter.write_line(f"jarvisperf: {log_line(text)}")
        reporter.flush()


class Countdown:
    """Tracks which benchmark runs, and estimates how long the rest takes at the current pace.

    Args:
        expected: Seconds that each benchmark will probably take, by id.
        clock: Returns the time in seconds.

    Attributes:
        taken: Seconds that benchmarks took from start to end, by id, without those that failed.
    """

    def __init__(self, expected: Mapping[str, float], clock: Callable[[], float] = REAL.wall) -> None:
        self._total = len(expected)
        self._to_come = dict(expected)
        self._clock = clock
        self._planned = self._spent = self._begin = 0.0
        self.taken: dict[str, float] = {}

    def begin(self, name: str) -> str:
        """Begin a benchmark, and return the progress as text."""
        self._begin = self._clock()
        return self._text(name)

    def replan(self, name: str, seconds: float) -> str:
        """Correct the expectation for the running benchmark, and return the progress as text.

        Args:
            name: Its id.
            seconds: The seconds that it will still take.
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
        """End a benchmark; one that is rerun, for example by a plugin for flaky tests, is counted once.

        Args:
            name: Its id.
            measured: Whether it ran to its end; one that failed or was skipped does not affect the pace.
        """
        planned = self._to_come.pop(name, None)
        if planned is not None and measured:
            self.taken[name] = self._clock() - self._begin
            self._planned += planned
            self._spent += self.taken[name]


def duration(seconds: float) -> str:
    """Format a rough estimate of a time."""
    return f"{seconds:.0f} s" if seconds < MINUTES_FROM_SECONDS else f"{seconds / 60:.0f} min"


def precise_duration(seconds: float) -> str:
    """Format an estimate with two digits, or more if it takes more to write whole seconds."""
    return f"{seconds:.2g} s" if seconds < TWO_DIGITS else duration(seconds)


def _takes_cursor_moves() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _others_write(config: pytest.Config) -> bool:
    """Return whether tests write to the terminal while they run (`-s`, live logs): the line would be in the way."""
    if config.getoption("capture", "fd") == "no":
        return True
    logs = config.pluginmanager.hasplugin("logging-plugin")
    return logs and bool(config.getini("log_cli") or config.getoption("log_cli_level"))
