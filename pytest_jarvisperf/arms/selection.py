"""Keeps an arm's tests the same as those of the main process, whatever plugins in the arm would deselect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.collection.recognition import recognize
from pytest_jarvisperf.measuring.stash_keys import record_key

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

# pytest's own ways to select, by the names of the plugins that do it: `-k` and `-m`, and `--deselect`.
SELECTING_PLUGINS = ("mark", "main")


class OwnSelection:
    """The plugin object that undoes the selection of other plugins.

    A plugin that runs a part of a suite (by group, hash, duration, last failures, changed files) depends on what is
    collected. In an arm only benchmark files are collected, so it would choose different tests there.

    Args:
        wanted: The tests to measure; None: all that pytest's own options select, to list them.

    Attributes:
        ids: The ids of the benchmarks found; an id that two tests share occurs twice.
        benchmarks: The benchmarks by id.
    """

    def __init__(self, wanted: Sequence[str] | None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self.ids: list[str] = []
        self.benchmarks: dict[str, pytest.Item] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Put back the tests that other plugins deselected."""
        everything = list(items)
        result = yield
        kept = set(map(id, items))
        added = [item for item in items if item not in everything]
        chosen = [*everything, *added]
        if self._wanted is None:
            for name in SELECTING_PLUGINS:
                plugin: Any = config.pluginmanager.get_plugin(name)
                plugin.pytest_collection_modifyitems(items=chosen, config=config)
        # A wanted test that is not recognized requests the fixture at run time.
        wanted = self._wanted or frozenset()
        chosen = [item for item in chosen if record_key in item.stash or recognize(item) or item.nodeid in wanted]
        self.ids = [item.nodeid for item in chosen]
        # If several tests share an id, the one that the plugins kept.
        self.benchmarks = {item.nodeid: item for item in sorted(chosen, key=lambda item: id(item) in kept)}
        items[:] = chosen
        return result
