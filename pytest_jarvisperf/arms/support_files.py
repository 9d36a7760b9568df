"""Finds files that benchmarks use besides the compared code: helpers in test folders, and plugins that the tests load.

Both arms use head's versions, as they do for the benchmark files: a fixture that produces different data in head would
show up as a difference that the code did not cause. Collection imported them, so they are in `sys.modules`.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

from jarvisperf.gate.project.module_files import real_file
from jarvisperf.gate.project.packages import is_or_is_in, shared_test_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import pytest

INSTALLED = frozenset({"site-packages", "dist-packages"})


def support_files(config: pytest.Config, repository: Path, packages: Collection[str]) -> list[Path]:
    """Find the files of head that support benchmarks.

    Args:
        config: pytest's config.
        repository: The top folder of the repository.
        packages: Dotted names of the project's packages; code in them is compared, even if it is a plugin.
    """
    plugins = {id(module) for module in plugin_modules(config)}
    return [
        file
        for module, file in _modules_in(repository)
        if not any(is_or_is_in(module.__name__, package) for package in packages)
        and (id(module) in plugins or shared_test_folder(file.relative_to(repository).as_posix()))
    ]


def compared_plugins(config: pytest.Config, repository: Path, packages: Collection[str]) -> list[Path]:
    """Find the plugins of the project's tests that lie in its packages; each arm has its own."""
    plugins = {id(module) for module in plugin_modules(config)}
    return [
        file
        for module, file in _modules_in(repository)
        if id(module) in plugins and any(is_or_is_in(module.__name__, package) for package in packages)
    ]


def plugin_modules(config: pytest.Config) -> list[types.ModuleType]:
    """Return the plugins named by `pytest_plugins` and `-p`, except those installed from a distribution."""
    manager = config.pluginmanager
    installed = {id(plugin) for plugin, _ in manager.list_plugin_distinfo()}
    return [
        plugin
        for plugin in manager.get_plugins()
        if isinstance(plugin, types.ModuleType) and id(plugin) not in installed
    ]


def _modules_in(repository: Path) -> Iterator[tuple[types.ModuleType, Path]]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not file or not isinstance(module, types.ModuleType):
            continue
        place = real_file(file)
        if place.is_relative_to(repository) and not INSTALLED.intersection(place.parts):
            yield module, place
