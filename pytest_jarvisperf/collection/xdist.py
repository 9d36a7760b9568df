"""Under xdist, runs the functional tests in its workers, and then the benchmarks one at a time in the controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.collection.benchmark_loop import run_items
from pytest_jarvisperf.collection.records import start_record
from pytest_jarvisperf.measuring.stash_keys import record_key

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def is_controller(config: pytest.Config) -> bool:
    """Return whether this process distributes its tests to xdist's workers."""
    distributes = config.getoption("numprocesses", None) or config.getoption("tx", None)
    return bool(distributes) and not is_worker(config)


class WithoutBenchmarks:
    """The plugin object of a worker: leaves the benchmarks to the controller."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Deselect the benchmarks, once they are recognized."""
        result = yield
        benchmarks = [item for item in items if record_key in item.stash]
        if benchmarks:
            config.hook.pytest_deselected(items=benchmarks)
            items[:] = [item for item in items if record_key not in item.stash]
        return result


class BenchmarksAfterwards:
    """The plugin object of a controller: collects and runs the benchmarks after the workers have finished.

    Args:
        found: Tests that turned out to be benchmarks in a worker.
        runs: Whether to run the benchmarks; False: only collect them.
    """

    def __init__(self, found: BenchmarksFoundAtRunTime, *, runs: bool) -> None:
        self._found = found
        self._runs = runs

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the benchmarks, unless the functional tests have ended the session.

        Raises:
            pytest.Session.Failed: The limit of failures set by `-x` or `--maxfail` was reached.
            pytest.Session.Interrupted: A plugin asked to stop.
        """
        result = yield
        if session.shouldfail or session.shouldstop:
            return result
        distributed = session.testscollected
        session.perform_collect()
        found = frozenset(self._found.ids)
        for item in session.items:
            if item.nodeid in found:
                start_record(item)
        benchmarks = [item for item in session.items if record_key in item.stash]
        session.items[:] = benchmarks
        session.testscollected = distributed + len(benchmarks) - len(found)
        if self._runs:
            run_items(session, benchmarks)
        return result
