"""Runs tests as pytest's own loop does: for benchmarks, which wait until the functional tests have run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """Run tests one after the other.

    Args:
        session: pytest's.
        items: The tests, in order.

    Raises:
        pytest.Session.Failed: As many tests have failed as `-x` or `--maxfail` allow.
        pytest.Session.Interrupted: A plugin asked to stop.
    """
    for item, following in itertools.zip_longest(items, items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
