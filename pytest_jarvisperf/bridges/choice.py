"""Suites of pytest-benchmark and pytest-codspeed: who defines their fixtures and markers in this session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.bridges.marker import DESCRIPTIONS

if TYPE_CHECKING:
    from pytest_jarvisperf.bridges.codspeed import CodspeedBridge
    from pytest_jarvisperf.bridges.pytest_benchmark import PytestBenchmarkBridge
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.options import Options

# Plugins with a fixture `benchmark` of their own, under pytest's names for them.
WITH_THE_FIXTURE = ("codspeed", "speed")


def make_bridge(
    config: pytest.Config, options: Options, harness: Harness, *, measures: bool
) -> PytestBenchmarkBridge | CodspeedBridge | None:
    """Make the plugin object that defines the fixtures; None: those of another plugin stay as they are.

    Args:
        config: pytest's.
        options: This plugin's.
        harness: Takes the targets.
        measures: Whether this session measures.

    Raises:
        pytest.UsageError: pytest-codspeed was told to measure too, or pytest-benchmark to profile.
    """
    is_codspeed_on = config.pluginmanager.hasplugin("codspeed") and (
        config.getoption("codspeed", False) or "CODSPEED_ENV" in os.environ
    )
    if is_codspeed_on and measures:
        told = "--codspeed" if config.getoption("codspeed", False) else "the environment variable CODSPEED_ENV"
        raise pytest.UsageError(f"--jarvis-bench and {told} exclude each other: both measure the benchmarks; give one")
    for description in DESCRIPTIONS.values():
        config.addinivalue_line("markers", description)
    if is_codspeed_on:
        return None
    if config.pluginmanager.hasplugin("benchmark"):
        from pytest_jarvisperf.bridges.pytest_benchmark import PytestBenchmarkBridge
        from pytest_jarvisperf.bridges.pytest_benchmark_outputs import refuse_what_would_fail

        if measures:
            refuse_what_would_fail(config)
        return PytestBenchmarkBridge(config, options, harness, measures=measures)
    if not measures and any(map(config.pluginmanager.hasplugin, WITH_THE_FIXTURE)):
        return None
    from pytest_jarvisperf.bridges.codspeed import CodspeedBridge

    return CodspeedBridge(options, harness)
