"""Tests connections to Redis: how many there are, which options they carry, and that forgotten caches close them."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import redis
from redis.sentinel import Sentinel
from waiting import wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.redis_tier.connection.connect import Limits, link_to

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(60.0, 60.0, 60.0)


def connections_of(client: redis.Redis, name: str) -> list[dict[str, str]]:
    return [one for one in client.client_list() if one["name"] == name]


@pytest.mark.parametrize("by", ["client", "url"])
def test_there_are_never_more_connections_than_the_client_allows(make_cache, own_redis, by):
    if by == "client":
        where = redis.Redis.from_url(own_redis.url, max_connections=3, client_name="bounded")
    else:
        where = f"{own_redis.url}?max_connections=3&client_name=bounded"
    cache = make_cache(where, memory_items=0)
    most = 0
    with redis.Redis.from_url(own_redis.url) as client, ThreadPoolExecutor(12) as threads:
        for round_number in range(5):
            results = list(threads.map(lambda number: cache.set(f"key {number}", number), range(50 * round_number)))
            assert all(results)
            most = max(most, len(connections_of(client, "bounded")))
    assert 1 < most <= 3
    assert cache.get_stats()["errors"] == 0


def test_a_caller_waits_for_a_free_connection(own_redis):
    link, _ = link_to(f"{own_redis.url}?max_connections=2", LIMITS)
    with redis.Redis.from_url(own_redis.url) as client, ThreadPoolExecutor(2) as threads:
        subscribed = link.subscribe(b"channel", 60.0)
        holder = threads.submit(link.call, b"", "BLPOP", "list", 0)
        wait_until(lambda: any(one["cmd"] == "blpop" for one in client.client_list()))
        waiter = threads.submit(link.call, b"", "PING")
        assert not waiter.done()
        client.rpush("list", "value")
        assert holder.result() == [b"list", b"value"]
        assert waiter.result() == b"PONG"
        subscribed.close()


def test_a_caller_waits_no_longer_than_its_deadline(own_redis):
    link, _ = link_to(f"{own_redis.url}?max_connections=2", Limits(60.0, 60.0, 0.1))
    subscribed = [link.subscribe(channel, 60.0) for channel in (b"one", b"another")]
    with pytest.raises(redis.TimeoutError, match=r"all 2 connections are in use \(max_connections\)"):
        link.call(b"", "PING")
    for one in subscribed:
        one.close()


def test_a_subscription_takes_the_place_of_an_idle_connection(own_redis):
    link, _ = link_to(f"{own_redis.url}?max_connections=2&client_name=bounded", LIMITS)
    with ThreadPoolExecutor(2) as threads, redis.Redis.from_url(own_redis.url) as client:
        list(threads.map(lambda _: link.call(b"", "PING"), range(100)))
        subscribed = link.subscribe(b"channel", 60.0)
        wait_until(lambda: len(connections_of(client, "bounded")) <= 2)
        assert link.call(b"", "PING") == b"PONG"
        subscribed.close()
        link.close()
        wait_until(lambda: not connections_of(client, "bounded"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: redis.Redis(max_connections=1), "max_connections is 1: give 2 or more"),
        (lambda: Sentinel([("localhost", 1)]).slave_for("main"), "reads from replicas"),
    ],
)
def test_a_client_whose_options_cannot_be_honoured_is_rejected(make, reason):
    with pytest.raises(ValueError, match=reason):
        SmartCache(make(), None)


def test_a_client_with_a_single_connection_is_rejected(own_redis):
    with (
        redis.Redis.from_url(own_redis.url, single_connection_client=True) as client,
        pytest.raises(ValueError, match="give one without single_connection_client"),
    ):
        SmartCache(client, None)


def test_a_forgotten_cache_gives_back_its_threads_and_connections(own_redis, tmp_path):
    listener = listener_of_used_cache(f"{own_redis.url}?client_name=forgotten", tmp_path)
    gc.collect()
    wait_until(lambda: not listener.is_alive())
    with redis.Redis.from_url(own_redis.url) as client:
        wait_until(lambda: not connections_of(client, "forgotten"))


def listener_of_used_cache(url: str, folder: Path) -> threading.Thread:
    cache = SmartCache(url, folder, namespace="forgotten")
    wait_until(lambda: cache.get_stats()["redis_listening"])
    cache.set("key", "value")
    assert cache._coherence is not None
    assert cache._coherence._subscription is not None
    return cache._coherence._subscription._thread
