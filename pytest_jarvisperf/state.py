"""The plugin's state on pytest's config: options, metrics, markers, and the harness that measures targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_jarvisperf.extensions import session_metrics
from pytest_jarvisperf.markers.jarvis import marker_keys
from pytest_jarvisperf.measuring.harness import QuickHarness
from pytest_jarvisperf.options import read_options, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.measure.metrics import Metrics
    from pytest_jarvisperf.markers.keys import Key
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


_state_key = pytest.StashKey[PluginState]()


def keep_state(config: pytest.Config, options: Options, harness: Harness, metrics: Metrics) -> None:
    """Keep the state of a session."""
    config.stash[_state_key] = PluginState(options, harness, metrics, marker_keys(metrics))


def state_of(config: pytest.Config) -> PluginState:
    """Return the state of a session. Where every option has its default, it is made at first use.

    Raises:
        pytest.UsageError: A plugin's metrics cannot be used.
    """
    if _state_key not in config.stash:
        metrics = session_metrics(config)
        keep_state(config, settled(config, read_options(config, metrics)), QuickHarness(), metrics)
    return config.stash[_state_key]
