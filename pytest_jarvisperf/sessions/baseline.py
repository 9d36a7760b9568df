"""`--jarvis-compare`: holds back the benchmarks' reports until stored runs, and then lockstep, have judged them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from _pytest.runner import runtestprotocol

from jarvisperf.forks import NO_LOCKSTEP, can_fork
from pytest_jarvisperf.arms.paths import ArmPaths
from pytest_jarvisperf.bridges.pytest_benchmark_outputs import fill_outputs
from pytest_jarvisperf.collection.benchmark_loop import log_reports
from pytest_jarvisperf.collection.recognition import is_benchmark
from pytest_jarvisperf.extensions import this_machine
from pytest_jarvisperf.markers.jarvis import read_thresholds
from pytest_jarvisperf.measuring.stash_keys import record_key
from pytest_jarvisperf.sessions.junit import properties_of
from pytest_jarvisperf.state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.screening.screen import Screened
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings
    from jarvisperf.runs.model import Benchmark, Run
    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.sessions.comparison import Comparison
    from pytest_jarvisperf.sessions.lockstep import LockstepSession
    from pytest_jarvisperf.sessions.stored_runs import StoredRuns

NARROWING_OPTIONS = ("lf", "stepwise", "ignore", "ignore_glob")  # pytest may not even collect the others
DESELECTING_OPTIONS = {"-k": "keyword", "-m": "markexpr", "--deselect": "deselect"}
ALLOWED = "--jarvis-allow-missing allows that"


class BaselineSession:
    """The plugin object that compares with stored runs.

    Each benchmark test runs in its place in pytest's loop, but if it passes it is reported only after the loop, when it
    has been judged. So a test has the same outcome in the terminal, in JUnit files and for `--lf`. A failed test is
    reported immediately, so that `-x` ends the loop.

    If the stored runs cannot decide any benchmark, and the recorded figures are not stored, all benchmarks are compared
    in lockstep right away.

    Args:
        config: pytest's config.
        options: This plugin's options.
        stored: The stored runs.
        found: Tests that turn out to be benchmarks at run time.

    Attributes:
        run: Head's figures if lockstep measured them; None: the tests recorded them.
        findings: The report's data; None if nothing was compared.
        warnings: Warnings for the user, one line each.
        problems: Failures, one line each.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        stored: StoredRuns,
        found: BenchmarksFoundAtRunTime,
    ) -> None:
        self._config = config
        self._options = options
        self._stored = stored
        self._found = found
        self._held: dict[str, tuple[pytest.Item, list[pytest.TestReport]]] = {}
        self._failed: set[str] = set()
        self._deselected: set[str] = set()
        self._lockstep: Comparison | None = None
        self._direct: LockstepSession | None = None
        self._outlook: str | None = None
        self._shares_nothing = False
        self.run: Run | None = None
        self.findings: Findings | None = None
        self.warnings: list[str] = list(stored.warnings)
        self.problems: list[str] = []

    @property
    def compared(self) -> bool:
        """Whether there was something to compare with: stored runs, and in them what was measured here."""
        return self.findings is not None and not self._shares_nothing

    def pytest_report_header(self) -> list[str]:
        """Announce what this run is compared with."""
        runs = self._stored.runs
        if not runs:
            return [f"jarvisperf: nothing to compare with yet: {self._stored.absence}"] if self._stored.absence else []
        count = "1 stored run" if len(runs) == 1 else f"{len(runs)} stored runs"
        commit = runs[0].commit
        of_commit = f", the newest of commit {commit.id[:12]}" if commit else ""
        return [
            f"jarvisperf: comparing with {count} of {runs[0].name!r}{of_commit}",
            *(f"jarvisperf: {warning}" for warning in self._stored.warnings),
        ]

    @property
    def is_direct(self) -> bool:
        """Whether all benchmarks are compared in lockstep right away."""
        return self._direct is not None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Determine what the stored runs can decide, and choose how to measure."""
        names = [item.nodeid for item in session.items if record_key in item.stash]
        if not self._stored.runs or not names:
            return
        from pytest_jarvisperf.sessions.stored_runs import outlook

        seen = outlook(self._stored.runs, names, self._threshold(session), this_machine(self._config))
        if seen.is_hopeless:
            self._outlook = self._choose(self._stored.runs[0])
        elif seen.decidable < seen.known:
            self._outlook = (
                f"stored runs can decide {seen.decidable} of {seen.known} benchmarks at best; "
                "what they cannot decide is measured again in lockstep"
            )

    def pytest_report_collectionfinish(self) -> str | None:
        """Announce what the stored runs can decide."""
        return f"jarvisperf: {self._outlook}" if self._outlook else None

    def _choose(self, baseline: Run) -> str:
        """Choose what to do if the stored runs cannot decide anything, and describe it."""
        from pytest_jarvisperf.sessions.lockstep import LockstepSession

        runs = "one stored run" if len(self._stored.runs) == 1 else f"these {len(self._stored.runs)} stored runs"
        cannot = f"{runs} cannot decide any benchmark at these thresholds"
        repository, why = self._repository(baseline, stopped=False)
        if repository is None or baseline.commit is None:
            return f"{cannot}, and lockstep is not possible ({why}): every verdict will be inconclusive"
        commit = baseline.commit.id[:12]
        if self._options.save is not None:
            return (
                f"{cannot}: every benchmark is recorded for --jarvis-save and then measured again in lockstep with "
                f"commit {commit}, which takes twice as long as --jarvis-against={commit} --jarvis-against-exact"
            )
        self._direct = LockstepSession(self._config, self._options, repository, self._found)
        self._lockstep = self._direct.comparison
        return f"{cannot}: all are compared in lockstep with commit {commit} right away"

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Record benchmarks that exist but do not run."""
        self._deselected.update(item.nodeid for item in items if is_benchmark(item))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a benchmark test; hold back its reports if it passed."""
        if record_key not in item.stash:
            return None
        if self._direct is not None:
            self._held[item.nodeid] = (item, [])
            return True
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if all(report.passed for report in reports):
            self._held[item.nodeid] = (item, reports)
        else:
            log_reports(item.ihook, item.nodeid, item.location, reports)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record tests that have already failed and need not fail again."""
        if report.failed:
            self._failed.add(report.nodeid)

    def judge(self, session: pytest.Session, run: Run | None, *, stopped: bool) -> None:
        """Compare the run, and report the tests that were held back.

        Args:
            session: pytest's session.
            run: The recorded run; None if nothing was recorded.
            stopped: Whether the loop ended early, as with `-x`. Then nothing counts as missing or is measured again.

        Raises:
            pytest.Session.Failed: The limit of failures set by `-x` or `--maxfail` was reached.
        """
        self._held |= {name: (item, [report]) for name, (item, report) in self._found.held.items()}
        if self._direct is not None:
            self._held = {} if stopped else self._measured_at_once(self._direct)
            run = self.run
        failures = self._compare(session, run, stopped=stopped) if run is not None else {}
        missing = failures.keys() - self._held.keys() - self._failed
        session.testscollected += len(missing)  # reported as tests too, so pytest's progress counts them
        for name, (item, reports) in self._held.items():
            text = failures.pop(name, None)
            self._describe(name, reports)
            if text is not None:
                call = next(report for report in reports if report.when == "call")
                call.outcome, call.longrepr = "failed", text
            log_reports(item.ihook, name, item.location, reports)
            if session.shouldfail and not stopped:
                raise session.Failed(session.shouldfail)
        for name, text in failures.items():
            if name in missing:
                location = (name.partition("::")[0], None, name.partition("::")[2])
                report = pytest.TestReport(name, location, {}, "failed", text, "call")
                log_reports(session.config.hook, name, location, [report])

    def _measured_at_once(self, lockstep: LockstepSession) -> dict[str, tuple[pytest.Item, list[pytest.TestReport]]]:
        """Measure all benchmarks in lockstep; return their reports, and keep head's figures as the run."""
        from jarvisperf.report.findings.model import run_of
        from jarvisperf.runs.commit import read_commit

        items = [item for item, _ in self._held.values()]
        try:
            lockstep.comparison.measure(items)
        finally:
            begun = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
            findings = lockstep.findings(begun, 0.0)
            if findings is not None:
                self.run = run_of(findings, read_commit(self._config.rootpath))
        fill_outputs(self._config, items, lockstep.comparison.outcome)
        self.warnings += lockstep.comparison.warnings
        if lockstep.comparison.shortfall is not None:
            self.problems.append(lockstep.comparison.shortfall)
        return {item.nodeid: (item, lockstep.reports(item)) for item in items}

    def _compare(self, session: pytest.Session, run: Run, *, stopped: bool) -> dict[str, str]:
        """Judge every benchmark, and return the messages of those that fail."""
        from jarvisperf.gate.screening.screen import screen
        from jarvisperf.report.findings.baseline import baseline_findings

        stored = self._stored.runs
        if not stored:
            self.problems.append(
                f"nothing was compared: {self._stored.absence}; this run is stored as {self._options.save!r}, "
                "so the next one can be compared with it"
            )
            return {}
        stored = self._under_new_names(stored, run)
        baseline = stored[0]
        screened = screen(run, stored, self._threshold(session), state_of(self._config).metrics)
        for name in self._not_missing(session, run, screened, stopped=stopped):
            del screened[name]
        undecided = [name for name, one in screened.items() if one.to_confirm]
        judged: Mapping[str, BenchmarkFinding] = {}
        if self._direct is not None:
            screened = {name: _left_to_lockstep(one) for name, one in screened.items()}
            judged = self._direct.comparison.findings
            self._warn_of_changes(baseline)
        elif undecided:
            judged = self._confirm(undecided, baseline, stopped=stopped)
        trusted = self._lockstep is None or self._lockstep.trusted
        if self._lockstep is not None and not trusted:
            self.problems.append(f"this run cannot be trusted: {self._lockstep.control}")
        self.findings = baseline_findings(run, baseline, screened, judged, trusted=trusted)
        self._look_for_common_figures(self.findings, stored)
        failures = {}
        for finding in self.findings.benchmarks:
            text = self._failure(finding, baseline)
            if text:
                failures[finding.id] = text
        return failures

    def _under_new_names(self, stored: tuple[Run, ...], run: Run) -> tuple[Run, ...]:
        """Return the stored runs with the current ids of their benchmarks, if git says that files were renamed."""
        from jarvisperf.gate.arms.git import GitError
        from jarvisperf.gate.arms.renames import renamed_since

        commit = stored[0].commit
        files = ({benchmark.id.partition("::")[0] for benchmark in one.benchmarks} for one in (stored[0], run))
        old, new = files
        if commit is None or old <= new:
            return stored
        try:
            renamed = renamed_since(self._config.rootpath, commit.id, old - new, new - old)
        except (GitError, OSError) as error:
            self.warnings.append(f"could not check for files renamed since the baseline: {error}")
            return stored
        self.warnings += [f"{after} was {before} in the baseline" for before, after in renamed.items()]
        return tuple(
            msgspec.structs.replace(one, benchmarks=tuple(_renamed(benchmark, renamed) for benchmark in one.benchmarks))
            for one in stored
        )

    def _threshold(self, session: pytest.Session) -> Callable[[str, str], float | None]:
        from jarvisperf.gate.verdict.thresholds import OFF

        metrics = state_of(self._config).metrics
        defaults = self._options.thresholds or metrics.thresholds
        shares = {item.nodeid: read_thresholds(item, metrics, defaults)[0] for item in session.items}

        def threshold(benchmark: str, metric: str) -> float | None:
            share = shares.get(benchmark, defaults).get(metric, OFF)
            return None if share == OFF else share

        return threshold

    def _not_missing(
        self, session: pytest.Session, run: Run, screened: dict[str, Screened], *, stopped: bool
    ) -> list[str]:
        """Find benchmarks that head had a reason not to measure: they were not requested, or were skipped."""
        from jarvisperf.report.shared.uncompared import listed
        from jarvisperf.runs.bounds import bounded_id

        option = self._config.option
        measured = {benchmark.id for benchmark in run.benchmarks}
        absent = [name for name in screened if name not in measured]
        if stopped or any(getattr(option, name, None) for name in NARROWING_OPTIONS):
            return absent
        if any("::" in word for word in self._config.args):
            return absent
        here = (item.nodeid for item in session.items if is_benchmark(item))
        there = {bounded_id(name) for name in (*here, *self._found.ids, *self._deselected)}
        asked = [place.resolve() for place in ArmPaths(self._config, self._config.rootpath).asked_places()]
        places = {name: (self._config.rootpath / name.partition("::")[0]).resolve() for name in absent}
        known = [
            name for name in absent if name in there or not any(places[name].is_relative_to(place) for place in asked)
        ]
        given = [flag for flag, name in DESELECTING_OPTIONS.items() if getattr(option, name, None)]
        gone = [name for name in absent if name not in known and not name.startswith(tuple(option.deselect or ()))]
        if given and gone:
            self.warnings.append(
                f"{listed(gone)}: in the baseline but not in head; whether {given[0]} would have selected "
                f"{'it' if len(gone) == 1 else 'them'} is unknown, so this does not count as missing"
            )
        return absent if given else known

    def _look_for_common_figures(self, findings: Findings, stored: Sequence[Run]) -> None:
        """Report that nothing was compared if the stored runs have no figure of what was measured here.

        Their ids then often begin in another root folder. New benchmarks may be selected on their own, though: it is
        enough if the stored runs have one of those that were left out.
        """
        from jarvisperf.runs.bounds import bounded_id

        here = [one for one in findings.benchmarks if any(metric.head for metric in one.metrics.values())]
        if not here or any(metric.base and metric.head for one in here for metric in one.metrics.values()):
            return
        there = list(dict.fromkeys(benchmark.id for run in stored for benchmark in run.benchmarks))
        if {bounded_id(name) for name in self._deselected}.intersection(there):
            return
        name = self._stored.runs[0].name
        benchmarks = "the benchmark" if len(here) == 1 else f"any of the {len(here)} benchmarks"
        text = (
            f"nothing was compared: the baseline {name!r} has no figure of {benchmarks} measured here "
            f"({here[0].id}); it has figures of {there[0]}: use its root folder and its --jarvis-metrics"
        )
        if self._options.allows_missing:
            self.warnings.append(text)
        else:
            self._shares_nothing = True
            self.problems.append(f"{text}, or store a new baseline; {ALLOWED}")

    def _confirm(self, undecided: Sequence[str], baseline: Run, *, stopped: bool) -> dict[str, BenchmarkFinding]:
        """Measure again in lockstep against the baseline's commit, if possible."""
        from pytest_jarvisperf.sessions.comparison import Comparison

        items = [self._held[name][0] for name in undecided if name in self._held]
        repository, why = self._repository(baseline, stopped=stopped)
        if repository is not None and items:
            self._lockstep = Comparison(self._config, self._options, repository)
            self._lockstep.measure(items)
            self.warnings += self._lockstep.warnings
            why = self._lockstep.problem
            if why is None:
                self._warn_of_changes(baseline)
                return self._lockstep.findings
        why = why or "none of these tests requests the fixture jarvis_bench or benchmark by name"
        count = f"{len(undecided)} benchmark{'' if len(undecided) == 1 else 's'}"
        summary = why.partition("\n")[0]
        self.warnings.append(f"stored runs cannot decide {count}, and lockstep was not possible: {summary}")
        return {}

    def _warn_of_changes(self, baseline: Run) -> None:
        if baseline.commit is not None and baseline.commit.dirty:
            self.warnings.append(
                f"the baseline {baseline.name!r} was made with uncommitted changes; lockstep compared with its commit "
                f"{baseline.commit.id[:12]}, without them"
            )

    def _repository(self, baseline: Run, *, stopped: bool) -> tuple[Repository | None, str | None]:
        """Return the repository for lockstep, or the reason why lockstep is not possible."""
        from jarvisperf.gate.arms.git import GitError
        from jarvisperf.gate.arms.revision import resolve

        if not self._options.confirms:
            return None, "--jarvis-confirm never"
        if not can_fork():
            return None, NO_LOCKSTEP
        if stopped:
            return None, "the tests were stopped early"
        if baseline.commit is None:
            return None, "the baseline was made outside of a git repository"
        try:
            return resolve(self._config.rootpath, baseline.commit.id, exact=True), None
        except GitError as error:
            return None, f"the baseline's commit is not available: {error}"

    def _failure(self, finding: BenchmarkFinding, baseline: Run) -> str | None:
        """Return the message with which a benchmark fails; None if it passes."""
        from jarvisperf.report.shared.failure_lines import figures

        if finding.error is not None:
            return (self._lockstep.failure(finding.id) if self._lockstep else "") or finding.error
        bad = {"regressed"}
        bad |= {"inconclusive"} if self._options.fails_inconclusive else set()
        bad |= set() if self._options.allows_missing else {"missing"}
        held = self._held.get(finding.id)
        limits = self._lockstep.limits(held[0])[1] if self._lockstep and held else {}
        lines = []
        for name, metric in finding.metrics.items():
            if metric.verdict not in bad:
                continue
            if metric.verdict == "missing":
                lines.append(_missing_line(name, finding, baseline, ",".join(self._options.metrics)))
            else:
                lines.append(f"{figures(name, metric, limits.get(name))}, by {metric.via}")
        return "\n".join(lines) or None

    def _describe(self, name: str, reports: Sequence[pytest.TestReport]) -> None:
        """Add the verdicts for JUnit files."""
        finding = next((one for one in self.findings.benchmarks if one.id == name), None) if self.findings else None
        if finding is None:
            return
        ours = properties_of(finding)
        names = {property_name for property_name, _ in ours}
        for report in reports:
            others = [
                one for one in report.user_properties if one[0] not in names
            ]  # the figures of before it was judged
            report.user_properties = [*others, *ours]


def _missing_line(name: str, finding: BenchmarkFinding, baseline: Run, asked: str) -> str:
    measured = [other for other, metric in finding.metrics.items() if metric.head]
    if not measured:
        return f"{name} missing: it exists in the baseline {baseline.name!r} but not in head; {ALLOWED}"
    return (
        f"{name} missing: the baseline {baseline.name!r} has it, but this run measured only {', '.join(measured)}, "
        f"with --jarvis-metrics {asked}; {ALLOWED}"
    )


def _renamed(benchmark: Benchmark, files: Mapping[str, str]) -> Benchmark:
    file, colons, test = benchmark.id.partition("::")
    return msgspec.structs.replace(benchmark, id=f"{files.get(file, file)}{colons}{test}")


def _left_to_lockstep(screened: Screened) -> Screened:
    """Leave every metric that exists on both sides to lockstep, whatever the stored runs say about it."""
    metrics = {
        name: msgspec.structs.replace(metric, verdict="inconclusive") if metric.base and metric.head else metric
        for name, metric in screened.metrics.items()
    }
    return msgspec.structs.replace(screened, metrics=metrics)
