"""numpy on a large array: its chunks in turn, on and on through the calls, so that all of it is always in use."""

import itertools

import numpy as np

REPEATS = 100
ARRAY = np.linspace(1.0, 2.0, 1 << 20)
CHUNKS = itertools.cycle(np.split(ARRAY, 128))


def work() -> float:
    """Repeat the unit of work."""
    total = 0.0
    for _ in range(REPEATS):
        chunk = next(CHUNKS)
        total = float((chunk * 1.5 + chunk).sum())
    return total
