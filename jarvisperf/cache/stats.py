"""What a cache tells about itself."""

from __future__ import annotations

from typing import TypedDict


class CacheStats(TypedDict):
    """Counts since the cache was made; a tier that is not configured has zeros, except ``redis_misses``.

    A read asks memory, then Redis, then the disk, and stops where it finds the value: every read is one hit of one
    tier, or a miss.
    """

    hits: int
    """Reads that found a value in any tier."""
    misses: int
    """Reads that found none."""
    hit_rate: float
    """Hits among all reads, from 0 to 1; 0 where nothing was read."""
    memory_hits: int
    memory_misses: int
    memory_items: int
    """Entries in memory now, expired ones that nobody asked for included."""
    memory_evictions: int
    """Entries that made room for others."""
    redis_available: bool
    """Redis is configured and in use."""
    redis_hits: int
    redis_misses: int
    """Reads that asked for Redis and got nothing; while it is down or not configured, all that reached past memory."""
    redis_errors: int
    """Failures of Redis, probes of an outage included."""
    redis_unsettled: int
    """Keys to be deleted from Redis before it is used again."""
    local_cache_available: bool
    """The disk tier is configured and in use."""
    disk_hits: int
    disk_misses: int
    disk_errors: int
    disk_unsettled: int
    sets: int
    """Values written."""
    errors: int
    """Failures of all tiers; none of them reached a caller."""
    corrupt: int
    """Entries that were not what somebody wrote; each was a miss and was removed."""
