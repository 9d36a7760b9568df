"""Gives Redis so much time that a busy machine does not look like a fault, and little time during a fault."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from waiting import SOON_SECONDS

from jarvisperf.cache.testing import store_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.cache import SmartCache

BRIEF_SECONDS = 0.1
PATIENT = {"redis_connect_seconds": SOON_SECONDS, "redis_reply_seconds": SOON_SECONDS}


@contextlib.contextmanager
def brief_deadline(cache: SmartCache) -> Iterator[None]:
    """Let the calls of a patient cache end after a brief deadline, until the fault that begins here has ended.

    A call that begins during the fault must not be patient: some faults swallow it.
    """
    link = store_of(cache, "redis").link
    patient_seconds, link._call_seconds = link._call_seconds, BRIEF_SECONDS
    try:
        yield
    finally:
        link._call_seconds = patient_seconds
