"""Handles tests that turn out to be benchmarks at run time, because they call `request.getfixturevalue`.

pytest-bdd's steps and wrappers of the fixture do that, which collection cannot see. When benchmarks are measured or
judged after the functional tests (in lockstep, against stored runs, under xdist), such a test first runs as a
functional test. Its report is left out of the count, and the test is then treated like the other benchmarks.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.measuring.stash_keys import record_key

if TYPE_CHECKING:
    from collections.abc import Generator

FOUND = "jarvis_found_at_run_time"  # on a report; xdist carries it from a worker to its controller


class BenchmarksFoundAtRunTime:
    """The plugin object that records these tests; in an xdist worker it only marks their reports.

    Attributes:
        ids: Their node ids, in the order in which they ran.
        held: By node id, the test and the report that was not counted; tests that ran in a worker are absent.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.held: dict[str, tuple[pytest.Item, pytest.TestReport]] = {}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark the report of a passed test that requested the fixture; a failed test stays a failure."""
        report = yield
        record = item.stash.get(record_key, None)
        if record is not None and record.found_at_run_time and report.when == "call" and report.passed:
            self.held[item.nodeid] = (item, copy.copy(report))
            setattr(report, FOUND, True)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the test, whichever process it ran in."""
        if getattr(report, FOUND, False) and report.nodeid not in self.ids:
            self.ids.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Leave the report out of the count; the test is counted once it has been judged."""
        return ("", "", "") if getattr(report, FOUND, False) else None
