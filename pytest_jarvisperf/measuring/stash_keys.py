"""The keys under which the plugin keeps things on pytest's config and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jarvisperf.runs.shard import Split
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

# On an item: the record of a benchmark. Other tests have none.
record_key: pytest.StashKey[BenchmarkRecord] = pytest.StashKey()
# Set by a lockstep worker before this plugin configures itself: the worker's harness then measures the targets.
harness_key: pytest.StashKey[Harness] = pytest.StashKey()
# In a sharded run, the ids of the benchmarks that other machines run.
elsewhere_key: pytest.StashKey[frozenset[str]] = pytest.StashKey()
# Likewise, how the suite was cut into parts.
split_key: pytest.StashKey[Split] = pytest.StashKey()
# The environment variables before any conftest was loaded.
environment_key: pytest.StashKey[dict[str, str]] = pytest.StashKey()
