"""One `pytest --jarvis-bench`: gathers the tests' records, writes the reports, decides the exit status."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.record import record_key

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from jarvisperf.report.findings import Findings
    from jarvisperf.runs.model import Benchmark
    from pytest_jarvisperf.lockstep_session import LockstepSession
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.record import Record

LISTING_OPTIONS = ("collectonly", "showfixtures", "show_fixtures_per_test")
NOT_GREEN = (
    "no benchmark was measured, so nothing is known: "
    "a test measures when it calls the fixture jarvis_bench or benchmark"
)


class BenchSession:
    """The plugin object of a measuring run."""

    def __init__(self, config: pytest.Config, options: Options, lockstep: LockstepSession | None = None) -> None:
        self._config = config
        self._options = options
        self._lockstep = lockstep
        self._records: dict[str, Record] = {}
        self._created = datetime.datetime.now(datetime.UTC)
        self._start = time.perf_counter()
        self._findings: Findings | None = None
        self._written: list[Path] = []
        self._problems: list[str] = []

    def pytest_report_header(self) -> str:
        """Say that this run measures, and for how long."""
        return f"jarvisperf: measuring, {self._options.budget_seconds:g} s per benchmark"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note a benchmark's failure in its record, in whatever phase."""
        report = yield
        record = item.stash.get(record_key, None)
        if record is not None and report.failed and record.error is None and call.excinfo is not None:
            record.error = _one_line(call.excinfo)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep the record of a test that measured or failed; a skipped one leaves nothing."""
        try:
            return (yield)
        finally:
            record = item.stash.get(record_key, None)
            if record is not None:
                self._records[item.nodeid] = record  # of the last attempt, where a plugin reruns tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports; a run that measured nothing does not end well."""
        if any(session.config.getoption(name, False) for name in LISTING_OPTIONS):
            return
        self._findings = self._lockstep_findings() if self._lockstep else self._recorded_findings()
        if self._findings is None or not any(finding.metrics for finding in self._findings.benchmarks):
            self._problems.append(NOT_GREEN)
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._findings is None:
            return
        from jarvisperf.report import write_reports

        try:
            self._written = write_reports(self._findings, self._options.report_folder)
        except Exception as error:  # noqa: BLE001  # a report that fails must not hide what the tests said
            self._problems.append(f"the report could not be written: {type(error).__name__}: {error}")

    def _lockstep_findings(self) -> Findings | None:
        assert self._lockstep is not None  # noqa: S101  # asked only where there is one
        if self._lockstep.problem:
            self._problems.append(f"nothing was compared: {self._lockstep.problem}")
        findings = self._lockstep.findings(self._created_text(), self._seconds())
        if findings is not None and not findings.trusted:
            self._problems.append(f"this run is not to be trusted: {self._lockstep.control}")
        return findings

    def _recorded_findings(self) -> Findings | None:
        from jarvisperf.report.findings import findings_of
        from jarvisperf.runs.commit import read_commit
        from jarvisperf.runs.machine import read_machine
        from jarvisperf.runs.model import Run

        benchmarks = tuple(record.finished() for record in self._records.values() if record.metrics or record.error)
        if not benchmarks:
            return None
        self._problems += _missing_twins(benchmarks)
        return findings_of(
            Run(
                created=self._created_text(),
                seconds=self._seconds(),
                machine=read_machine(),
                commit=read_commit(self._config.rootpath),
                benchmarks=benchmarks,
            )
        )

    def _created_text(self) -> str:
        return self._created.isoformat(timespec="seconds")

    def _seconds(self) -> float:
        return time.perf_counter() - self._start

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, what was written where, and what went wrong."""
        import shutil

        from jarvisperf.report.terminal import render

        if self._findings is None and not self._problems:
            return
        terminalreporter.section("benchmarks (jarvisperf)")
        if self._findings is not None:
            colour = terminalreporter.hasmarkup
            columns = shutil.get_terminal_size(fallback=(120, 24)).columns
            terminalreporter.write(render(self._findings, colour=colour, columns=columns))
        if self._written:
            folder = self._options.report_folder
            names = ", ".join(str(path.relative_to(folder)) for path in self._written)
            terminalreporter.write_line(f"Report in {folder}: {names}")
        for problem in self._problems:
            terminalreporter.write_line(f"jarvisperf: {problem}", red=True)


def _one_line(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(excinfo.value).strip().splitlines()
    return f"{excinfo.typename}: {message[0]}" if message else excinfo.typename


def _missing_twins(benchmarks: tuple[Benchmark, ...]) -> list[str]:
    ids = {benchmark.id for benchmark in benchmarks}
    return [
        f"{benchmark.id}: its before={benchmark.before} was not measured in this run, so no ratio is shown"
        for benchmark in benchmarks
        if benchmark.before is not None and benchmark.before not in ids
    ]
