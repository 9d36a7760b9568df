"""Waits for something in another thread or process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SOON_SECONDS = 60.0
LOOK_SECONDS = 0.002


def wait_until(holds: Callable[[], object]) -> None:
    """Return as soon as a condition holds; fail after a minute, which is long even on a busy machine."""
    deadline = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)
