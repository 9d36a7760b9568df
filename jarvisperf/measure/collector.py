"""The garbage collector's state while something is measured."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

YOUNG_OBJECTS = 50_000  # between samples, collect once more container objects than this were made and kept
FULL_COLLECTION_SHARE = 0.01  # of the time


class Collections:
    """Collects before something is measured: everything at intervals of time, young objects every time.

    A full collection looks at every object of the process, at those of pytest and of the project too: 10 to 100 ms in
    a suite of some thousand tests. In all it takes no more than 1 % of the time.

    Args:
        clock: Seconds as a float.
        collect: Collects a generation and all younger ones, as `gc.collect` does.
    """

    def __init__(self, clock: Callable[[], float] = REAL.wall, collect: Callable[[int], object] = gc.collect) -> None:
        self._clock = clock
        self._collect = collect
        self._next_full = 0.0

    def collect(self) -> None:
        """Collect what is due."""
        begin = self._clock()
        if begin < self._next_full:
            self._collect(1)
            return
        self._collect(2)
        end = self._clock()
        self._next_full = end + (end - begin) / FULL_COLLECTION_SHARE


_collections = Collections()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Collect, then keep the collector off until the block ends.

    A collection inside one sample and not in the next is noise. `collect_between_samples` keeps memory bounded.
    """
    was_enabled = gc.isenabled()
    _collections.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def collect_between_samples() -> None:
    """Collect young objects where many have gathered; call it between samples, never inside one."""
    if gc.get_count()[0] > YOUNG_OBJECTS:
        gc.collect(1)
