"""Finds other plugins, however they were loaded: by their entry point, by ``-p module``, or by ``pytest_plugins``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

_MODULES: Final = {
    "asyncio": "pytest_asyncio.plugin",
    "benchmark": "pytest_benchmark.plugin",
    "codspeed": "pytest_codspeed.plugin",
    "speed": "pytest_speed",
}


def has_plugin(config: pytest.Config, name: str) -> bool:
    """Return whether a plugin is active. pytest knows it by its entry point's name, or by its module's.

    Args:
        config: pytest's config.
        name: The name of its entry point.
    """
    manager = config.pluginmanager
    return manager.hasplugin(name) or manager.hasplugin(_MODULES[name])
