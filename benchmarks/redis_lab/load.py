"""A load at a fixed rate that knows, for every key, which values may still be read."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from redis.crc import key_slot

if TYPE_CHECKING:
    from jarvisperf.cache import SmartCache

THREADS = 4
TURN_SECONDS = 0.01
GROUPS = 200
KEYS_PER_GROUP = 20
NAMESPACE = "lab"
SETS = 0.20  # share of all calls
INVALIDATIONS = {"all": (0.01, 0.005, 0.005), "keys": (0.02, 0.0, 0.0)}
"""Shares of invalidations by key, tag and pattern; all other calls are gets."""


class Written(NamedTuple):
    """The last change of one key.

    Attributes:
        version: The last version written.
        lowest: The lowest version that may be read from now on; greater than ``version`` after an invalidation.
        at: When the write returned, in monotonic seconds.
    """

    version: int = 0
    lowest: int = 0
    at: float = 0.0

    @property
    def is_set(self) -> bool:
        """Whether the last change stored a value."""
        return 0 < self.version == self.lowest


class Load:
    """Threads that use a cache until they are stopped. Each group of keys belongs to one thread.

    Only its owner changes a key, one call after the other, so the owner knows what a read may return.

    Args:
        cache: The cache.
        calls_per_second: The rate of all threads together.
        invalidations: Which kinds of invalidations there are; see ``INVALIDATIONS``.
    """

    def __init__(self, cache: SmartCache, calls_per_second: int, invalidations: str) -> None:
        self._by_key, self._by_tag, self._by_pattern = INVALIDATIONS[invalidations]
        self.keys: dict[str, Written] = {name(group, each): Written() for group, each in _all()}
        self.resurrected: list[str] = []
        self.wrong: list[str] = []
        self.calls = [0] * THREADS
        self.longest_seconds = [0.0] * THREADS
        self._cache = cache
        self._per_turn = max(1, int(calls_per_second * TURN_SECONDS / THREADS))
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(THREADS)]

    def fill(self) -> None:
        """Store a first value of every key."""
        for key in self.keys:
            self._set(key)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def check(self, key: str, found: object) -> bool:
        """Note what is wrong with a value that was read; return whether it is the latest."""
        known = self.keys[key]
        if found is None:
            return False
        text, _, number = str(found).partition("=")
        if text != key or not 0 < int(number) <= known.version:
            self.wrong.append(f"{key}: read {found!r}, version {known.version} was the last")
            return False
        if int(number) < known.lowest:
            self.resurrected.append(f"{key}: read version {number}, but {known.lowest} is the lowest that may be read")
        return int(number) == known.version

    def _work(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - not used for security
        due = time.monotonic()
        while not self._stop.is_set():
            for _ in range(self._per_turn):
                started = time.monotonic()
                self._call(dice, number)
                self.longest_seconds[number] = max(self.longest_seconds[number], time.monotonic() - started)
                self.calls[number] += 1
            due = max(due + TURN_SECONDS, time.monotonic() - 1.0)
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _call(self, dice: random.Random, number: int) -> None:
        group = dice.randrange(GROUPS // THREADS) * THREADS + number
        key = name(group, dice.randrange(KEYS_PER_GROUP))
        what = dice.random() - SETS
        if what < 0:
            self._set(key)
        elif (what := what - self._by_key) < 0:
            self._cache.delete(key)
            self._note_invalidated([key])
        elif (what := what - self._by_tag) < 0:
            self._cache.invalidate_tag(f"group {group}")
            self._note_invalidated(_keys_of(group))
        elif (what := what - self._by_pattern) < 0:
            self._cache.invalidate(f"{{{group}}}:*")
            self._note_invalidated(_keys_of(group))
        else:
            self.check(key, self._cache.get(key))

    def _set(self, key: str) -> None:
        version = self.keys[key].version + 1
        self._cache.set(key, f"{key}={version}", tags=[f"group {key[1 : key.index('}')]}"])
        self.keys[key] = Written(version, version, time.monotonic())

    def _note_invalidated(self, keys: list[str]) -> None:
        for key in keys:
            version = self.keys[key].version
            self.keys[key] = Written(version, version + 1, time.monotonic())


def name(group: int, number: int) -> str:
    """Return a key of a group; its braces keep a group in one slot of a cluster."""
    return f"{{{group}}}:{number}"


def slot_of(group: int) -> int:
    """Return the slot of a group."""
    return key_slot(f"{NAMESPACE}:{name(group, 0)}".encode())


def _keys_of(group: int) -> list[str]:
    return [name(group, number) for number in range(KEYS_PER_GROUP)]


def _all() -> list[tuple[int, int]]:
    return [(group, number) for group in range(GROUPS) for number in range(KEYS_PER_GROUP)]
