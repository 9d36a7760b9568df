"""A process with a cache that executes commands from its standard input; see ``stateful_world``."""

from __future__ import annotations

import pickle
import resource
import sys
from functools import partial
from pathlib import Path
from typing import Any

from jarvisperf.cache import SmartCache

now = 0.0


class FactoryError(Exception):
    """The exception that factories raise here."""


class Handler:
    """Executes commands; those that it does not define are methods of the cache."""

    def __init__(self) -> None:
        self.cache: SmartCache | None = None
        self.alone: dict[str, SmartCache] = {}

    def begin(self, url: str, folder: str, namespace: str, memory_seconds: float) -> None:
        """Replace the cache with a new one."""
        for cache in (self.cache, *self.alone.values()):
            if cache is not None:
                cache.close()  # in this thread: SQLite connections belong to a thread and keep removed files open
        make = partial(SmartCache, namespace=namespace, clock=lambda: now, wall_clock=lambda: 1.7e9 + now)
        self.cache = make(url, Path(folder), memory_seconds=memory_seconds)
        self.alone = {}
        self.make_alone = {
            "redis": lambda: make(url, None, memory_items=0),
            "disk": lambda: make(None, Path(folder), memory_items=0),
        }

    def get_from(self, tier: str, keys: list[str]) -> dict[str, object]:
        """Return a tier's value, whatever the other tiers hold."""
        if tier not in self.alone:
            self.alone[tier] = self.make_alone[tier]()
        return self.alone[tier].get_many(keys)

    def limit_files(self, longest_bytes: int | None) -> None:
        """Limit the length of files; None: no limit."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard if longest_bytes is None else longest_bytes, hard))

    def get_or_set(self, key: str, value: object, *args: object, stale_ttl: float = 0.0) -> object:
        """Call ``get_or_set`` with a factory that returns the value."""
        return self.cache.get_or_set(key, lambda: value, *args, stale_ttl=stale_ttl)

    def get_or_fail(self, key: str, stale_ttl: float) -> object:
        """Call ``get_or_set`` with a factory that fails; return None if it raised."""

        def fail() -> object:
            raise FactoryError

        try:
            return self.cache.get_or_set(key, fail, stale_ttl=stale_ttl)
        except FactoryError:
            return None


def main() -> None:
    global now
    handler = Handler()
    while True:
        now, method, args, options = pickle.load(sys.stdin.buffer)
        answer: Any
        try:
            doer = handler if hasattr(handler, method) else handler.cache
            answer = getattr(doer, method)(*args, **options)
        except Exception as error:  # noqa: BLE001 - it is what the test looks for
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


main()
