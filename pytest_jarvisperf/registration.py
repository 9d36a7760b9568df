"""Registers what a session needs if it measures something or any option is given."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from pytest_jarvisperf.bridges.choice import make_bridge
from pytest_jarvisperf.extensions import further_formats, read_facts, session_metrics, this_machine
from pytest_jarvisperf.measuring.harness import MeasuringHarness, QuickHarness, further_metrics
from pytest_jarvisperf.measuring.stash_keys import harness_key
from pytest_jarvisperf.options import check_root_folder, read_options, settled
from pytest_jarvisperf.start.marker_names import descriptions
from pytest_jarvisperf.state import keep_state
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.report import ReportFormat
    from jarvisperf.runs.store import RunStore
    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.sessions.baseline import BaselineSession
    from pytest_jarvisperf.sessions.lockstep import LockstepSession

# Loaded before the tests, which may replace the real clock with a mock.
USED_BY_MEASURING_TESTS = (
    "jarvisperf.measure.sampling",
    "jarvisperf.measure.side_by_side",
    "jarvisperf.measure.startup",
    "jarvisperf.measure.yardstick",
    "pytest_jarvisperf.bridges.calls",
    "pytest_jarvisperf.measuring.comparing",
    "pytest_jarvisperf.measuring.event_loops.of_fixtures",
    "pytest_jarvisperf.measuring.jarvis_bench",
)


def configure(config: pytest.Config) -> None:
    """Read the options and register what this session needs.

    Raises:
        pytest.UsageError: An option's value is not allowed, or options cannot be combined.
    """
    metrics = session_metrics(config)
    for description in descriptions(kind.name for kind in metrics):
        config.addinivalue_line("markers", description)
    options = read_options(config, metrics)
    in_worker = harness_key in config.stash
    # An arm measures on request and reports nothing itself.
    if in_worker or (options.bench and _leaves_benchmarks_to_the_controller(config)):
        options = options._replace(bench=False, against=None, compare=None, save=None, shard=None)
    else:
        check_root_folder(config)
        options = settled(config, options)
    measuring = MeasuringHarness()
    measures_here = options.bench and options.against is None  # in lockstep the arms measure
    harness = config.stash.get(harness_key, measuring if measures_here else QuickHarness())
    if measures_here or in_worker:
        harness = further_metrics(harness, metrics, options.metrics)
        _measure_whole_tests(config)
    if measures_here:
        harness = _profiling(config, harness)
    keep_state(config, options, harness, metrics)
    if options.bench or in_worker:
        for module in USED_BY_MEASURING_TESTS:
            importlib.import_module(module)
    if options.prove_seconds is not None:
        _register_proof(config, options)
    elif options.bench:
        _register_session(config, options, measuring)
    bridge = make_bridge(config, measures=options.bench or in_worker)
    if bridge is not None:
        config.pluginmanager.register(bridge, "jarvisperf-bridge")


def _leaves_benchmarks_to_the_controller(config: pytest.Config) -> bool:
    """In a worker of xdist, leave out the benchmarks; return False in any other process."""
    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime
    from pytest_jarvisperf.collection.xdist import WithoutBenchmarks, is_worker

    if not is_worker(config):
        return False
    config.pluginmanager.register(WithoutBenchmarks(), "jarvisperf-distribution")
    config.pluginmanager.register(BenchmarksFoundAtRunTime(), "jarvisperf-found")
    return True


def _measure_whole_tests(config: pytest.Config) -> None:
    from pytest_jarvisperf.collection.whole_test import WholeTests

    config.pluginmanager.register(WholeTests(), "jarvisperf-whole-tests")


def _profiling(config: pytest.Config, harness: Harness) -> Harness:
    from pytest_jarvisperf.measuring.profiling import ProfilingHarness

    return ProfilingHarness(harness, [config.rootpath])


def _register_proof(config: pytest.Config, options: Options) -> None:
    """Register what proves the gate on this suite."""
    from pytest_jarvisperf.proving import ProofSession

    store = _opened_store(config, options)
    config.pluginmanager.register(
        ProofSession(config, options, _repository(config, options, "--jarvis-prove"), store), "jarvisperf-proof"
    )


def _register_session(config: pytest.Config, options: Options, measuring: MeasuringHarness) -> None:
    """Register what seeds, measures, compares and reports."""
    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime
    from pytest_jarvisperf.collection.xdist import BenchmarksAfterwards, is_controller
    from pytest_jarvisperf.measuring.randomness.seeded_tests import SeededTests
    from pytest_jarvisperf.sessions.announcement import Announcement
    from pytest_jarvisperf.sessions.outputs import Messages, Outputs
    from pytest_jarvisperf.sessions.recording import Recording
    from pytest_jarvisperf.sessions.session import BenchSession, is_listing
    from pytest_jarvisperf.sessions.termination import Termination

    _check_counting(options)
    config.pluginmanager.register(SeededTests(), "jarvisperf-seeds")
    formats = _report_formats(config, options)
    if not is_listing(config):
        _check_report_folder(options, formats)
    read_facts(config)
    found = BenchmarksFoundAtRunTime()
    store = _store(config, options)
    lockstep = _lockstep(config, options, found)
    baseline = _baseline(config, options, store, found)
    recording = Recording(config, measuring, measures_here=options.against is None)
    messages = Messages()
    outputs = Outputs(config, options, store, formats, messages)
    session = BenchSession(config, options, recording, outputs, messages, lockstep=lockstep, baseline=baseline)
    config.pluginmanager.register(session, "jarvisperf-session")
    config.pluginmanager.register(recording, "jarvisperf-recording")
    announcement = Announcement(config, options, measuring, session.measures_here)
    config.pluginmanager.register(announcement, "jarvisperf-announcement")
    config.pluginmanager.register(Termination(), "jarvisperf-termination")
    distributes = is_controller(config)
    if distributes:
        config.pluginmanager.register(BenchmarksAfterwards(found, runs=lockstep is None), "jarvisperf-distribution")
    if distributes or lockstep is not None or baseline is not None:
        config.pluginmanager.register(found, "jarvisperf-found")


def _check_counting(options: Options) -> None:
    """Refuse to count instructions where nothing can count them."""
    if "instructions" not in options.metrics:
        return
    from jarvisperf.measure.metrics.instruction_counters import ADVICE, HARDWARE, NOT_HERE, method_of_arms

    method = method_of_arms()
    if method is None or (method != HARDWARE and options.against is None):
        raise usage_error(f"--jarvis-metrics instructions: {ADVICE if method is None else NOT_HERE}")


def _report_formats(config: pytest.Config, options: Options) -> Sequence[ReportFormat]:
    from jarvisperf.report import choose_formats

    try:
        return choose_formats(options.report_formats, further_formats(config))
    except ValueError as error:
        raise usage_error(f"--jarvis-report-formats: {error}") from None


def _check_report_folder(options: Options, formats: Sequence[ReportFormat]) -> None:
    from jarvisperf.report import ReportFolderError, check_report_folder

    try:
        check_report_folder(options.report_folder, formats)
    except ReportFolderError as error:
        raise usage_error(f"--jarvis-report: {error}") from None


def _store(config: pytest.Config, options: Options) -> RunStore | None:
    return _opened_store(config, options) if options.save or options.compare else None


def _opened_store(config: pytest.Config, options: Options) -> RunStore:
    from jarvisperf.runs.store import RunStoreError, open_store

    try:
        return open_store(options.store, config.rootpath)
    except RunStoreError as error:
        raise usage_error(f"--jarvis-store: {error}") from None


def _baseline(
    config: pytest.Config, options: Options, store: RunStore | None, found: BenchmarksFoundAtRunTime
) -> BaselineSession | None:
    if options.compare is None or store is None:
        return None
    from pytest_jarvisperf.sessions.baseline import BaselineSession
    from pytest_jarvisperf.sessions.session import is_listing
    from pytest_jarvisperf.sessions.stored_runs import StoredRuns, find_stored_runs

    stored = (
        StoredRuns(())
        if is_listing(config)
        else find_stored_runs(options, store, options.compare, this_machine(config))
    )
    session = BaselineSession(config, options, stored, found)
    config.pluginmanager.register(session, "jarvisperf-baseline")
    return session


def _lockstep(config: pytest.Config, options: Options, found: BenchmarksFoundAtRunTime) -> LockstepSession | None:
    if options.against is None:
        return None
    from pytest_jarvisperf.sessions.lockstep import LockstepSession

    repository = _repository(config, options, "--jarvis-against")
    session = LockstepSession(config, options, repository, found)
    config.pluginmanager.register(session, "jarvisperf-lockstep")
    return session


def _repository(config: pytest.Config, options: Options, shown: str) -> Repository:
    """Find the repository and the revision to compare with.

    Args:
        config: pytest's config.
        options: This plugin's options.
        shown: The option that requests it.
    """
    from jarvisperf.forks import NO_LOCKSTEP, can_fork
    from jarvisperf.gate.arms.git import GitError
    from jarvisperf.gate.arms.revision import resolve

    if not can_fork():
        raise usage_error(
            f"{shown}: {NO_LOCKSTEP}; compare with a stored run (--jarvis-compare), or use Linux, macOS or WSL"
        )
    try:
        return resolve(config.rootpath, options.against or "HEAD", exact=options.exact)
    except GitError as error:
        raise usage_error(f"{shown}: {error}") from None
