"""Chooses what defines the fixtures and markers of pytest-benchmark and pytest-codspeed in this session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_jarvisperf.benchmark_marker import DESCRIPTIONS
from pytest_jarvisperf.other_plugins import has_plugin
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    import pytest

    from pytest_jarvisperf.bridges.codspeed import CodspeedBridge
    from pytest_jarvisperf.bridges.pytest_benchmark import PytestBenchmarkBridge
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.options import Options

# pytest's names for other plugins with a `benchmark` fixture.
WITH_THE_FIXTURE = ("codspeed", "speed")


def make_bridge(
    config: pytest.Config, options: Options, harness: Harness, *, measures: bool
) -> PytestBenchmarkBridge | CodspeedBridge | None:
    """Create the plugin object that defines the fixtures; None: another plugin's fixtures stay in place.

    Args:
        config: pytest's config.
        options: This plugin's options.
        harness: Measures the targets.
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
    for description in DESCRIPTIONS.values():
        config.addinivalue_line("markers", description)
    if is_codspeed_on:
        return None
    if has_plugin(config, "benchmark"):
        from pytest_jarvisperf.bridges.pytest_benchmark import PytestBenchmarkBridge
        from pytest_jarvisperf.bridges.pytest_benchmark_outputs import refuse_what_would_fail

        if measures:
            refuse_what_would_fail(config)
        return PytestBenchmarkBridge(config, options, harness, measures=measures)
    if not measures and any(has_plugin(config, name) for name in WITH_THE_FIXTURE):
        return None
    from pytest_jarvisperf.bridges.codspeed import CodspeedBridge

    return CodspeedBridge(options, harness)
