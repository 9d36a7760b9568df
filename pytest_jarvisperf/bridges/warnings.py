"""Keeps pytest-benchmark's warnings about itself from ending a run in projects that turn warnings into errors.

It warns that it is disabled under xdist, or has nothing to save. With `filterwarnings = error` or `-W error` such a
warning is raised inside pytest's own hooks and ends the session with an internal error. Warnings about a test (that it
never used the fixture) remain warnings or errors of that test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.start.other_plugins import has_plugin

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Replace the method with which pytest-benchmark warns, before it configures itself and until the session ends."""
    if not has_plugin(config, "benchmark"):
        return
    from pytest_benchmark.logger import Logger

    original = Logger.warning
    Logger.warning = _tolerant(original)
    config.add_cleanup(lambda: setattr(Logger, "warning", original))


def _tolerant(warn: Callable[..., None]) -> Callable[..., None]:
    from pytest_benchmark.logger import PytestBenchmarkWarning

    def warning(self: Any, text: str, warner: Callable[..., object] | None = None, **keywords: Any) -> None:
        try:
            warn(self, text, warner=warner, **keywords)
        except PytestBenchmarkWarning:
            if warner is not None:  # it concerns a test
                raise
            self.term.line(f"pytest-benchmark: {text}", yellow=True)

    return warning
