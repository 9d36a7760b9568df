"""Seeds random numbers before each benchmark is set up and, in arms, before anything is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_jarvisperf.measuring.randomness.generators import SeededRandomness, seed_of
from pytest_jarvisperf.measuring.stash_keys import record_key

if TYPE_CHECKING:
    from collections.abc import Generator


class SeededTests:
    """The plugin object that seeds each benchmark by its id, from setup to teardown."""

    def __init__(self) -> None:
        self._randomness = SeededRandomness()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Seed before a benchmark, and restore the generators after it."""
        if record_key not in item.stash:
            return (yield)
        self._randomness.begin(seed_of(item.nodeid))
        try:
            return (yield)
        finally:
            self._randomness.end()


class SeededArm:
    """The plugin object that seeds in an arm: when it is created, and before each benchmark.

    Args:
        launch: A value shared by both arms of a pair, different for every pair.
        one_seed: Whether all tests of a launch have the same seed, because both arms run different tests.

    Attributes:
        randomness: Seeds the arm's generators.
    """

    def __init__(self, launch: object, *, one_seed: bool = False) -> None:
        self._launch = launch
        self._one_seed = one_seed
        self.randomness = SeededRandomness()
        self.randomness.begin(seed_of(launch))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Seed before a benchmark, and count its requests to the system until it is measured."""
        self.randomness.seed(seed_of(self._launch, "" if self._one_seed else item.nodeid))
        self.randomness.watch()
        try:
            return (yield)
        finally:
            self.randomness.unwatch()
