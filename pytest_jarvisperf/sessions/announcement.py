"""Announces how long measuring takes: before it begins, and for the rest while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.markers import read_bench_marker
from pytest_jarvisperf.measuring.record import record_key
from pytest_jarvisperf.sessions.progress import Countdown, LongCalls, ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pytest_jarvisperf.measuring.harness import MeasuringHarness
    from pytest_jarvisperf.options import Options


class Announcement:
    """The plugin object that announces and counts down.

    Args:
        config: pytest's config.
        options: This plugin's options.
        harness: Measures the targets; reports calls that take longer than their budget.
        measures_here: Returns whether benchmarks are measured in this process, not in the arms of lockstep.
    """

    def __init__(
        self, config: pytest.Config, options: Options, harness: MeasuringHarness, measures_here: Callable[[], bool]
    ) -> None:
        self._config = config
        self._options = options
        self._harness = harness
        self._measures_here = measures_here
        self._progress = ProgressLine(config)
        self._countdown: Countdown | None = None
        self._long_calls: LongCalls | None = None

    def pytest_report_header(self) -> str:
        """Say that this run measures, and for how long."""
        return f"jarvisperf: measuring, {self._options.budget_seconds:g} s per benchmark"

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> str | None:
        """Say how long measuring takes; in lockstep at most, with the start of its processes."""
        budgets = self._budgets(items)
        if not budgets:
            return None
        count = f"{len(budgets)} benchmark{'' if len(budgets) == 1 else 's'}"
        seconds = f"{sum(budgets.values()):.3g} s of measuring"
        if self._measures_here():
            return f"jarvisperf: {count}, about {seconds}"
        return f"jarvisperf: {count}, at most {seconds} and the start of {self._options.launches} pairs of processes"

    def _budgets(self, items: list[pytest.Item]) -> dict[str, float]:
        return {
            item.nodeid: read_bench_marker(item).budget_seconds or self._options.budget_seconds
            for item in items
            if record_key in item.stash
        }

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Show which benchmark runs and how long the rest takes; its fixtures may take longer than its measuring."""
        if record_key not in item.stash:
            return (yield)
        if self._countdown is None:
            budgets = self._budgets(item.session.items)
            self._countdown = Countdown(budgets)
            self._long_calls = LongCalls(
                self._config, lambda name: budgets.get(name, self._options.budget_seconds), self._progress
            )
            self._harness.tell_long = self._tell_long_call
        self._progress.show(self._countdown.begin(item.nodeid))
        return (yield from self._to_progress(item, ends=False))

    def _tell_long_call(self, name: str, call_seconds: float, least_seconds: float) -> None:
        """Say that a call takes longer than its budget, and allow for that."""
        if self._long_calls is not None and self._countdown is not None:
            self._long_calls.tell(name, call_seconds, least_seconds)
            self._progress.show(self._countdown.replan(name, least_seconds))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remove the progress line before pytest writes how the test ended."""
        return (yield from self._to_progress(item, ends=True))

    def _to_progress(self, item: pytest.Item, *, ends: bool) -> Generator[None, object, object]:
        """Run a phase of a test; remove the progress line if it is the last phase or fails."""
        passed = False
        try:
            result = yield
            passed = True
        finally:
            if self._countdown is not None and (ends or not passed):
                self._progress.clear()
                self._countdown.end(item.nodeid, measured=passed)
        return result
