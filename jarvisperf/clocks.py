"""The machine's clocks, bound before a project's code is loaded, so that tests cannot freeze or patch them.

They are kept in a tuple because freezegun replaces clocks that are attributes of a module. time-machine changes
``time.time`` itself, so the date is computed from the performance counter, which it leaves unchanged.
"""

from __future__ import annotations

import contextlib
import datetime
import math
import time
from typing import TYPE_CHECKING, NamedTuple

with contextlib.suppress(ModuleNotFoundError):  # Windows does not have it
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable


class Clocks(NamedTuple):
    """Clocks in seconds; only differences count.

    Attributes:
        wall: Elapsed time.
        cpu: Processor time of this process.
    """

    wall: Callable[[], float]
    cpu: Callable[[], float]


REAL = Clocks(time.perf_counter, time.process_time)
_EPOCH_SECONDS = (time.time() - time.perf_counter(),)


def voluntary_switches() -> float:
    """Return how often this process has yielded the processor, see getrusage(2); nan on systems without that count."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw if "resource" in globals() else math.nan


def now() -> datetime.datetime:
    """Return the real date and time in UTC, even if tests fake the date."""
    return datetime.datetime.fromtimestamp(_EPOCH_SECONDS[0] + REAL.wall(), datetime.UTC)
