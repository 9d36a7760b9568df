"""A project's own time limit for each test, as pytest-timeout sets it, inside an arm.

There a test waits while the other arm takes its slices, and it holds the measuring. Its limit is therefore twice the
sum of what the project gives it and the budget: a test that keeps its limit in an ordinary run keeps it here.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

ARMS = 2


def stretched(seconds: float, budget_seconds: float) -> float:
    """Give the limit that a benchmark has in an arm, for the one that the project gives it; all in seconds."""
    return ARMS * (seconds + budget_seconds)


class TimeLimits:
    """The plugin object that stretches the limits.

    Args:
        budget_seconds: Measuring time per benchmark, both arms together.
        budgets: Other budgets, by id.
    """

    def __init__(self, budget_seconds: float, budgets: dict[str, float]) -> None:
        self._budget_seconds = budget_seconds
        self._budgets = budgets

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> Any:
        """Have pytest-timeout set its timer for the stretched limit."""
        limit = stretched(settings.timeout, self._budgets.get(item.nodeid, self._budget_seconds))
        plugin: Any = sys.modules["pytest_timeout"]
        return plugin.pytest_timeout_set_timer(item=item, settings=settings._replace(timeout=limit))
