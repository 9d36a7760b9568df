"""Benchmarks of which one call takes longer than the whole budget: said as soon as the first call is known."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_jarvisperf.sessions.progress import ProgressLine


class LongCalls:
    """Writes a line for each such benchmark, once, while the run goes on.

    Args:
        config: pytest's.
        budget: Gives a benchmark's budget in seconds.
        progress: What is shown below; it is taken away first.
    """

    def __init__(self, config: pytest.Config, budget: Callable[[str], float], progress: ProgressLine) -> None:
        self._config = config
        self._budget = budget
        self._progress = progress
        self._told: set[str] = set()

    def tell(self, name: str, call_seconds: float, least_seconds: float | None = None) -> None:
        """Say that one call takes longer than the budget.

        Args:
            name: The benchmark's id.
            call_seconds: What one call takes.
            least_seconds: What measuring it takes at least; None: that is part of what the progress shows.
        """
        if name in self._told:
            return
        self._told.add(name)
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        takes = "" if least_seconds is None else f", {least_seconds:.3g} s at least"
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        self._progress.clear()
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            reporter.ensure_newline()
            reporter.write_line(
                f"jarvisperf: {name}: one call takes {call_seconds:.3g} s, more than its budget of "
                f"{self._budget(name):.3g} s; it is measured with as few calls as possible{takes}"
            )
            reporter.flush()
