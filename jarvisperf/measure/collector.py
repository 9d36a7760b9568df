"""Garbage collection around measurements: collect before, pause during samples, collect between them."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

YOUNG_OBJECTS = 50_000  # new container objects that trigger a collection between samples
FULL_COLLECTION_SHARE = 0.01  # share of the running time


class Collections:
    """Collects before measurements: young objects every time, everything at intervals.

    A full collection visits every object of the process, including pytest's and the project's, which takes 10 to
    100 ms in a suite of a few thousand tests. Full collections take at most 1 % of the running time.

    Args:
        clock: Returns seconds.
        collect: Collects garbage of a generation and all younger ones, like `gc.collect`.
    """

    def __init__(self, clock: Callable[[], float] = REAL.wall, collect: Callable[[int], object] = gc.collect) -> None:
        self._clock = clock
        self._collect = collect
        self._next_full = 0.0

    def collect(self) -> None:
        """Collect young objects, or everything when a full collection is due."""
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
    """Collect, then disable the collector until the block ends.

    A collection in one sample but not in the next is noise. `collect_between_samples` keeps memory bounded.
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
    """Collect young objects if many have accumulated; call it between samples, never within one."""
    if gc.get_count()[0] > YOUNG_OBJECTS:
        gc.collect(1)
