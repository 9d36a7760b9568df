"""The entry point that pytest loads: registers options, markers, fixtures and hooks.

Most sessions measure nothing. For those it loads as little as possible: `start/`, the fixtures' names and the bridge.

PYTEST_DONT_REWRITE: there is nothing to rewrite, and pytest would warn where something else has imported it before.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.start import plain_imports

plain_imports.install()  # before the imports below

import jarvisperf.clocks  # noqa: F401, E402  # before a conftest can freeze or patch the clocks
from pytest_jarvisperf import fixtures, hooks  # noqa: E402
from pytest_jarvisperf.bridges import warnings  # noqa: E402
from pytest_jarvisperf.bridges.choice import make_bridge  # noqa: E402
from pytest_jarvisperf.collection.recognition import recognize  # noqa: E402
from pytest_jarvisperf.measuring.stash_keys import environment_key, harness_key, record_key  # noqa: E402
from pytest_jarvisperf.start.marker_names import BENCHMARK_MARKERS, OWN_MARKERS, descriptions, is_marked  # noqa: E402
from pytest_jarvisperf.start.option_table import add_options, are_defaults  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that other plugins may implement, and register this plugin's other parts."""
    pluginmanager.add_hookspecs(hooks)
    # Not named in `pytest_plugins`, for which pytest would search all installed distributions once for each name.
    for part in (fixtures, warnings):
        pluginmanager.register(part, part.__name__)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Keep the environment as the user set it; what a conftest adds may differ from one run to the next."""
    early_config.stash[environment_key] = dict(os.environ)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register what this session needs; if every option has its default, the options are read when a test needs one."""
    if not _is_idle(config):
        from pytest_jarvisperf.registration import configure

        configure(config)
        return
    for description in descriptions():
        config.addinivalue_line("markers", description)
    bridge = make_bridge(config, measures=False)
    if bridge is not None:
        config.pluginmanager.register(bridge, "jarvisperf-bridge")


def _is_idle(config: pytest.Config) -> bool:
    """Return whether nothing is asked of this plugin but to run benchmarks as ordinary tests."""
    has_metrics = bool(config.hook.pytest_jarvis_metrics.get_hookimpls())
    return harness_key not in config.stash and not has_metrics and are_defaults(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Check the markers, including those that other plugins add in this hook, and start every benchmark's record."""
    result = yield
    for item in items:
        if is_marked(item, (*OWN_MARKERS, *BENCHMARK_MARKERS)):
            from pytest_jarvisperf.collection.records import check_every_marker

            check_every_marker(item)
        recognize(item)
    if not _is_idle(config):
        from pytest_jarvisperf.collection.sharding import keep_shard

        keep_shard(config, items)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start each attempt of a benchmark test with an empty record."""
    if record_key in item.stash:
        from pytest_jarvisperf.collection.records import restart_record

        restart_record(item)
