"""Extends a project's own time limits for tests (pytest-timeout) inside an arm.

In an arm, a test takes longer: it includes the measuring, and waits while the other arm takes its slices. Its limit is
therefore twice the sum of the project's limit and the budget, so a test that meets its limit in an ordinary run does so
here too.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

ARMS = 2


def stretched(seconds: float, budget_seconds: float) -> float:
    """Convert the project's limit for a benchmark to its limit in an arm; all in seconds."""
    return ARMS * (seconds + budget_seconds)


class TimeLimits:
    """The plugin object that extends the limits.

    Args:
        budget_seconds: Measuring time per benchmark, both arms together.
        budgets: Other budgets, by id.
    """

    def __init__(self, budget_seconds: float, budgets: dict[str, float]) -> None:
        self._budget_seconds = budget_seconds
        self._budgets = budgets

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> Any:
        """Make pytest-timeout set its timer to the extended limit."""
        limit = stretched(settings.timeout, self._budgets.get(item.nodeid, self._budget_seconds))
        plugin: Any = sys.modules["pytest_timeout"]
        return plugin.pytest_timeout_set_timer(item=item, settings=settings._replace(timeout=limit))
