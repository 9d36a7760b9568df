"""The plugin's state on pytest's config: the options, the metrics, and the harness that measures targets."""

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
# Set by a lockstep worker before this plugin configures itself: the worker's harness then measures the targets.
harness_key = pytest.StashKey["Harness"]()
# In a sharded run, the ids of the benchmarks that other machines run.
elsewhere_key = pytest.StashKey[frozenset[str]]()
