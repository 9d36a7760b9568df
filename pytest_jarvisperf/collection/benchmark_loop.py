"""Runs benchmarks after the functional tests, the way pytest's own loop runs tests."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """Run tests one after the other.

    Args:
        session: pytest's session.
        items: The tests, in order.

    Raises:
        pytest.Session.Failed: The limit of failures set by `-x` or `--maxfail` was reached.
        pytest.Session.Interrupted: A plugin asked to stop.
    """
    for item, following in itertools.zip_longest(items, items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)


def log_reports(
    hook: Any, name: str, location: tuple[str, int | None, str], reports: Sequence[pytest.TestReport]
) -> None:
    """Report a test, as pytest's own protocol does.

    Args:
        hook: pytest's hooks, as the test sees them.
        name: Its node id.
        location: Its file, line and name.
        reports: The reports of its phases.
    """
    hook.pytest_runtest_logstart(nodeid=name, location=location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=name, location=location)
