"""Builds a cache's tiers from the arguments of its constructor."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jarvisperf.cache.engine.core import Core
from jarvisperf.cache.keys.names import Names
from jarvisperf.cache.memory.compiled import flat_check
from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.values.codec import Codec
from jarvisperf.cache.values.envelopes.envelope import mac_key
from jarvisperf.cache.values.envelopes.versions import Versions
from jarvisperf.checks import number, seconds, whole_number

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Iterable

    import redis

    from jarvisperf.cache.custom_tier import Tier
    from jarvisperf.cache.engine.coherence import Coherence

# The first failing call may take the sum of both, which must stay below half a second.
REDIS_CONNECT_SECONDS: Final = 0.15
REDIS_REPLY_SECONDS: Final = 0.2
LEASE_SECONDS: Final = 30.0
MAX_VALUE_BYTES: Final = 2**26
_LONGEST_WAIT_FOR_REDIS_SECONDS: Final = 0.4
_LONGEST_LEASE_SECONDS: Final = 86_400.0


class CachePlan(NamedTuple):
    """The settings of a cache; see ``SmartCache`` for the meaning and the allowed values."""

    redis: str | redis.Redis | redis.RedisCluster | None
    folder: Path | str | None
    tiers: Iterable[Tier]
    namespace: str
    memory_items: int
    memory_bytes: int
    memory_seconds: float
    disk_bytes: int
    redis_connect_seconds: float
    redis_reply_seconds: float
    redis_call_seconds: float | None
    max_value_bytes: int
    compress_from_bytes: int | None
    lease_seconds: float
    enums: Iterable[type[enum.Enum]]
    pickle_secret: bytes | None
    clock: Callable[[], float]
    wall_clock: Callable[[], float]


def assemble(plan: CachePlan) -> tuple[Core, Coherence | None]:
    """Build a cache's engine, and its listener for changes by other processes (None without Redis).

    Raises:
        TypeError: A setting has the wrong type.
        ValueError: A setting has an invalid value.
    """
    names = Names(plan.namespace)
    whole_number("memory_items", plan.memory_items, at_least=0)
    whole_number("memory_bytes", plan.memory_bytes, at_least=0)
    whole_number("disk_bytes", plan.disk_bytes, at_least=1)
    whole_number("max_value_bytes", plan.max_value_bytes, at_least=1)
    if plan.compress_from_bytes is not None:
        whole_number("compress_from_bytes", plan.compress_from_bytes, at_least=1)
    lease_seconds = number("lease_seconds", plan.lease_seconds, at_least=0.001, at_most=_LONGEST_LEASE_SECONDS)
    memory_seconds = seconds("memory_seconds", plan.memory_seconds, zero=False)
    connect = seconds("redis_connect_seconds", plan.redis_connect_seconds, zero=False)
    reply = seconds("redis_reply_seconds", plan.redis_reply_seconds, zero=False)
    longest = connect + reply if plan.redis_call_seconds is None else plan.redis_call_seconds
    call = seconds("redis_call_seconds", longest, zero=False)
    folder = _checked_folder(plan.folder)
    secret = None if plan.pickle_secret is None else mac_key(plan.pickle_secret)
    codec = Codec(
        plan.enums,
        may_pickle=secret is not None,
        compress_from_bytes=plan.compress_from_bytes,
        is_flat=flat_check(),
    )
    versions = Versions(plan.wall_clock)
    jitter = random.Random()  # noqa: S311 - spreads probes over time; not used for security
    memory = MemoryTier(plan.memory_items, plan.clock, plan.memory_bytes)
    store = remote = disk = None
    wait_seconds = max(_LONGEST_WAIT_FOR_REDIS_SECONDS, connect + reply)
    own_tiers: tuple[Tier, ...] = ()
    if plan.tiers:
        from jarvisperf.cache.custom_tier import TierStore, checked_tiers
        from jarvisperf.cache.outage.below_redis import TierBelowRedis

        own_tiers = checked_tiers(plan.tiers)
    if plan.redis is not None:
        if isinstance(plan.redis, str):
            from jarvisperf.cache.redis_tier.connection.url import check_redis_url

            check_redis_url(plan.redis)
        from jarvisperf.cache.redis_tier.connection.connect import Limits  # the client takes a while to import
        from jarvisperf.cache.redis_tier.store import RedisStore
        from jarvisperf.cache.redis_tier.tier import RemoteTier

        store = RedisStore(plan.redis, names, Limits(connect, reply, call), versions, plan.max_value_bytes)
        # Connects in the background: resolving an unknown host name may take many seconds.
        remote = RemoteTier(store, jitter, versions, wait_seconds=wait_seconds)
    if folder is not None:
        from jarvisperf.cache.disk_tier.store import DiskStore
        from jarvisperf.cache.disk_tier.tier import DiskTier

        disk = DiskTier(DiskStore(folder, names, plan.disk_bytes), jitter, versions, remote)
    own = [TierBelowRedis(TierStore(tier, plan.namespace), jitter, versions, remote) for tier in own_tiers]
    core = Core(
        names, codec, secret, memory, remote, disk, own,
        versions=versions, memory_seconds=memory_seconds, wall_clock=plan.wall_clock,
    )  # fmt: skip
    if remote is None or store is None:
        return core, None
    from jarvisperf.cache.engine.coherence import Coherence
    from jarvisperf.cache.engine.flights.heartbeat import Heartbeat

    core.heartbeat = Heartbeat(remote.renew, lease_seconds)
    coherence = Coherence(core, remote, store, jitter)
    coherence.start()
    if remote.available:
        coherence.wait(wait_seconds)
    return core, coherence


def _checked_folder(folder: Path | str | None) -> Path | None:
    if folder is None:
        return None
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"local_cache_dir is {folder!r}: give a folder, or None for no disk tier")
    if not str(folder):
        raise ValueError("local_cache_dir is '': give a folder ('.' for the working folder), or None for no disk tier")
    return Path(folder)
