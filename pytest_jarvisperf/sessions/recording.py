"""Keeps the records of benchmark tests as they end, and turns them into a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jarvisperf.clocks import REAL, now
from jarvisperf.error_text import type_and_first_line
from jarvisperf.measure.unmeasured import nothing_measured
from pytest_jarvisperf.extensions import this_machine
from pytest_jarvisperf.markers.jarvis import read_thresholds
from pytest_jarvisperf.measuring.stash_keys import record_key
from pytest_jarvisperf.state import state_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from jarvisperf.runs.model import Run
    from pytest_jarvisperf.measuring.harness import MeasuringHarness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord


class Recording:
    """Plugin object that stores benchmark records.

    Args:
        config: pytest's config.
        harness: Measures the targets, and reads the yardstick.
        measures_here: Whether this process measures; in lockstep the arms do.

    Attributes:
        records: The record of each test's last attempt, by node id.
        skipped: Why tests were skipped, by node id.
        limits: By node id, the absolute limits of a passed test for each metric.
        created: The time when the run began.
    """

    def __init__(self, config: pytest.Config, harness: MeasuringHarness, *, measures_here: bool) -> None:
        self._config = config
        self._measures_here = measures_here
        self._harness = harness
        self._start = REAL.wall()
        self.created = now()
        self.records: dict[str, BenchmarkRecord] = {}
        self.skipped: dict[str, str] = {}
        self.limits: dict[str, dict[str, float]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note a benchmark's failure in its record; fail a test that measured nothing or exceeds an absolute limit."""
        record = item.stash.get(record_key, None)
        if record is not None and call.when == "call":
            item.user_properties += _figures(record)  # each report copies them; JUnit files use those of the last one
        report = yield
        if record is None:
            return report
        if report.failed and record.error is None:
            record.error = type_and_first_line(call.excinfo.value) if call.excinfo is not None else _first_line(report)
        record.total_seconds += report.duration
        if report.skipped:
            self.skipped[record.id] = _why_skipped(report)
        if report.when == "call" and report.passed and self._measures_here and not record.metrics:
            record.error = report.longrepr = nothing_measured(record.raised)
            report.outcome = "failed"
        if report.when == "call" and report.passed:
            self.limits[record.id] = read_thresholds(item, state_of(self._config).metrics, {})[1]
            over = _over_limit(record, self.limits[record.id])
            if over:
                report.outcome, report.longrepr = "failed", "\n".join(over.values())
                worse = {f"jarvis_{name}_verdict" for name in over}
                for properties in (item.user_properties, report.user_properties):
                    properties[:] = [(name, "regressed" if name in worse else value) for name, value in properties]
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep the test's record; with a plugin that reruns tests, the last attempt's."""
        try:
            return (yield)
        finally:
            record = item.stash.get(record_key, None)
            if record is not None:
                self.records[item.nodeid] = record

    @property
    def seconds(self) -> float:
        """The run's duration so far."""
        return REAL.wall() - self._start

    def run(self, *, interrupted: bool) -> Run | None:
        """Turn the records of tests that measured or failed into a run; None if no benchmark was even skipped.

        Args:
            interrupted: Whether the run ended before all benchmarks were done.
        """
        from jarvisperf.runs.commit import read_commit
        from jarvisperf.runs.model import Run

        benchmarks = tuple(record.finished() for record in self.records.values() if record.metrics or record.error)
        if not benchmarks and not self.skipped:
            return None
        yardstick = self._harness.yardstick
        return Run(
            created=self.created.isoformat(timespec="microseconds"),
            seconds=self.seconds,
            machine=this_machine(self._config),
            commit=read_commit(self._config.rootpath),
            benchmarks=benchmarks,
            yardstick=yardstick.summary() if yardstick else {},
            interrupted=interrupted,
        )


def _figures(record: BenchmarkRecord) -> list[tuple[str, object]]:
    return [
        pair
        for name, metric in record.metrics.items()
        for pair in ((f"jarvis_{name}_median", metric.summary.median), (f"jarvis_{name}_verdict", "new"))
    ]


def _over_limit(record: BenchmarkRecord, limits: dict[str, float]) -> dict[str, str]:
    """Return a message for each metric above its absolute limit."""
    from jarvisperf.report.findings.model import over_limit
    from jarvisperf.report.shared import units

    return {
        name: f"{name}: {units.quantity(metric.summary.median, metric.unit)} is over the limit of "
        f"{units.quantity(limits[name], metric.unit)}"
        for name, metric in record.metrics.items()
        if over_limit(metric.summary, limits.get(name))
    }


def _why_skipped(report: pytest.TestReport) -> str:
    """Return the reason in one line; a test that failed as expected counts as skipped, as in pytest."""
    if hasattr(report, "wasxfail"):
        from jarvisperf.report.findings.model import expected_to_fail

        return expected_to_fail(report.wasxfail)
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    lines = text.removeprefix("Skipped").removeprefix(":").strip().splitlines()
    return lines[0] if lines else "no reason given"


def _first_line(report: pytest.TestReport) -> str:
    """Explain a failure without an exception, such as a test that was strictly expected to fail but passed."""
    lines = report.longreprtext.strip().splitlines()
    return lines[0].strip() if lines else "failed without a reason"
