"""A plugin for pytests inside of tests: regressed benchmarks are profiled, and suspects timed, for a moment only.

Three pairs of processes that each profile for a second take longer than a whole comparison. What profiles say is tested
without this plugin.

Every process of a run loads it, and few of them profile, so it changes a module only when something else imports it.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SECONDS = 0.05
patched = pytest.MonkeyPatch()


def _look_for_a_moment(engines: Any) -> None:
    patched.setattr(engines, "take_sliced", partial(engines.take_sliced, seconds=SECONDS))


def _start_one_pair(profiles: Any) -> None:
    patched.setattr(profiles, "LAUNCHES", 1)


def _time_for_a_moment(profiling: Any) -> None:
    patched.setattr(profiling, "TIMED_SECONDS", SECONDS)


CHANGES = {
    "jarvisperf.profiles.engines": _look_for_a_moment,
    "pytest_jarvisperf.explaining.profiles": _start_one_pair,
    "pytest_jarvisperf.measuring.profiling": _time_for_a_moment,
}


class Changing:
    """Finds these modules as usual, and has them changed once they are loaded."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in CHANGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            CHANGES[name](module)

        spec.loader.exec_module = load_and_change
        return spec


def pytest_configure() -> None:
    for name in CHANGES.keys() & sys.modules.keys():
        CHANGES[name](sys.modules[name])
    sys.meta_path.insert(0, Changing)


def pytest_unconfigure() -> None:
    sys.meta_path.remove(Changing)
    patched.undo()
