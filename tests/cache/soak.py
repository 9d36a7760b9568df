"""A soak test: minutes of everything the cache does, with faults; memory use must stay flat. See ``tox.ini``.

    python tests/cache/soak.py --seconds 600

It prints progress from time to time, and fails if a value is wrong, if a call raises, or if the process uses more in
the last third than in the second (memory: by more than a tenth and 16 MB; threads and open files: by more than a tenth
and 32).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import RedisFaults
from pytest_jarvisperf.redis_fixtures.server import start_redis

KEYS = 3000
THREADS = 4
THIRDS = 3  # the first is for warming up
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SLACK_BYTES = 16 * 2**20
SLACK_COUNT = 32


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


class Soak:
    """Threads that use one cache until they are stopped."""

    def __init__(self, cache: SmartCache) -> None:
        self.cache = cache
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
        if what < 0.6:
            self.check(key, self.cache.get(key))
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

    def check(self, key: str, value: object) -> None:
        if value is not None and (not isinstance(value, list) or value[0] != key):
            self.wrong.append(f"{key}: {value!r}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=float(os.environ.get("JARVISPERF_SOAK_SECONDS", "600")))
    seconds = arguments.parse_args().seconds
    samples: list[Sample] = []
    with start_redis() as server, RedisFaults(server.url) as faults, tempfile.TemporaryDirectory() as folder:  # noqa: SIM117 - the cache needs what these give
        with SmartCache(faults.url, Path(folder), namespace="soak", memory_items=2000, disk_bytes=2**24) as cache:
            soak = Soak(cache)
            threads = [threading.Thread(target=soak.work, args=(seed,)) for seed in range(THREADS)]
            for thread in threads:
                thread.start()
            started, dice = time.monotonic(), random.Random(0)
            turn = max(seconds / 60, 1.0)
            while ((passed := time.monotonic() - started) < seconds or len(samples) < THIRDS) and not soak.wrong:
                dice.choice([faults.blackhole, faults.reset, faults.half_reply, faults.heal, faults.heal])()
                time.sleep(turn / 2)
                faults.heal()
                time.sleep(turn / 2)
                samples.append(Sample(held_bytes(), threading.active_count(), open_files()))
                if len(samples) % 10 == 1:
                    say(f"{passed:6.0f} s  {soak.calls:9d} calls  {samples[-1].held_bytes / 2**20:6.1f} MB  "
                        f"{samples[-1].threads} threads  {samples[-1].files} files")  # fmt: skip
            soak.stop.set()
            for thread in threads:
                thread.join()
            errors = cache.get_stats()["redis_errors"]
    say(f"{soak.calls} calls, {errors} failures of Redis")
    if soak.wrong:
        say(f"wrong: {soak.wrong[:5]}")
        return 1
    third = len(samples) // THIRDS
    middle, last = samples[third : 2 * third], samples[2 * third :]
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
    return 1 if has_grown else 0


if __name__ == "__main__":
    sys.exit(main())
