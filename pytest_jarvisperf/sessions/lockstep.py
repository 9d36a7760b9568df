"""`--jarvis-against`: measures the benchmark tests in lockstep after the functional ones, and reports each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from _pytest.runner import runtestprotocol

from pytest_jarvisperf.bridges.pytest_benchmark_outputs import fill_outputs
from pytest_jarvisperf.collection.benchmark_loop import log_reports, run_items
from pytest_jarvisperf.collection.recognition import is_benchmark
from pytest_jarvisperf.extensions import this_machine
from pytest_jarvisperf.measuring.stash_keys import elsewhere_key, record_key
from pytest_jarvisperf.sessions.comparison import Comparison
from pytest_jarvisperf.sessions.junit import properties_of

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.lockstep.tally import Tally
    from jarvisperf.report.findings.model import Findings
    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime
    from pytest_jarvisperf.options import Options

SKIPPED_IN_ARMS = "not compared: both arms skip it, but an ordinary run does not"
WHY_SKIPPED = "an arm lacks files that git ignores unless jarvis_shared lists them, and some options of this call"
MISSING = "missing: the benchmark exists in base but not in head; --jarvis-allow-missing allows that"


class LockstepSession:
    """The plugin object that compares with a revision.

    Args:
        config: pytest's config.
        options: This plugin's options.
        repository: The repository and the two commits.
        found: Tests that turn out to be benchmarks at run time.

    Attributes:
        comparison: The comparison and its findings.
    """

    def __init__(
        self, config: pytest.Config, options: Options, repository: Repository, found: BenchmarksFoundAtRunTime
    ) -> None:
        self._config = config
        self._options = options
        self._repository = repository
        self._found = found
        self._collected: set[str] = set()
        self._items: list[pytest.Item] = []
        self._to_report: frozenset[str] = frozenset()
        self.comparison = Comparison(config, options, repository)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Record which tests exist before any are deselected, and move the benchmarks after the functional tests."""
        everything = list(items)
        result = yield
        self._collected.update(item.nodeid for item in (*everything, *items) if is_benchmark(item))
        items.sort(key=lambda item: record_key in item.stash)
        self._items = [item for item in items if record_key in item.stash]
        return result

    # Innermost, so that pytest ends the line of progress only once the benchmarks are on it.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the functional tests, then measure the benchmarks, then report each of them.

        Measuring happens outside of any test: otherwise a project's time limit per test, or anything else that plugins
        wrap around a test, would apply to all benchmarks as if they were the first one.

        Raises:
            pytest.Session.Failed: The limit of failures set by `-x` or `--maxfail` was reached.
            pytest.Session.Interrupted: A plugin asked to stop.
        """
        benchmarks = [item for item in session.items if record_key in item.stash]
        session.items[:] = [item for item in session.items if record_key not in item.stash]
        try:
            result = yield
        finally:
            session.items += benchmarks
        if session.config.option.collectonly or session.shouldfail or session.shouldstop:
            return result
        asked = {*(item.nodeid for item in self._items), *self._found.ids}
        self._items = [item for item in session.items if item.nodeid in asked]
        try:
            self.comparison.measure(self._items, self._present())
        except (KeyboardInterrupt, pytest.exit.Exception):
            self._report(session, [item for item in self._items if self.comparison.is_decided(item.nodeid)])
            raise
        missing = () if self._options.allows_missing else self.comparison.missing
        session.testscollected += len(missing)  # reported as tests too, so pytest's progress counts them
        self._report(session, self._items)
        for name in missing:
            self._report_missing(session, name, _elsewhere(name, self._present()))
        return result

    def _present(self) -> set[str]:
        """Return the ids of all benchmarks in head, including those that are deselected or run on other machines."""
        elsewhere: frozenset[str] = self._config.stash.get(elsewhere_key, frozenset())
        return self._collected.union(elsewhere, self._found.ids)

    def _report(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        fill_outputs(self._config, items, self.comparison.outcome)
        self._to_report = frozenset(item.nodeid for item in items)
        run_items(session, items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Report a benchmark that has been measured."""
        if item.nodeid not in self._to_report:
            return None
        log_reports(item.ihook, item.nodeid, item.location, self.reports(item))
        return True

    @staticmethod
    def _report_missing(session: pytest.Session, name: str, elsewhere: str | None) -> None:
        location = (name.partition("::")[0], None, name.partition("::")[2])
        report = pytest.TestReport(name, location, {}, "failed", _missing(elsewhere), "call")
        log_reports(session.config.hook, name, location, [report])

    def findings(self, created: str, seconds: float) -> Findings | None:
        """Return the report's data; None if nothing was measured."""
        from jarvisperf.report.findings.model import Arm, Findings, paired
        from jarvisperf.runs.commit import read_commit

        if not self.comparison.findings:
            return None
        head = read_commit(self._repository.root)
        findings = Findings(
            mode="lockstep",
            created=created,
            seconds=seconds,
            trusted=self.comparison.trusted,
            machine=this_machine(self._config),
            base=Arm(commit=self._repository.base, name=self._options.against, dirty=False),
            head=Arm(commit=self._repository.head, name=head.branch if head else None, dirty=bool(head and head.dirty)),
            benchmarks=tuple(self.comparison.findings.values()),
            interrupted=self.comparison.problem is not None,
            blind_spots=self.comparison.blind_spots,
        )
        return paired(findings)

    def reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        """Create the reports of a measured benchmark, as pytest does for a test that it ran."""
        outcome, longrepr, seconds = self._judged(item)
        keywords: Any = dict.fromkeys(item.keywords, 1)
        finding = self.comparison.findings.get(item.nodeid)
        properties = properties_of(finding) if finding else []

        def report(when: Any, result: Any, text: Any, duration: float) -> pytest.TestReport:
            return pytest.TestReport(
                item.nodeid, item.location, keywords, result, text, when, duration=duration, user_properties=properties
            )

        outcome_so_far = self.comparison.outcome
        tally = outcome_so_far.tallies.get(item.nodeid) if outcome_so_far else None
        xfail = tally.xfail if tally else None
        if outcome == "skipped" and xfail is None:
            return [report("setup", "skipped", longrepr, 0.0), report("teardown", "passed", None, 0.0)]
        call = report("call", outcome, longrepr, seconds)
        if (
            xfail is not None and outcome != "failed"
        ):  # a regression counts, whatever outcome the call was expected to have
            call.wasxfail = xfail
        return [report("setup", "passed", None, 0.0), call, report("teardown", "passed", None, 0.0)]

    def _judged(self, item: pytest.Item) -> tuple[str, Any, float]:
        from jarvisperf.report.shared.failure_lines import figures

        if item.nodeid in self.comparison.left_out:
            reason = self.comparison.findings[item.nodeid].left_out
            return "skipped", (str(item.path), item.location[1] or 0, f"Skipped: left out: {reason}"), 0.0
        if self.comparison.outcome is None:
            return "failed", f"jarvisperf: {self.comparison.problem}", 0.0
        tally: Tally = self.comparison.outcome.tallies[item.nodeid]
        if tally.state == "skipped" and tally.xfail is None and not _is_skipped_here(item):
            text = f"{SKIPPED_IN_ARMS}: {tally.message}; {WHY_SKIPPED}"
            found = self.comparison.findings[item.nodeid]
            # The row says what the test says: it fails.
            self.comparison.findings[item.nodeid] = msgspec.structs.replace(found, error=text, skipped=None)
            return "failed", text, tally.seconds
        if tally.state == "skipped":
            return "skipped", (str(item.path), item.location[1] or 0, f"Skipped: {tally.message}"), tally.seconds
        if tally.state == "error":
            return "failed", _explained(tally), tally.seconds
        failing = []
        for name, metric in self.comparison.findings[item.nodeid].metrics.items():
            bad = metric.verdict == "regressed"
            bad |= metric.verdict == "inconclusive" and self._options.fails_inconclusive
            if bad:
                failing.append(figures(name, metric, self.comparison.limits(item)[1].get(name)))
        return ("failed", "\n".join(failing), tally.seconds) if failing else ("passed", None, tally.seconds)


def _elsewhere(name: str, present: Collection[str]) -> str | None:
    """Find a file of head with a benchmark of the same name, to which a missing benchmark may have been moved."""
    _, colons, test = name.partition("::")
    return next((other.partition("::")[0] for other in sorted(present) if other.endswith(f"{colons}{test}")), None)


def _missing(elsewhere: str | None) -> str:
    if elsewhere is None:
        return MISSING
    return (
        f"{MISSING}; if it was moved to {elsewhere}, where head has a benchmark of that name, add the option this once"
    )


def _is_skipped_here(item: pytest.Item) -> bool:
    """Run a test once in this process, and return whether it is skipped here as in the arms."""
    return any(report.skipped for report in runtestprotocol(item, log=False, nextitem=None))


def _explained(tally: Tally) -> str:
    """Return a text whose first line, shown in summaries, says what failed in which arm; the traceback follows."""
    if not tally.traceback or tally.traceback.startswith(tally.message):
        return tally.traceback or tally.message
    return f"{tally.message}\n\n{tally.traceback}"
