"""Under xdist: the functional tests run in its workers, the benchmarks after them, one at a time, in the controller."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.record import record_key

if TYPE_CHECKING:
    from collections.abc import Generator


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def is_controller(config: pytest.Config) -> bool:
    """Tell whether this process hands its tests out to xdist's workers."""
    distributes = config.getoption("numprocesses", None) or config.getoption("tx", None)
    return bool(distributes) and not is_worker(config)


class WithoutBenchmarks:
    """The plugin object of a worker: leaves the benchmarks to the controller."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the benchmarks."""
        benchmarks = [item for item in items if record_key in item.stash]
        if benchmarks:
            config.hook.pytest_deselected(items=benchmarks)
            items[:] = [item for item in items if record_key not in item.stash]


class BenchmarksAfterwards:
    """The plugin object of a controller: collects and runs the benchmarks once the workers are done."""

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
        benchmarks = [item for item in session.items if record_key in item.stash]
        session.items[:] = benchmarks
        session.testscollected = distributed + len(benchmarks)
        for item, following in itertools.zip_longest(benchmarks, benchmarks[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return result
