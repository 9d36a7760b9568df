"""Which tests an arm has: those that the main process collected, whatever a plugin in the arm would leave out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.collection.recognition import recognize
from pytest_jarvisperf.measuring.record import record_key

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

# pytest's own ways to select, by the names of the plugins that do it: `-k` and `-m`, and `--deselect`.
SELECTING_PLUGINS = ("mark", "main")


class OwnSelection:
    """The plugin object that undoes what other plugins select.

    A plugin that runs one part of a suite (by group, hash, duration, last failures, changed files) counts or looks up
    what is collected. In an arm only benchmark files are collected, and it would choose other tests there.

    Args:
        wanted: The tests to measure; None: all that pytest's own options leave, to see which there are.

    Attributes:
        ids: The ids of the benchmarks that are here; one that two tests share is there twice.
        benchmarks: Each of them by its id.
    """

    def __init__(self, wanted: Sequence[str] | None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self.ids: list[str] = []
        self.benchmarks: dict[str, pytest.Item] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Put back what other plugins have left out."""
        everything = list(items)
        result = yield
        kept = set(map(id, items))
        added = [item for item in items if item not in everything]
        chosen = [*everything, *added]
        if self._wanted is None:
            for name in SELECTING_PLUGINS:
                plugin: Any = config.pluginmanager.get_plugin(name)
                plugin.pytest_collection_modifyitems(items=chosen, config=config)
        # A test that is wanted and not recognized asks for the fixture while it runs.
        wanted = self._wanted or frozenset()
        chosen = [item for item in chosen if record_key in item.stash or recognize(item) or item.nodeid in wanted]
        self.ids = [item.nodeid for item in chosen]
        # Where several tests share an id, the one that the plugins have kept.
        self.benchmarks = {item.nodeid: item for item in sorted(chosen, key=lambda item: id(item) in kept)}
        items[:] = chosen
        return result


def shared_ids(ids: Sequence[str]) -> list[str]:
    """Give the ids that more than one test has."""
    return [name for name, count in Counter(ids).items() if count > 1]
