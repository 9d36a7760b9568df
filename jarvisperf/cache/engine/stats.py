"""The statistics of a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from jarvisperf.cache.engine.count import Count
from jarvisperf.cache.outage.latency import Percentiles

if TYPE_CHECKING:
    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.outage.guarded import GuardedTier


class TierStats(TypedDict):
    """Counts of one tier; zeros if it is not configured."""

    hits: int
    misses: int
    sets: int
    evictions: int
    """Entries evicted to make room; always 0 for Redis, which does not report them."""
    errors: int
    """Failures, including probes during an outage; none reached a caller."""
    rejected: int
    """Values that the tier did not take although it works, such as too large ones; the other tiers keep them."""
    corrupt: int
    """Damaged or foreign entries; each was a miss and was removed."""
    items: int
    bytes: int
    """Approximate size of the entries; 0 for Redis, where finding out would require a search."""
    latency_p50_seconds: float
    latency_p95_seconds: float
    latency_p99_seconds: float


class CacheStats(TypedDict):
    """Counts since the cache was created or since ``reset_stats``.

    A read tries memory, then Redis, then the disk, and stops where it finds the value, so every read is either a hit in
    one tier or a miss. The counts of a tier that is not configured are 0, except ``redis_misses``. Hits and misses are
    such that ``hits / (hits + misses)`` is 0.0 if there were neither.
    """

    hits: int
    """Reads that found a value in any tier."""
    misses: int
    """Reads that found no value."""
    hit_rate: float
    """Share of hits among all reads, from 0 to 1; 0 before the first read."""
    memory_hits: int
    memory_misses: int
    memory_items: int
    """Entries in memory now, including expired ones that have not been removed yet."""
    memory_evictions: int
    """Entries evicted to make room."""
    redis_available: bool
    """Redis is configured and in use."""
    redis_breaker: Literal["closed", "open", "none"]
    """Open: Redis is not used until a probe succeeds; none: there is no Redis tier."""
    redis_listening: bool
    """Changes by other processes are received at once."""
    redis_hits: int
    redis_misses: int
    """Reads that Redis could not answer; while it is unavailable or not configured, every miss in memory counts."""
    redis_errors: int
    """Failures of Redis, including probes during an outage."""
    redis_unsettled: int
    """Changes to replay to Redis before it is used again. Entries of older generations that remain count as one."""
    local_cache_available: bool
    """The disk tier is configured and in use."""
    disk_breaker: Literal["closed", "open", "none"]
    disk_hits: int
    disk_misses: int
    disk_errors: int
    disk_unsettled: int
    sets: int
    """Values written."""
    unstorable: int
    """Computed values that could not be stored; their callers got them all the same."""
    compressed: int
    """Values that were compressed for Redis and the disk."""
    compression_ratio: float
    """Their size before, divided by their size after; 0 if there were none."""
    rejected: int
    """Values that a tier did not take although it works; the other tiers keep them."""
    errors: int
    """Failures of all tiers; none reached a caller."""
    corrupt: int
    """Damaged or foreign entries; each was a miss and was removed."""
    tiers: dict[str, TierStats]
    """Detailed counts by tier: ``memory``, ``redis``, ``disk``, and your own tiers by name."""


class Counts(TypedDict):
    """Current values of the counts that ``reset_stats`` resets."""

    memory_hits: int
    memory_misses: int
    memory_evictions: int
    misses: int
    sets: int
    unstorable: int
    compressed: int
    before_bytes: int
    after_bytes: int


def counts_of(core: Core) -> Counts:
    """Return the current counts, which only grow."""
    compressed = core.compressed
    return {
        "memory_hits": core.memory.hits(),
        "memory_misses": core.counts.memory_misses,
        "memory_evictions": core.memory.evictions,
        "misses": core.counts.misses,
        "sets": core.counts.sets,
        "unstorable": core.unstorable.count,
        "compressed": compressed.values,
        "before_bytes": compressed.before_bytes,
        "after_bytes": compressed.after_bytes,
    }


def stats_of(core: Core, base: Counts) -> CacheStats:
    """Return the statistics since the base was taken."""
    redis, disk = core.remote, core.disk
    counts = counts_of(core)
    memory_hits = counts["memory_hits"] - base["memory_hits"]
    memory_misses = counts["memory_misses"] - base["memory_misses"]
    misses = counts["misses"] - base["misses"]
    evictions = counts["memory_evictions"] - base["memory_evictions"]
    hits = memory_hits + sum(tier.hits for tier in core.lower)
    reads = hits + misses
    sets = counts["sets"] - base["sets"]
    memory = _tier_stats(
        core.memory.size(),
        core.memory.latency.percentiles(),
        hits=memory_hits,
        misses=memory_misses,
        sets=sets,
        evictions=evictions,
    )
    return {
        "hits": Count(hits),
        "misses": Count(misses),
        "hit_rate": hits / reads if reads else 0.0,
        "memory_hits": Count(memory_hits),
        "memory_misses": Count(memory_misses),
        "memory_items": memory["items"],
        "memory_evictions": evictions,
        "redis_available": redis is not None and redis.available,
        "redis_breaker": _breaker(redis),
        "redis_listening": core.hears_changes,
        "redis_hits": Count(redis.hits if redis else 0),
        # Keeps hits / (hits + misses) the share of reads past memory that Redis answered; without Redis, that is 0.
        "redis_misses": Count(redis.misses if redis else memory_misses),
        "redis_errors": redis.errors if redis else 0,
        "redis_unsettled": redis.unsettled if redis else 0,
        "local_cache_available": disk is not None and disk.available,
        "disk_breaker": _breaker(disk),
        "disk_hits": Count(disk.hits if disk else 0),
        "disk_misses": Count(disk.misses if disk else 0),
        "disk_errors": disk.errors if disk else 0,
        "disk_unsettled": disk.unsettled if disk else 0,
        "sets": sets,
        "unstorable": counts["unstorable"] - base["unstorable"],
        "compressed": counts["compressed"] - base["compressed"],
        "compression_ratio": _ratio(counts, base),
        "rejected": sum(tier.rejected for tier in core.lower),
        "errors": sum(tier.errors for tier in core.lower),
        "corrupt": sum(tier.corrupt for tier in core.lower),
        "tiers": {
            "memory": memory,
            "redis": _of_tier(redis),
            "disk": _of_tier(disk),
            **{tier.name: _of_tier(tier) for tier in core.lower if tier is not redis and tier is not disk},
        },
    }


def _ratio(counts: Counts, base: Counts) -> float:
    after_bytes = counts["after_bytes"] - base["after_bytes"]
    return (counts["before_bytes"] - base["before_bytes"]) / after_bytes if after_bytes else 0.0


def _breaker(tier: GuardedTier | None) -> Literal["closed", "open", "none"]:
    if tier is None:
        return "none"
    return "closed" if tier.available else "open"


def _of_tier(tier: GuardedTier | None) -> TierStats:
    if tier is None:
        return _tier_stats((0, 0), Percentiles(0.0, 0.0, 0.0))
    return _tier_stats(
        tier.size(),
        tier.latency.percentiles(),
        hits=tier.hits,
        misses=tier.misses,
        sets=tier.sets,
        evictions=tier.evictions,
        errors=tier.errors,
        rejected=tier.rejected,
        corrupt=tier.corrupt,
    )


def _tier_stats(
    size: tuple[int, int],
    latency: Percentiles,
    *,
    hits: int = 0,
    misses: int = 0,
    sets: int = 0,
    evictions: int = 0,
    errors: int = 0,
    rejected: int = 0,
    corrupt: int = 0,
) -> TierStats:
    items, size_bytes = size
    return {
        "hits": Count(hits),
        "misses": Count(misses),
        "sets": sets,
        "evictions": evictions,
        "errors": errors,
        "rejected": rejected,
        "corrupt": corrupt,
        "items": items,
        "bytes": size_bytes,
        "latency_p50_seconds": latency.p50_seconds,
        "latency_p95_seconds": latency.p95_seconds,
        "latency_p99_seconds": latency.p99_seconds,
    }
