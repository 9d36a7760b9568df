"""Tests what the doctor says about a Redis with a memory limit."""

from __future__ import annotations

import pytest
import redis

from jarvisperf.cache.doctor import examine


@pytest.mark.parametrize(
    ("most_bytes", "policy", "advice"),
    [
        (0, "noeviction", "set maxmemory and maxmemory-policy volatile-ttl"),
        (2**26, "noeviction", "give it enough memory, or set maxmemory-policy volatile-ttl"),
        (
            2**26,
            "allkeys-lfu",
            "it may evict the lists of tags too early: set maxmemory-policy volatile-ttl or noeviction",
        ),
        (2**26, "volatile-ttl", ""),
    ],
)
def test_redis_should_make_room_so_that_tags_are_not_forgotten(own_redis, most_bytes, policy, advice):
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", most_bytes)
    *_, finding = (each for each in examine(own_redis.url, None) if each.what.startswith("Redis"))
    assert (finding.works, finding.advice) == (True, advice)
