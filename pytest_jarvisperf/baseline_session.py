"""`--jarvis-compare`: holds the benchmarks' reports back until stored runs, and lockstep after them, have judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from _pytest.runner import runtestprotocol

from pytest_jarvisperf.markers import read_thresholds
from pytest_jarvisperf.record import record_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.gate.baseline import Screened
    from jarvisperf.report.findings import BenchmarkFinding, Findings
    from jarvisperf.runs.model import Benchmark, Run
    from jarvisperf.runs.store import RunStore
    from pytest_jarvisperf.comparison import Comparison
    from pytest_jarvisperf.found_at_run_time import BenchmarksFoundAtRunTime
    from pytest_jarvisperf.options import Options

MOST_RUNS = 20
SELECTING_OPTIONS = ("keyword", "markexpr", "deselect", "lf", "stepwise", "ignore", "ignore_glob")
ALLOWED = "--jarvis-allow-missing allows that"


class BaselineSession:
    """The plugin object that compares with stored runs.

    Each benchmark test runs in its place in pytest's loop, but a passed one is reported only after the loop, when it
    is judged: so a test has one outcome everywhere, in the terminal, in JUnit files and for `--lf`. One that failed is
    reported at once, so that `-x` ends the loop.

    Args:
        config: pytest's.
        options: This plugin's.
        selector: Which stored runs.
        store: Where they are.
        found: What turns out to be a benchmark while it runs.

    Attributes:
        findings: The report's data; None where nothing was compared.
        warnings: What the user should know, a line each.
        problems: What went wrong, a line each.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        selector: str,
        store: RunStore,
        found: BenchmarksFoundAtRunTime,
    ) -> None:
        self._config = config
        self._options = options
        self._selector = selector
        self._store = store
        self._found = found
        self._held: dict[str, tuple[pytest.Item, list[pytest.TestReport]]] = {}
        self._failed: set[str] = set()
        self._deselected: set[str] = set()
        self._lockstep: Comparison | None = None
        self.findings: Findings | None = None
        self.warnings: list[str] = []
        self.problems: list[str] = []

    @property
    def compared(self) -> bool:
        """Whether there was something to compare with."""
        return self.findings is not None

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note what is there, although it does not run."""
        self._deselected.update(item.nodeid for item in items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a benchmark test; keep its reports where it passed."""
        if record_key not in item.stash:
            return None
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if all(report.passed for report in reports):
            self._held[item.nodeid] = (item, reports)
        else:
            _log(item.ihook, item.nodeid, item.location, reports)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has failed already, and need not fail again."""
        if report.failed:
            self._failed.add(report.nodeid)

    def judge(self, session: pytest.Session, run: Run | None, *, stopped: bool) -> None:
        """Compare the run, and report the tests that were held back.

        Args:
            session: pytest's.
            run: What was recorded; None: nothing.
            stopped: Whether the loop ended before its time, as by `-x`: then nothing is missing, and nothing is
                measured again.

        Raises:
            pytest.Session.Failed: As many tests have failed as `-x` or `--maxfail` allow.
        """
        self._held |= {name: (item, [report]) for name, (item, report) in self._found.held.items()}
        failures = self._compare(session, run, stopped=stopped) if run is not None else {}
        for name, (item, reports) in self._held.items():
            text = failures.pop(name, None)
            self._describe(name, reports)
            if text is not None:
                call = next(report for report in reports if report.when == "call")
                call.outcome, call.longrepr = "failed", text
            _log(item.ihook, name, item.location, reports)
            if session.shouldfail and not stopped:
                raise session.Failed(session.shouldfail)
        for name, text in failures.items():
            if name not in self._failed:
                location = (name.partition("::")[0], None, name.partition("::")[2])
                report = pytest.TestReport(name, location, {}, "failed", text, "call")
                _log(session.config.hook, name, location, [report])

    def _compare(self, session: pytest.Session, run: Run, *, stopped: bool) -> dict[str, str]:
        """Judge every benchmark, and give the texts of those that fail."""
        from jarvisperf.gate.baseline import screen
        from jarvisperf.report.baseline_findings import baseline_findings

        stored = self._stored(run.machine.fingerprint)
        if not stored:
            return {}
        stored = self._under_new_names(stored, run)
        baseline = stored[0]
        screened = screen(run, stored, self._threshold(session))
        for name in self._not_missing(session, run, screened, stopped=stopped):
            del screened[name]
        undecided = [name for name, one in screened.items() if one.to_confirm]
        judged = self._confirm(undecided, baseline, stopped=stopped) if undecided else {}
        trusted = self._lockstep is None or self._lockstep.trusted
        if self._lockstep is not None and not trusted:
            self.problems.append(f"this run is not to be trusted: {self._lockstep.control}")
        self.findings = baseline_findings(run, baseline, screened, judged, trusted=trusted)
        failures = {}
        for finding in self.findings.benchmarks:
            text = self._failure(finding, baseline)
            if text:
                failures[finding.id] = text
        return failures

    def _stored(self, fingerprint: str) -> list[Run]:
        """Load the stored runs that are meant, newest first; none: a problem says why."""
        from jarvisperf.runs.store import StoreError

        try:
            found = self._store.find(self._selector, fingerprint)
        except StoreError as error:
            self.problems.append(f"nothing was compared: {error}")
            return []
        loaded = self._store.load_readable(found.entries, at_most=MOST_RUNS)
        finished = [run for _, run in loaded.runs if not run.interrupted]
        if finished:
            self.warnings += [*found.warnings, *loaded.warnings]
            return finished
        self.warnings += loaded.warnings
        why = "; ".join(found.warnings)
        if found.entries:
            why = "none of its runs was finished" if loaded.runs else "none of its runs can be read"
        self.problems.append(f"nothing was compared: {why}; store one first: pytest --jarvis-bench --jarvis-save NAME")
        return []

    def _under_new_names(self, stored: list[Run], run: Run) -> list[Run]:
        """Give the stored runs with the ids that their benchmarks have now, where git says that a file was renamed."""
        from jarvisperf.gate.git import GitError
        from jarvisperf.gate.renames import renamed_since

        commit = stored[0].commit
        files = ({benchmark.id.partition("::")[0] for benchmark in one.benchmarks} for one in (stored[0], run))
        old, new = files
        if commit is None or old <= new:
            return stored
        try:
            renamed = renamed_since(self._config.rootpath, commit.id, old - new, new - old)
        except (GitError, OSError) as error:
            self.warnings.append(f"files that were renamed since the baseline could not be looked for: {error}")
            return stored
        self.warnings += [f"{after} was {before} in the baseline" for before, after in renamed.items()]
        return [
            msgspec.structs.replace(one, benchmarks=tuple(_renamed(benchmark, renamed) for benchmark in one.benchmarks))
            for one in stored
        ]

    def _threshold(self, session: pytest.Session) -> Callable[[str, str], float | None]:
        from jarvisperf.gate.thresholds import DEFAULT_THRESHOLDS, OFF

        defaults = self._options.thresholds or DEFAULT_THRESHOLDS
        shares = {item.nodeid: read_thresholds(item, defaults)[0] for item in session.items}

        def threshold(benchmark: str, metric: str) -> float | None:
            share = shares.get(benchmark, defaults).get(metric, OFF)
            return None if share == OFF else share

        return threshold

    def _not_missing(
        self, session: pytest.Session, run: Run, screened: dict[str, Screened], *, stopped: bool
    ) -> list[str]:
        """Find those that head did not measure for a reason: they were not asked for, or skipped."""
        from jarvisperf.runs.bounds import bounded_id

        option = self._config.option
        measured = {benchmark.id for benchmark in run.benchmarks}
        absent = [name for name in screened if name not in measured]
        selecting = any(getattr(option, name, None) for name in SELECTING_OPTIONS)
        if stopped or selecting or any("::" in word for word in self._config.args):
            return absent
        there = {bounded_id(name) for name in (*(item.nodeid for item in session.items), *self._deselected)}
        folder = self._config.invocation_params.dir
        asked = [(folder / word).resolve() for word in self._config.args]
        places = {name: (self._config.rootpath / name.partition("::")[0]).resolve() for name in absent}
        return [
            name for name in absent if name in there or not any(places[name].is_relative_to(place) for place in asked)
        ]

    def _confirm(self, undecided: Sequence[str], baseline: Run, *, stopped: bool) -> dict[str, BenchmarkFinding]:
        """Measure again in lockstep against the baseline's commit, where that is possible."""
        items = [self._held[name][0] for name in undecided if name in self._held]
        why = self._obstacle(baseline, stopped=stopped)
        if why is None and items and self._lockstep is not None:
            self._lockstep.measure(items)
            self.warnings += self._lockstep.warnings
            why = self._lockstep.problem
            if why is None:
                self._warn_of_changes(baseline)
                return self._lockstep.findings
        why = why or "no test among them asks for the fixture jarvis_bench or benchmark by name"
        count = f"{len(undecided)} benchmark{'' if len(undecided) == 1 else 's'}"
        self.warnings.append(f"stored runs cannot decide {count}, and lockstep was not possible: {why}")
        return {}

    def _warn_of_changes(self, baseline: Run) -> None:
        if baseline.commit is not None and baseline.commit.dirty:
            self.warnings.append(
                f"the baseline {baseline.name!r} was made with uncommitted changes; lockstep compared with its commit "
                f"{baseline.commit.id[:12]}, without them"
            )

    def _obstacle(self, baseline: Run, *, stopped: bool) -> str | None:
        """Say why lockstep is not possible; otherwise prepare it."""
        from jarvisperf.gate.git import GitError
        from jarvisperf.gate.revision import resolve
        from pytest_jarvisperf.comparison import Comparison

        if not self._options.confirms:
            return "--jarvis-confirm never"
        if stopped:
            return "the tests were stopped before"
        if baseline.commit is None:
            return "the baseline was made outside of a git repository"
        try:
            repository = resolve(self._config.rootpath, baseline.commit.id, exact=True)
        except GitError as error:
            return f"the baseline's commit is not at hand: {error}"
        self._lockstep = Comparison(self._config, self._options, repository)
        return None

    def _failure(self, finding: BenchmarkFinding, baseline: Run) -> str | None:
        """Give the text with which a benchmark fails; None: it does not."""
        from jarvisperf.report.lockstep_findings import figures

        if finding.error is not None:
            return (self._lockstep.failure(finding.id) if self._lockstep else "") or finding.error
        bad = {"regressed"}
        bad |= {"inconclusive"} if self._options.fails_inconclusive else set()
        bad |= set() if self._options.allows_missing else {"missing"}
        lines = []
        for name, metric in finding.metrics.items():
            if metric.verdict not in bad:
                continue
            if metric.verdict == "missing":
                lines.append(f"{name} missing: the baseline {baseline.name!r} has it, head has not; {ALLOWED}")
            else:
                lines.append(f"{figures(name, metric)}, by {metric.via}")
        return "\n".join(lines) or None

    def _describe(self, name: str, reports: Sequence[pytest.TestReport]) -> None:
        """Note the verdicts for JUnit files."""
        finding = next((one for one in self.findings.benchmarks if one.id == name), None) if self.findings else None
        for metric_name, metric in finding.metrics.items() if finding else ():
            for report in reports:
                report.user_properties += [
                    (f"jarvis_{metric_name}_ratio", metric.ratio),
                    (f"jarvis_{metric_name}_verdict", metric.verdict),
                    (f"jarvis_{metric_name}_via", metric.via),
                ]


def _renamed(benchmark: Benchmark, files: Mapping[str, str]) -> Benchmark:
    file, colons, test = benchmark.id.partition("::")
    return msgspec.structs.replace(benchmark, id=f"{files.get(file, file)}{colons}{test}")


def _log(hook: Any, name: str, location: tuple[str, int | None, str], reports: Sequence[pytest.TestReport]) -> None:
    hook.pytest_runtest_logstart(nodeid=name, location=location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=name, location=location)
