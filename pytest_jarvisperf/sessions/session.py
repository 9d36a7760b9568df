"""One `pytest --jarvis-bench`: turns what was recorded or compared into findings, and decides the exit status."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.collection.recognition import is_marked_in_vain
from pytest_jarvisperf.measuring.record import as_text
from pytest_jarvisperf.measuring.stash_keys import elsewhere_key, record_key, split_key
from pytest_jarvisperf.sessions.outputs import joined_notes

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings
    from jarvisperf.report.findings.pairs import MeasuredPairs
    from jarvisperf.runs.model import Benchmark, Run
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.sessions.baseline import BaselineSession
    from pytest_jarvisperf.sessions.lockstep import LockstepSession
    from pytest_jarvisperf.sessions.outputs import Messages, Outputs
    from pytest_jarvisperf.sessions.recording import Recording

FINISHED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
LISTING_OPTIONS = ("collectonly", "showfixtures", "show_fixtures_per_test")
NOT_GREEN = (
    "no benchmark was measured, so nothing is known: "
    "a test measures when it calls the fixture jarvis_bench or benchmark, or has the marker benchmark"
)
CLOCK_JUMPED = "the machine's clock jumped back during this run, so its figures mean nothing"
NOT_RUN = "not run, because the tests were stopped early"
EMPTY_SHARD = "no benchmark of this part of the suite was measured, so there is nothing to merge: use fewer parts"


def is_listing(config: pytest.Config) -> bool:
    """Return whether pytest only lists tests or fixtures."""
    return any(config.getoption(name, False) for name in LISTING_OPTIONS)


class BenchSession:
    """The plugin object of a measuring run.

    Args:
        config: pytest's config.
        options: This plugin's options.
        recording: Keeps the tests' records.
        outputs: Writes and shows the results.
        messages: The lines to show in the terminal.
        lockstep: Compares with a revision; None: no such comparison.
        baseline: Compares with stored runs; None: no such comparison.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        recording: Recording,
        outputs: Outputs,
        messages: Messages,
        *,
        lockstep: LockstepSession | None = None,
        baseline: BaselineSession | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self._recording = recording
        self._outputs = outputs
        self._messages = messages
        self._lockstep = lockstep
        self._baseline = baseline
        self._run: Run | None = None
        self._findings: Findings | None = None
        self._pairs: MeasuredPairs | None = None
        self._interrupted = False
        self._is_good = False
        self._import_path = tuple(sys.path)

    def measures_here(self) -> bool:
        """Return whether benchmarks are measured in this process, not in the arms of lockstep."""
        return self._lockstep is None and not (self._baseline and self._baseline.is_direct)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Warn about tests that have the marker but cannot be measured."""
        self._messages.warnings += [
            f"{item.nodeid} has the marker benchmark and is not measured: it is a method of unittest.TestCase; "
            "call jarvis_bench in a plain test function"
            for item in session.items
            if is_marked_in_vain(item)
        ]

    # Innermost, so that pytest ends the line of progress only once the benchmarks are on it.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After all tests, compare them with stored runs; only then are they reported."""
        if self._baseline is None:
            result = yield
            self._restore_import_path()
            if self._lockstep is None and not is_listing(self._config):
                self._measure_pairs(session)
            return result
        try:
            result = yield
        except (session.Failed, session.Interrupted):
            self._restore_import_path()
            self._run = self._recording.run(interrupted=self._interrupted)
            self._baseline.judge(session, self._run, stopped=True)
            raise
        self._restore_import_path()
        if not is_listing(self._config):
            self._run = self._recording.run(interrupted=self._interrupted)
            self._baseline.judge(session, self._run, stopped=False)
            self._run = self._baseline.run or self._run
        return result

    def _restore_import_path(self) -> None:
        """Add what tests removed from the import path: comparisons and reports import what they need only now."""
        sys.path += [folder for folder in self._import_path if folder not in sys.path]

    def _measure_pairs(self, session: pytest.Session) -> None:
        """Measure the pairs in turns, after all tests have passed through their fixtures."""
        from pytest_jarvisperf.pairs import PairSession
        from pytest_jarvisperf.sessions.progress import ProgressLine

        line = ProgressLine(self._config)
        try:
            self._pairs = PairSession(self._config, self._options, line.show).measure(
                session.items, self._recording.records
            )
        except (KeyboardInterrupt, pytest.exit.Exception):
            self._interrupted = True
            raise
        finally:
            line.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Store the run and write the report; a run that measured or compared nothing fails."""
        if is_listing(self._config):
            return
        self._restore_import_path()
        self._interrupted |= session.exitstatus not in FINISHED
        findings = self._compared_findings(self._lockstep) if self._lockstep else self._recorded_findings()
        self._outputs.save(self._run)
        if findings is not None:
            findings = self._completed(findings, session)
        is_good = self._is_compared() and self._is_measured(findings)
        if findings is not None and self._run is not None:
            self._findings = findings
            self._outputs.write(self._findings)
            is_good = self._outputs.announce(self._run, self._findings) and is_good
        if not is_good and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._is_good = session.exitstatus == pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, what was written where, and what went wrong."""
        self._outputs.show(terminalreporter, self._findings)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Let the verdict be the last line in the terminal."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if self._findings is not None and reporter is not None:
            self._outputs.conclude(reporter, self._findings, is_good=self._is_good)

    def _compared_findings(self, lockstep: LockstepSession) -> Findings | None:
        """Return what lockstep found, and turn head's figures into a run."""
        import msgspec

        from jarvisperf.report.findings.model import run_of
        from jarvisperf.runs.commit import read_commit

        comparison = lockstep.comparison
        if comparison.shortfall is not None:
            self._messages.problems.append(comparison.shortfall)
        created = self._recording.created
        findings = lockstep.findings(created.isoformat(timespec="seconds"), self._recording.seconds)
        if findings is None:
            return None
        if not findings.trusted:
            self._messages.problems.append(f"this run cannot be trusted: {comparison.control}")
        self._run = msgspec.structs.replace(
            run_of(findings, read_commit(self._config.rootpath)),
            created=created.isoformat(timespec="microseconds"),
            interrupted=self._interrupted,
        )
        return findings

    def _recorded_findings(self) -> Findings | None:
        """Return what the tests recorded, and what stored runs say about it."""
        import msgspec

        from jarvisperf.report.findings.model import findings_of

        self._run = self._run or self._recording.run(interrupted=self._interrupted)
        if self._baseline is not None:
            self._messages.warnings += self._baseline.warnings
            self._messages.problems += self._baseline.problems
        if self._run is None:
            return None
        self._messages.problems += _missing_twins(self._run.benchmarks)
        findings = self._baseline.findings if self._baseline is not None else None
        if self._pairs is not None:
            from jarvisperf.report.findings.pairs import with_pairs

            findings = with_pairs(findings_of(self._run), self._pairs)
            self._messages.warnings += joined_notes(
                {
                    name: [f"not measured in turns with its counterpart: {why}"]
                    for name, why in self._pairs.failed.items()
                }
            )
        return msgspec.structs.replace(
            findings or findings_of(self._run),
            created=self._recording.created.isoformat(timespec="seconds"),
            seconds=self._recording.seconds,
        )

    def _is_compared(self) -> bool:
        """Return whether the requested comparison, if any, was completed."""
        if self._lockstep is not None:
            return self._lockstep.comparison.problem is None
        return self._baseline is None or self._run is None or self._baseline.compared

    def _is_measured(self, findings: Findings | None) -> bool:
        """Return whether anything was measured or left out, by a clock that goes forwards; otherwise report that."""
        if self._recording.seconds < 0:
            self._messages.problems.append(CLOCK_JUMPED)
            return False
        if findings is not None and any(one.metrics or one.left_out is not None for one in findings.benchmarks):
            return True
        if findings is not None and findings.benchmarks:
            self._messages.problems.append(_why_not_measured(findings))
        else:
            self._messages.problems.append(EMPTY_SHARD if self._config.stash.get(elsewhere_key, None) else NOT_GREEN)
        return False

    def _bare(self, findings: Findings, session: pytest.Session) -> list[BenchmarkFinding]:
        """Return findings for the selected benchmarks that have no figures and did not fail, with the reason."""
        from jarvisperf.report.findings.model import BenchmarkFinding
        from jarvisperf.runs.bounds import bounded_id

        known = {finding.id for finding in findings.benchmarks}
        found = []
        for item in session.items:
            record = item.stash.get(record_key, None)
            name = as_text(item.nodeid)
            if record is None or known & {name, bounded_id(name)}:
                continue
            reason = self._recording.skipped.get(item.nodeid, NOT_RUN)
            found.append(
                BenchmarkFinding(id=name, group=record.group, params=record.params, metrics={}, skipped=as_text(reason))
            )
        return found

    def _completed(self, findings: Findings, session: pytest.Session) -> Findings:
        """Add the tests' lines and profiles, apply absolute limits, and name the part of the suite."""
        import msgspec

        from jarvisperf.report.findings.model import completed
        from jarvisperf.runs.origin import repository_address

        records = self._recording.records
        lines = {item.nodeid: item.location[1] + 1 for item in session.items if item.location[1] is not None}
        profiles = {name: (None, record.profile.profile) for name, record in records.items() if record.profile}
        self._messages.warnings += [
            f"{name} was not profiled: {record.profile_problem}"
            for name, record in records.items()
            if record.profile_problem
        ]
        notes = {name: [as_text(note) for note in record.notes] for name, record in records.items()}
        self._messages.warnings += joined_notes(notes)
        if self._lockstep is not None:
            self._messages.warnings += self._lockstep.comparison.warnings
        findings = msgspec.structs.replace(findings, benchmarks=(*findings.benchmarks, *self._bare(findings, session)))
        address = self._options.repository
        if address is None:
            address = repository_address(self._config.rootpath, os.environ)
        limits = self._recording.limits
        self._messages.warnings += joined_notes(_unchecked_limits(findings, limits))
        findings = completed(findings, lines=lines, profiles=profiles, limits=limits, notes=notes)
        return msgspec.structs.replace(
            findings,
            shard=str(self._options.shard) if self._options.shard else None,
            split=self._config.stash.get(split_key, None),
            allows_missing=self._options.allows_missing,
            interrupted=findings.interrupted or self._interrupted,
            repository=address or None,
        )


def _unchecked_limits(findings: Findings, limits: Mapping[str, Mapping[str, float]]) -> dict[str, list[str]]:
    """Return, by benchmark id, which absolute limits say nothing because the test does not measure their metric."""
    return {
        finding.id: [
            f"max_{name} was not checked: the test measured only {', '.join(finding.metrics)}"
            for name in limits.get(finding.id, {})
            if name not in finding.metrics
        ]
        for finding in findings.benchmarks
        if finding.metrics
    }


def _why_not_measured(findings: Findings) -> str:
    """Explain why a run with benchmarks has no figures."""
    from jarvisperf.report.shared.headline import counted

    skipped = [finding for finding in findings.benchmarks if finding.skipped is not None]
    if len(skipped) == len(findings.benchmarks):
        what = "it was" if len(skipped) == 1 else f"all {counted(len(skipped), 'benchmark')} were"
        return f"no benchmark was measured, so nothing is known: {what} skipped ({skipped[0].skipped})"
    what = "each of them failed or was skipped" if skipped else "each of them failed"
    return f"no benchmark was measured, so nothing is known: {what}"


def _missing_twins(benchmarks: tuple[Benchmark, ...]) -> list[str]:
    ids = {benchmark.id for benchmark in benchmarks}
    return [
        f"{benchmark.id}: its before={benchmark.before} was not measured in this run, so no ratio is shown"
        for benchmark in benchmarks
        if benchmark.before is not None and benchmark.before not in ids
    ]
