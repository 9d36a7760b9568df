"""A pytest plugin that makes every test a benchmark, so that an ordinary suite can serve as one."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that do not request a benchmark's fixture."""
    for item in items:
        if not {"benchmark", "jarvis_bench"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.benchmark)
