"""Threads: start one and wait for it."""

import threading

REPEATS = 100


def work() -> int:
    """Repeat the unit of work."""
    done: list[int] = []
    for number in range(REPEATS):
        thread = threading.Thread(target=done.append, args=(number,))
        thread.start()
        thread.join()
    return len(done)
