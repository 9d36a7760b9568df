"""A soak test: minutes of everything the cache does, with faults; memory use must stay flat. See ``tox.ini``.

    python tests/cache/faults/soak.py --seconds 600

Two caches share a Redis, as two processes do. Besides single keys, their threads use functions with cached errors,
jitter, stale results, batches of ids, refreshes and bypasses. Values are compressed, and some computations outlast
their lease unless it is renewed.

It prints progress from time to time, and fails if a value is wrong, if a call raises, or if the process uses more in
the last third than in the second (memory: by more than a tenth and 16 MB; threads and open files: by more than a tenth
and 32).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.cache import SmartCache, cached, cached_many
from jarvisperf.cache.testing import RedisFaults
from pytest_jarvisperf.redis_fixtures.server import start_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYS = 3000
THREADS = 4
THIRDS = 3  # the first is for warming up
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SLACK_BYTES = 16 * 2**20
SLACK_COUNT = 32
LEASE_SECONDS = 0.2
LONG_COMPUTATION_SECONDS = 3 * LEASE_SECONDS
IDS_PER_BATCH = 10


def held_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Sample(NamedTuple):
    """The resources of the process at one moment."""

    held_bytes: int
    threads: int
    files: int


def described(number: int) -> list[str]:
    """Return what belongs to a number; every ninth is unknown, and some take longer than a lease."""
    if number % 9 == 0:
        raise LookupError(number)
    if random.random() < 0.001:
        time.sleep(LONG_COMPUTATION_SECONDS)
    return [f"n{number}", f"{number} " * 500]


def described_together(numbers: list[int]) -> dict[int, list[str]]:
    """Return what belongs to those numbers that are known."""
    return {number: described(number) for number in numbers if number % 9}


class Soak:
    """Threads that use one cache until they are stopped."""

    def __init__(self, cache: SmartCache) -> None:
        self.cache = cache
        self.one = cached(5, cache=cache, jitter=0.5, stale_ttl=5, cache_errors={LookupError: 2})(described)
        self.many = cached_many(5, cache=cache, jitter=0.5)(described_together)
        self.calls = 0
        self.wrong: list[str] = []
        self.stop = threading.Event()

    def work(self, seed: int) -> None:
        dice = random.Random(seed)
        try:
            while not self.stop.is_set():
                self.once(dice)
                self.calls += 1
        except Exception as error:
            self.wrong.append(repr(error))
            raise

    def once(self, dice: random.Random) -> None:
        key = f"k{int(KEYS * dice.random() ** 2)}"
        what = dice.random()
        if what < 0.4:
            self.check(key, self.cache.get(key))
        elif what < 0.6:
            self.call_functions(dice)
        elif what < 0.75:
            self.cache.set(key, [key, "x" * dice.randrange(2000)], ttl=dice.choice([0.5, 5, 60]), tags=[key[:2]])
        elif what < 0.9:
            self.check(key, self.cache.get_or_set(key, lambda: [key, "made"], ttl=5, stale_ttl=5))
        elif what < 0.95:
            for found, value in self.cache.get_many([f"k{dice.randrange(KEYS)}" for _ in range(20)]).items():
                self.check(found, value)
        elif what < 0.99:
            self.cache.delete(key)
        elif what < 0.999:
            self.cache.invalidate_tag(key[:2])
        else:
            self.cache.invalidate(key[:3] + "*")

    def call_functions(self, dice: random.Random) -> None:
        number = int(KEYS * dice.random() ** 2)
        what = dice.random()
        if what < 0.6:
            self.check_one(number, self.one)
        elif what < 0.8:
            numbers = [number + step for step in range(IDS_PER_BATCH)]
            found = self.many(numbers)
            if list(found) != [each for each in numbers if each % 9]:
                self.wrong.append(f"of {numbers}: {list(found)}")
            for each, value in found.items():
                self.check(f"n{each}", value)
        elif what < 0.85:
            self.check_one(number, self.one.refresh)
        elif what < 0.9:
            self.many.refresh([number])
        elif what < 0.95:
            with self.cache.bypassed():
                self.check_one(number, self.one)
        else:
            self.one.invalidate(number)
            self.many.invalidate([number])

    def check_one(self, number: int, function: Callable[[int], list[str]]) -> None:
        try:
            self.check(f"n{number}", function(number))
        except LookupError as error:
            if error.args != (number,) or number % 9:
                self.wrong.append(f"{number}: {error!r}")

    def check(self, key: str, value: object) -> None:
        if value is not None and (not isinstance(value, list) or value[0] != key):
            self.wrong.append(f"{key}: {value!r}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=float(os.environ.get("JARVISPERF_SOAK_SECONDS", "600")))
    seconds = arguments.parse_args().seconds
    with contextlib.ExitStack() as stack:
        faults = stack.enter_context(RedisFaults(stack.enter_context(start_redis()).url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        soaks = [Soak(stack.enter_context(cache_of(faults, place))) for place in (folder, None)]
        threads = [threading.Thread(target=soaks[seed % len(soaks)].work, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        samples = list(disturbed(soaks, faults, seconds))
        for soak in soaks:
            soak.stop.set()
        for thread in threads:
            thread.join()
        stats = [soak.cache.get_stats() for soak in soaks]
    say(
        f"{sum(soak.calls for soak in soaks)} calls, {sum(each['redis_errors'] for each in stats)} failures of Redis,"
        f" {sum(each['compressed'] for each in stats)} values compressed"
    )
    wrong = [each for soak in soaks for each in soak.wrong]
    if wrong:
        say(f"wrong: {wrong[:5]}")
    return 1 if wrong or has_grown(samples) else 0


def cache_of(faults: RedisFaults, folder: Path | None) -> SmartCache:
    return SmartCache(
        faults.url, folder, namespace="soak", memory_items=2000, disk_bytes=2**24, compress_from_bytes=1000,
        lease_seconds=LEASE_SECONDS,
    )  # fmt: skip


def disturbed(soaks: list[Soak], faults: RedisFaults, seconds: float) -> Iterator[Sample]:
    """Disturb Redis for this long, or until something is wrong; yield samples."""
    started, dice = time.monotonic(), random.Random(0)
    turn = max(seconds / 60, 1.0)
    count = 0
    while (passed := time.monotonic() - started) < seconds or count < THIRDS:
        dice.choice([faults.blackhole, faults.reset, faults.half_reply, faults.heal, faults.heal])()
        time.sleep(turn / 2)
        faults.heal()
        time.sleep(turn / 2)
        sample = Sample(held_bytes(), threading.active_count(), open_files())
        if count % 10 == 0:
            say(f"{passed:6.0f} s  {sum(soak.calls for soak in soaks):9d} calls  {sample.held_bytes / 2**20:6.1f} MB  "
                f"{sample.threads} threads  {sample.files} files")  # fmt: skip
        count += 1
        yield sample
        if any(soak.wrong for soak in soaks):
            return


def has_grown(samples: list[Sample]) -> bool:
    """Say what the process used in the second and the last third, and return whether it grew."""
    third = len(samples) // THIRDS
    middle, last = samples[third : 2 * third], samples[2 * third :]
    if not middle:
        return False  # something went wrong before there was anything to compare
    has_grown = False
    for name, unit, slack in (
        ("held_bytes", 2**20, SLACK_BYTES),
        ("threads", 1, SLACK_COUNT),
        ("files", 1, SLACK_COUNT),
    ):
        before, after = (max(getattr(sample, name) for sample in part) for part in (middle, last))
        grows = after > before * 1.1 + slack
        has_grown |= grows
        what = "MB" if name == "held_bytes" else name
        say(f"{what}: {before / unit:.0f}, then {after / unit:.0f}{', so it grew' if grows else ''}")
    return has_grown


if __name__ == "__main__":
    sys.exit(main())
