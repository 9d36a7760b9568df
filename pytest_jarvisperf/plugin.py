"""The entry point that pytest loads: options, markers, fixtures, and the session that measures."""

from __future__ import annotations

import pytest

from pytest_jarvisperf.harness import MeasuringHarness, QuickHarness
from pytest_jarvisperf.markers import DESCRIPTIONS, check_markers, read_bench_marker
from pytest_jarvisperf.options import add_options, read_options
from pytest_jarvisperf.record import Record, parameters_of, record_key
from pytest_jarvisperf.state import State, state_key

pytest_plugins = ("pytest_jarvisperf.fixtures",)

BENCH_FIXTURES = frozenset({"jarvis_bench", "benchmark"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the options and register what this session needs."""
    for description in DESCRIPTIONS:
        config.addinivalue_line("markers", description)
    options = read_options(config)
    if options.bench and (hasattr(config, "workerinput") or config.getoption("numprocesses", None)):
        raise pytest.UsageError("--jarvis-bench measures one benchmark at a time: leave out -n, or give -n 0")
    harness = MeasuringHarness() if options.bench else QuickHarness()
    config.stash[state_key] = State(options, harness)
    if options.bench:
        from pytest_jarvisperf.session import BenchSession

        config.pluginmanager.register(BenchSession(config, options), "jarvisperf-session")
    if config.pluginmanager.hasplugin("benchmark"):
        from pytest_jarvisperf.pytest_benchmark_bridge import PytestBenchmarkBridge

        config.pluginmanager.register(PytestBenchmarkBridge(config, options, harness), "jarvisperf-bridge")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check the markers, and give every benchmark test its record."""
    for item in items:
        check_markers(item)
        if BENCH_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            marker = read_bench_marker(item)
            item.stash[record_key] = Record(item.nodeid, marker.group, parameters_of(item), marker.before)
