"""The plugin's state on pytest's config: options, metrics, markers, and the harness that measures targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.measure.metrics import Metrics
    from pytest_jarvisperf.marker_keys import Key
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.options import Options


class PluginState(NamedTuple):
    """What this plugin knows about one pytest session.

    Attributes:
        options: This plugin's options.
        harness: Measures the targets.
        metrics: The metrics of this session.
        marker_keys: The keywords that each marker accepts, by the marker's name.
    """

    options: Options
    harness: Harness
    metrics: Metrics
    marker_keys: Mapping[str, Mapping[str, Key]]


state_key = pytest.StashKey[PluginState]()
# Set by a lockstep worker before this plugin configures itself: the worker's harness then measures the targets.
harness_key = pytest.StashKey["Harness"]()
# In a sharded run, the ids of the benchmarks that other machines run.
elsewhere_key = pytest.StashKey[frozenset[str]]()
