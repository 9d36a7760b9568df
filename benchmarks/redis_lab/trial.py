"""One trial: a deployment loses a master under load; what the cache did is counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.redis_lab.load import NAMESPACE, Load
from benchmarks.redis_lab.servers import wait_until
from jarvisperf.cache import SmartCache

if TYPE_CHECKING:
    from benchmarks.redis_lab.deployments import Deployment

MEMORY_ITEMS = 500  # an eighth of the keys, so that most reads go to Redis
QUIET_SECONDS, AFTERWARDS_SECONDS = 2.0, 2.0


class Outcome(NamedTuple):
    """What was counted; seconds are after the master was killed.

    Attributes:
        elected: When a replica had become the master.
        used: When the cache used Redis again.
        calls_per_second: Calls during the outage.
        longest_seconds: The longest call during and after the outage.
        wrong: Values of another key, or values that were never written.
        resurrected: Values read after a newer one had been set, or after they had been invalidated.
        lost: Writes that Redis had acknowledged before the outage, or after it, and that are absent in the end.
        dropped: Writes of the outage, held by memory, that are absent from Redis in the end.
        kept: Writes that Redis has in the end.
        rejected: Writes that the cache counted as rejected by Redis.
        moves: How many slots moved to another server.
    """

    elected: float
    used: float
    calls_per_second: float
    longest_seconds: float
    wrong: int
    resurrected: int
    lost: int
    dropped: int
    kept: int
    rejected: int
    moves: int

    @property
    def after_election(self) -> float:
        """How long the cache went on without Redis although there was a master."""
        return max(0.0, self.used - self.elected)


def disturb(deployment: Deployment, calls_per_second: int, invalidations: str) -> tuple[Outcome, list[str]]:
    """Kill a master under load; return the counts, and a line for each value that should not have been read."""
    with SmartCache(deployment.url, None, namespace=NAMESPACE, memory_items=MEMORY_ITEMS) as cache:
        wait_until("the cache uses Redis", lambda: cache.get_stats()["redis_available"])
        load = Load(cache, calls_per_second, invalidations)
        load.fill()
        with load, deployment.disturbance() as moves:
            time.sleep(QUIET_SECONDS)
            deployment.master.process.kill()
            killed, calls = time.monotonic(), sum(load.calls)
            load.longest_seconds = [0.0] * len(load.longest_seconds)
            wait_until("the cache notices", lambda: not cache.get_stats()["redis_available"])
            wait_until("a replica takes over", deployment.has_new_master)
            elected = time.monotonic()
            wait_until("the cache uses Redis again", lambda: cache.get_stats()["redis_available"])
            used = time.monotonic()
            rate = (sum(load.calls) - calls) / (used - killed)
            time.sleep(AFTERWARDS_SECONDS)
        wait_until("all changes are replayed", lambda: cache.get_stats()["redis_available"])
        stats = cache.get_stats()
        lost, dropped, kept = _compare(deployment.url, load, killed, used)
    outcome = Outcome(
        elected - killed,
        used - killed,
        rate,
        max(load.longest_seconds),
        len(load.wrong),
        len(load.resurrected),
        lost,
        dropped,
        kept,
        stats["rejected"],
        moves[0],
    )
    return outcome, [*load.wrong, *load.resurrected]


def _compare(url: str, load: Load, killed: float, used: float) -> tuple[int, int, int]:
    """Read every key from Redis alone; return how many sets are absent, how many of the outage's, and how many not."""
    lost = dropped = kept = 0
    with SmartCache(url, None, namespace=NAMESPACE, memory_items=0) as reader:
        wait_until("the reader uses Redis", lambda: reader.get_stats()["redis_available"])
        for key, known in load.keys.items():
            is_latest = load.check(key, reader.get(key))
            if known.is_set:
                kept += is_latest
                is_from_outage = killed <= known.at <= used
                dropped += not is_latest and is_from_outage
                lost += not is_latest and not is_from_outage
        if not reader.get_stats()["redis_available"]:
            raise RuntimeError("Redis failed while the outcome was read: repeat the trial")
    return lost, dropped, kept
