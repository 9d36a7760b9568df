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
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.record import Record

NOT_GREEN = (
    "no benchmark was measured, so nothing is known: "
    "a test measures when it calls the fixture jarvis_bench or benchmark"
)


class BenchSession:
    """The plugin object of a measuring run."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self._config = config
        self._options = options
        self._records: list[Record] = []
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
            if record is not None and record not in self._records:
                self._records.append(record)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports; a run that measured nothing does not end well."""
        if session.config.getoption("collectonly", False):
            return
        benchmarks = tuple(record.finished() for record in self._records if record.metrics or record.error)
        if not any(benchmark.metrics for benchmark in benchmarks):
            self._problems.append(NOT_GREEN)
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if not benchmarks:
            return
        from jarvisperf.report import write_reports
        from jarvisperf.report.findings import findings_of
        from jarvisperf.runs.commit import read_commit
        from jarvisperf.runs.machine import read_machine
        from jarvisperf.runs.model import Run

        run = Run(
            created=self._created.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self._start,
            machine=read_machine(),
            commit=read_commit(self._config.rootpath),
            benchmarks=benchmarks,
        )
        self._problems += _missing_twins(run.benchmarks)
        self._findings = findings_of(run)
        try:
            self._written = write_reports(self._findings, self._options.report_folder)
        except OSError as error:
            self._problems.append(f"the report could not be written: {error}")

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
