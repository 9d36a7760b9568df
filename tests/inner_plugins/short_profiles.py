"""A plugin for pytests inside of tests: regressed benchmarks are profiled, and suspects timed, for a moment only.

Three pairs of processes that each profile for a second take longer than a whole comparison. What profiles say is tested
without this plugin.

Every process of a run loads it, and few of them profile, so it changes a module when something else imports it.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SECONDS = 0.05


def _shorten_a_look(engines: Any) -> None:
    engines.take_sliced = partial(engines.take_sliced, seconds=SECONDS)


def _start_one_pair(profiles: Any) -> None:
    profiles.LAUNCHES = 1


def _time_for_a_moment(profiling: Any) -> None:
    profiling.TIMED_SECONDS = SECONDS


CHANGES = {
    "jarvisperf.profiles.engines": _shorten_a_look,
    "pytest_jarvisperf.explaining.profiles": _start_one_pair,
    "pytest_jarvisperf.measuring.profiling": _time_for_a_moment,
}


class _ChangedWhenImported:
    """Finds these modules as usual, and has them changed once they are loaded."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        change = CHANGES.get(name)
        if change is None:
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change
        return spec


for imported in CHANGES.keys() & sys.modules.keys():
    CHANGES[imported](sys.modules[imported])
sys.meta_path.insert(0, _ChangedWhenImported())
