"""A process with a cache of its own that does what it is told over its standard input; see ``test_cache_stateful``."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from jarvisperf.cache import SmartCache

now = 0.0


def main() -> None:
    global now
    url, folder, namespace, memory_seconds = sys.argv[1:]
    cache = SmartCache(
        url, Path(folder), namespace=namespace, memory_seconds=float(memory_seconds),
        clock=lambda: now, wall_clock=lambda: 1.7e9 + now,
    )  # fmt: skip
    while True:
        now, method, args = pickle.load(sys.stdin.buffer)
        if method == "stop":
            return
        try:
            answer = getattr(cache, method)(*args)
        except Exception as error:  # noqa: BLE001 - it is what the test looks for
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


main()
