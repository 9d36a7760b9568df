"""Under xdist: the functional tests run in its workers, the benchmarks after them, one at a time, in the controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.collection.benchmark_loop import run_items
from pytest_jarvisperf.measuring.record import record_key, start_record

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_jarvisperf.collection.found_at_run_time import BenchmarksFoundAtRunTime


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def is_controller(config: pytest.Config) -> bool:
    """Tell whether this process hands its tests out to xdist's workers."""
    distributes = config.getoption("numprocesses", None) or config.getoption("tx", None)
    return bool(distributes) and not is_worker(config)


class WithoutBenchmarks:
    """The plugin object of a worker: leaves the benchmarks to the controller."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Deselect the benchmarks, once the plugin knows them."""
        result = yield
        benchmarks = [item for item in items if record_key in item.stash]
        if benchmarks:
            config.hook.pytest_deselected(items=benchmarks)
            items[:] = [item for item in items if record_key not in item.stash]
        return result


class BenchmarksAfterwards:
    """The plugin object of a controller: collects the benchmarks once the workers are done, and runs them.

    Args:
        found: What turned out to be a benchmark while it ran in a worker.
        runs: Whether the benchmarks are to be run; False: collecting them is enough.
    """

    def __init__(self, found: BenchmarksFoundAtRunTime, *, runs: bool) -> None:
        self._found = found
        self._runs = runs

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the benchmarks, unless the functional tests have ended the session.

        Raises:
            pytest.Session.Failed: A benchmark failed and that was to be the last.
            pytest.Session.Interrupted: Something asked to stop.
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
