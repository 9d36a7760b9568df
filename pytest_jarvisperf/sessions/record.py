"""One `pytest --jarvis-bench`: gathers the tests' records, writes reports and the run, decides the exit status."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jarvisperf.clocks import REAL, now
from pytest_jarvisperf.collection.recognition import is_marked_in_vain
from pytest_jarvisperf.markers import read_thresholds
from pytest_jarvisperf.measuring.long_calls import LongCalls
from pytest_jarvisperf.measuring.record import record_key
from pytest_jarvisperf.sessions.last_seconds import LastSeconds
from pytest_jarvisperf.sessions.notes import joined_notes
from pytest_jarvisperf.sessions.progress import Countdown, ProgressLine, precise_duration
from pytest_jarvisperf.state import elsewhere_key

if TYPE_CHECKING:
    from collections.abc import Generator

    from jarvisperf.history.model import History
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.model import Benchmark, Run
    from jarvisperf.runs.store import RunStore
    from pytest_jarvisperf.measuring.harness import MeasuringHarness
    from pytest_jarvisperf.measuring.record import Record
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.sessions.baseline import BaselineSession
    from pytest_jarvisperf.sessions.lockstep import LockstepSession

FINISHED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
LISTING_OPTIONS = ("collectonly", "showfixtures", "show_fixtures_per_test")
NOT_GREEN = (
    "no benchmark was measured, so nothing is known: "
    "a test measures when it calls the fixture jarvis_bench or benchmark, or has the marker benchmark"
)

EMPTY_SHARD = "no benchmark of this part of the suite was measured, so it is no part to merge: cut the suite into fewer"


def is_listing(config: pytest.Config) -> bool:
    """Tell whether pytest lists tests or fixtures and runs none."""
    return any(config.getoption(name, False) for name in LISTING_OPTIONS)


class BenchSession:
    """The plugin object of a measuring run.

    Args:
        config: pytest's.
        options: This plugin's.
        harness: Takes the targets.
        store: Where this run is kept; None: nowhere.
        lockstep: Compares with a revision; None: nothing does.
        baseline: Compares with stored runs; None: nothing does.
        history: Where earlier runs are; None: the report shows none.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        harness: MeasuringHarness,
        store: RunStore | None = None,
        *,
        lockstep: LockstepSession | None = None,
        baseline: BaselineSession | None = None,
        history: RunStore | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self._harness = harness
        self._store = store
        self._lockstep = lockstep
        self._baseline = baseline
        self._history_store = history
        self._records: dict[str, Record] = {}
        self._limits: dict[str, dict[str, float]] = {}
        self._run: Run | None = None
        self._created = now()
        self._start = REAL.wall()
        self._findings: Findings | None = None
        self._written: list[Path] = []
        self._saved: str | None = None
        self._warnings: list[str] = []
        self._problems: list[str] = []
        self._progress = ProgressLine(config)
        self._last_seconds = LastSeconds(config, options.budget_seconds)
        self._countdown: Countdown | None = None
        self._long_calls: LongCalls | None = None
        self._interrupted = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Name the tests that carry the marker and cannot be measured."""
        self._warnings += [
            f"{item.nodeid} has the marker benchmark and is not measured: it is a method of unittest.TestCase; "
            "call jarvis_bench in a plain test function"
            for item in session.items
            if is_marked_in_vain(item)
        ]

    def pytest_report_header(self) -> str:
        """Say that this run measures, and for how long."""
        return f"jarvisperf: measuring, {self._options.budget_seconds:g} s per benchmark"

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> str | None:
        """Say how long the measuring takes; in lockstep at most, with the processes that start beside it."""
        benchmarks = [item for item in items if record_key in item.stash]
        if not benchmarks:
            return None
        count = f"{len(benchmarks)} benchmark{'' if len(benchmarks) == 1 else 's'}"
        if self._measures_here():
            seconds = sum(map(self._last_seconds.expected, benchmarks))
            return f"jarvisperf: {count}, about {precise_duration(seconds)} of measuring"
        seconds = sum(map(self._last_seconds.budget, benchmarks))
        return (
            f"jarvisperf: {count}, at most {precise_duration(seconds)} of measuring and the start of "
            f"{self._options.launches} pairs of processes"
        )

    def _measures_here(self) -> bool:
        """Tell whether benchmarks are measured in this process; otherwise they are in the arms of lockstep."""
        return self._lockstep is None and not (self._baseline and self._baseline.is_direct)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say which benchmark runs and how long the rest takes; its fixtures may take longer than its measuring."""
        if record_key not in item.stash:
            return (yield)
        if self._countdown is None:
            benchmarks = [one for one in item.session.items if record_key in one.stash]
            self._countdown = Countdown({one.nodeid: self._last_seconds.expected(one) for one in benchmarks})
            budgets = {one.nodeid: self._last_seconds.budget(one) for one in benchmarks}
            self._long_calls = LongCalls(
                self._config, lambda name: budgets.get(name, self._options.budget_seconds), self._progress
            )
            self._harness.tell_long = self._tell_long_call
            self._harness.tell_rounds = self._tell_rounds
        self._progress.show(self._countdown.begin(item.nodeid))
        return (yield from self._to_progress(item, ends=False))

    def _tell_long_call(self, name: str, call_seconds: float, least_seconds: float) -> None:
        """Say that a call takes longer than its budget, and reckon with that."""
        if self._long_calls is not None and self._countdown is not None:
            self._long_calls.tell(name, call_seconds, least_seconds)
            self._progress.show(self._countdown.replan(name, least_seconds))

    def _tell_rounds(self, name: str, seconds: float) -> None:
        """Reckon with the rounds that a test declares, whatever its budget."""
        if self._countdown is not None:
            self._progress.show(self._countdown.replan(name, seconds))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take the progress away before pytest writes how the test ended."""
        return (yield from self._to_progress(item, ends=True))

    def _to_progress(self, item: pytest.Item, *, ends: bool) -> Generator[None, object, object]:
        """Run a phase of a test; where it is the last one or fails, nothing of the progress stays on the terminal."""
        passed = False
        try:
            result = yield
            passed = True
        finally:
            if self._countdown is not None and (ends or not passed):
                self._progress.clear()
                self._countdown.end(item.nodeid, measured=passed)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note a benchmark's failure in its record, in whatever phase; what exceeds an absolute limit fails."""
        record = item.stash.get(record_key, None)
        if record is not None and call.when == "call":
            item.user_properties += _figures(record)  # each report copies them; JUnit files take the last one's
        report = yield
        if record is None:
            return report
        if report.failed and record.error is None and call.excinfo is not None:
            record.error = _one_line(call.excinfo)
        if report.when == "call" and report.passed:
            self._limits[record.id] = read_thresholds(item, {})[1]
            over = _over_limit(record, self._limits[record.id])
            if over:
                report.outcome, report.longrepr = "failed", "\n".join(over)
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

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After all tests, compare them with stored runs; then those tests are reported."""
        if self._baseline is None:
            return (yield)
        try:
            result = yield
        except (session.Failed, session.Interrupted):
            self._run = self._recorded_run()
            self._baseline.judge(session, self._run, stopped=True)
            raise
        if not is_listing(self._config):
            self._run = self._recorded_run()
            self._baseline.judge(session, self._run, stopped=False)
            self._run = self._baseline.run or self._run
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and store the run; one that measured or compared nothing does not end well."""
        if is_listing(self._config):
            return
        if self._countdown is not None and self._measures_here():
            self._last_seconds.keep(self._countdown.taken)
        self._interrupted |= session.exitstatus not in FINISHED
        self._findings = self._lockstep_findings() if self._lockstep else self._recorded_findings()
        if self._baseline is not None:
            self._warnings += self._baseline.warnings
            self._problems += self._baseline.problems
        self._save()
        is_whole = self._is_compared() and self._is_measured()
        if not is_whole and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._findings is not None:
            self._findings = self._completed(self._findings, session)
            self._write(self._findings)

    def _is_compared(self) -> bool:
        """Tell whether the comparison that was asked for was made, to its end."""
        if self._lockstep is not None:
            return self._lockstep.comparison.problem is None
        return self._baseline is None or self._run is None or self._baseline.compared

    def _is_measured(self) -> bool:
        """Tell whether anything was measured; otherwise note that."""
        if self._findings is not None and any(finding.metrics for finding in self._findings.benchmarks):
            return True
        if self._findings is not None and self._findings.benchmarks:
            self._problems.append("no benchmark was measured, so nothing is known: each of them failed")
        else:
            self._problems.append(EMPTY_SHARD if self._config.stash.get(elsewhere_key, None) else NOT_GREEN)
        return False

    def _write(self, findings: Findings) -> None:
        from jarvisperf.report import UnwrittenError, write_reports

        try:
            self._written = write_reports(findings, self._options.report_folder, self._history(findings))
        except UnwrittenError as error:
            self._written = error.written
            self._problems.append(f"the report could not be written: {error}")
        except Exception as error:  # noqa: BLE001  # a report that fails must not hide what the tests said
            self._problems.append(f"the report could not be written: {type(error).__name__}: {error}")

    def _completed(self, findings: Findings, session: pytest.Session) -> Findings:
        """Add where the tests stand, their profiles, and which part of the suite this is."""
        import msgspec

        from jarvisperf.report.findings.model import located, profiled

        lines = {item.nodeid: item.location[1] + 1 for item in session.items if item.location[1] is not None}
        profiles = {name: (None, record.profile.profile) for name, record in self._records.items() if record.profile}
        self._warnings += [
            f"{name} was not profiled: {record.profile_problem}"
            for name, record in self._records.items()
            if record.profile_problem
        ]
        self._warnings += joined_notes({name: record.notes for name, record in self._records.items()})
        if self._lockstep is not None:
            self._warnings += self._lockstep.comparison.warnings
        shard = str(self._options.shard) if self._options.shard else None
        return msgspec.structs.replace(
            profiled(located(findings, lines), profiles),
            shard=shard,
            allows_missing=self._options.allows_missing,
            interrupted=findings.interrupted or self._interrupted,
        )

    def _history(self, findings: Findings) -> History | None:
        """Read the stored runs behind this one: those under the name that it is compared with or stored under."""
        from jarvisperf.history.reading import read_history
        from jarvisperf.runs.bounds import bounded_id
        from jarvisperf.runs.store import StoreError

        name = self._options.compare or self._options.save
        if self._history_store is None or name is None:
            return None
        try:
            entries = self._history_store.find(name, findings.machine.fingerprint).entries
            return read_history(
                self._history_store, entries, frozenset(bounded_id(finding.id) for finding in findings.benchmarks)
            )
        except (StoreError, ImportError, ValueError) as error:
            self._warnings.append(f"the report has no history: {error}")
            return None

    def _lockstep_findings(self) -> Findings | None:
        assert self._lockstep is not None  # noqa: S101  # asked only where there is one
        comparison = self._lockstep.comparison
        if comparison.shortfall is not None:
            self._problems.append(comparison.shortfall)
        findings = self._lockstep.findings(self._created_text(), self._seconds())
        if findings is not None and not findings.trusted:
            self._problems.append(f"this run is not to be trusted: {comparison.control}")
        return findings

    def _recorded_findings(self) -> Findings | None:
        import msgspec

        from jarvisperf.report.findings.model import findings_of, held_to_limits

        self._run = self._run or self._recorded_run()
        if self._run is None:
            return None
        self._problems += _missing_twins(self._run.benchmarks)
        findings = findings_of(self._run)
        if self._baseline is not None and self._baseline.findings is not None:
            findings = self._baseline.findings
        findings = msgspec.structs.replace(findings, created=self._created_text(), seconds=self._seconds())
        return held_to_limits(findings, self._limits)

    def _recorded_run(self) -> Run | None:
        from jarvisperf.runs.commit import read_commit
        from jarvisperf.runs.machine import read_machine
        from jarvisperf.runs.model import Run

        benchmarks = tuple(record.finished() for record in self._records.values() if record.metrics or record.error)
        if not benchmarks:
            return None
        yardstick = self._harness.yardstick
        return Run(
            created=self._created.isoformat(timespec="microseconds"),
            seconds=self._seconds(),
            machine=read_machine(),
            commit=read_commit(self._config.rootpath),
            benchmarks=benchmarks,
            yardstick=yardstick.summary() if yardstick else {},
            interrupted=self._interrupted,
        )

    def _save(self) -> None:
        """Store the run, whatever its tests said; what goes wrong here changes nothing of that."""
        if self._store is None or self._options.save is None:
            return
        run = self._run or self._lockstep_run()
        if run is None or not any(benchmark.metrics for benchmark in run.benchmarks):
            self._problems.append("the run was not saved: it has no figures")
            return
        try:
            stored = self._store.save(run, self._options.save)
        except Exception as error:  # noqa: BLE001  # a store that fails must not hide what the tests said
            self._problems.append(f"the run was not saved: {error}")
            return
        self._warnings += stored.warnings
        if stored.where == "store":
            self._saved = f"saved as {stored.entry.name} ({stored.entry.token}) in {self._store.shown}"
        else:
            self._saved = f"kept as {stored.entry.name} ({stored.entry.token}) until the store can be written"

    def _lockstep_run(self) -> Run | None:
        import msgspec

        from jarvisperf.report.findings.model import run_of
        from jarvisperf.runs.commit import read_commit

        if self._findings is None:
            return None
        run = run_of(self._findings, read_commit(self._config.rootpath))
        return msgspec.structs.replace(
            run, created=self._created.isoformat(timespec="microseconds"), interrupted=self._interrupted
        )

    def _created_text(self) -> str:
        return self._created.isoformat(timespec="seconds")

    def _seconds(self) -> float:
        return REAL.wall() - self._start

    def _workflow_commands(self, findings: Findings) -> list[str]:
        """Give the lines with which GitHub marks the tests on a pull request; elsewhere there are none."""
        if os.environ.get("GITHUB_ACTIONS") != "true":
            return []
        from jarvisperf.report.formats.github import workflow_commands

        workspace = Path(os.environ.get("GITHUB_WORKSPACE", "")).resolve()
        root = self._config.rootpath.resolve()
        inside = root.relative_to(workspace).as_posix() if root.is_relative_to(workspace) else "."
        return workflow_commands(findings, "" if inside == "." else f"{inside}/")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, what was written where, and what went wrong."""
        import shutil

        from jarvisperf.report.terminal.summary import render, shows_unicode

        if self._findings is None and not self._problems:
            return
        terminalreporter.section("benchmarks (jarvisperf)")
        if self._findings is not None:
            columns = shutil.get_terminal_size(fallback=(120, 24)).columns
            unicode = shows_unicode(getattr(sys.stdout, "encoding", None))
            colour = terminalreporter.hasmarkup
            terminalreporter.write(render(self._findings, colour=colour, columns=columns, unicode=unicode))
            for line in self._workflow_commands(self._findings):
                terminalreporter.write_line(line)
        if self._written:
            folder = self._options.report_folder
            names = ", ".join(str(path.relative_to(folder)) for path in self._written)
            terminalreporter.write_line(f"Report in {folder}: {names}")
        if self._saved:
            terminalreporter.write_line(self._saved)
        for warning in self._warnings:
            terminalreporter.write_line(f"jarvisperf: {warning}", yellow=True)
        for problem in self._problems:
            terminalreporter.write_line(f"jarvisperf: {problem}", red=True)


def _figures(record: Record) -> list[tuple[str, object]]:
    return [(f"jarvis_{name}_median", metric.summary.median) for name, metric in record.metrics.items()]


def _over_limit(record: Record, limits: dict[str, float]) -> list[str]:
    from jarvisperf.report.shared import units

    return [
        f"{name}: {units.quantity(metric.summary.median, metric.unit)} is over the limit of "
        f"{units.quantity(limits[name], metric.unit)}"
        for name, metric in record.metrics.items()
        if name in limits and metric.summary.median > limits[name]
    ]


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
