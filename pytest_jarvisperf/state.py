"""What the plugin keeps on pytest's config: the options, the metrics, and the harness that takes the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from jarvisperf.measure.metrics import Metrics
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.options import Options


class PluginState(NamedTuple):
    """Options, harness and metrics of one pytest session."""

    options: Options
    harness: Harness
    metrics: Metrics


state_key = pytest.StashKey[PluginState]()
# Set before this plugin configures itself by whoever takes the targets in its place: the worker of a lockstep run.
harness_key = pytest.StashKey["Harness"]()
# Ids of the benchmarks that other machines run, where this one runs a shard.
elsewhere_key = pytest.StashKey[frozenset[str]]()
