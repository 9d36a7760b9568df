"""The machine's clocks, bound before a project's code is loaded: what tests freeze or patch leaves these alone.

They are kept in a tuple because freezegun replaces clocks wherever a module has them as names of its own. Its peer
time-machine changes ``time.time`` itself, so the date is computed from the performance counter, which it leaves alone.
"""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Clocks(NamedTuple):
    """Clocks in seconds; only differences count.

    Attributes:
        wall: The time that passes.
        cpu: The time that this process spends on a processor.
    """

    wall: Callable[[], float]
    cpu: Callable[[], float]


REAL = Clocks(time.perf_counter, time.process_time)
_EPOCH_SECONDS = (time.time() - time.perf_counter(),)


def now() -> datetime.datetime:
    """Tell the date and time in UTC, whatever date tests pretend."""
    return datetime.datetime.fromtimestamp(_EPOCH_SECONDS[0] + REAL.wall(), datetime.UTC)
