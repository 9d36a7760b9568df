"""Waits for something in another thread, process or task."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SOON_SECONDS = 60.0
PROCESS_SECONDS = 900.0  # only a process that hangs takes so long, even on a very busy machine
LOOK_SECONDS = 0.002


def wait_until(holds: Callable[[], object], most_seconds: float = SOON_SECONDS) -> None:
    """Return as soon as a condition holds; fail after a minute, which is long even on a busy machine."""
    deadline = time.monotonic() + most_seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)


async def until(holds: Callable[[], object]) -> None:
    """Do as `wait_until`, and let other tasks run."""
    async with asyncio.timeout(SOON_SECONDS):
        while not holds():  # noqa: ASYNC110 - no event tells when
            await asyncio.sleep(LOOK_SECONDS)


def ends_within(seconds: float, call: Callable[[], object]) -> None:
    """Call it, and fail if it has not returned after this long, even if it never does; what it raises is raised."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # raised again by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="a call that should end", daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"still waiting after {seconds} s"
    if errors:
        raise errors[0]
