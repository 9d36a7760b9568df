"""The garbage collector's state while something is measured."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

YOUNG_OBJECTS = 50_000  # between samples, collect once more container objects than this were made and kept


@contextmanager
def collector_paused() -> Iterator[None]:
    """Collect, then keep the collector off until the block ends.

    A collection inside one sample and not in the next is noise. `collect_between_samples` keeps memory bounded.
    """
    was_enabled = gc.isenabled()
    gc.collect()
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
