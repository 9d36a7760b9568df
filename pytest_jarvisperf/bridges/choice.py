"""Chooses what defines the fixtures and markers of pytest-benchmark and pytest-codspeed in this session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_jarvisperf.start.marker_names import BENCHMARK_DESCRIPTIONS
from pytest_jarvisperf.start.other_plugins import has_plugin
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    import pytest

    from pytest_jarvisperf.bridges.codspeed import CodspeedBridge
    from pytest_jarvisperf.bridges.pytest_benchmark import PytestBenchmarkBridge

# pytest's names for other plugins with a `benchmark` fixture.
WITH_THE_FIXTURE = ("codspeed", "speed")


def make_bridge(config: pytest.Config, *, measures: bool) -> PytestBenchmarkBridge | CodspeedBridge | None:
    """Create the plugin object that defines the fixtures; None: another plugin's fixtures stay in place.

    Args:
        config: pytest's config.
        measures: Whether this session measures.

    Raises:
        pytest.UsageError: pytest-codspeed was asked to measure as well, or pytest-benchmark to profile.
    """
    is_codspeed_on = has_plugin(config, "codspeed") and (
        config.getoption("codspeed", False) or "CODSPEED_ENV" in os.environ
    )
    if is_codspeed_on and measures:
        option = "--codspeed" if config.getoption("codspeed", False) else "the environment variable CODSPEED_ENV"
        raise usage_error(f"--jarvis-bench and {option} both measure the benchmarks; choose one")
    for description in BENCHMARK_DESCRIPTIONS:
        config.addinivalue_line("markers", description)
    if is_codspeed_on:
        return None
    if has_plugin(config, "benchmark"):
        from pytest_jarvisperf.bridges.pytest_benchmark import PytestBenchmarkBridge

        if measures:
            from pytest_jarvisperf.bridges.pytest_benchmark_outputs import refuse_what_would_fail

            refuse_what_would_fail(config)
        return PytestBenchmarkBridge(config, measures=measures)
    if not measures and any(has_plugin(config, name) for name in WITH_THE_FIXTURE):
        return None
    from pytest_jarvisperf.bridges.codspeed import CodspeedBridge

    return CodspeedBridge(config)
