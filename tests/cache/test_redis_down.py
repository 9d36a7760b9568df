"""Tests an absent Redis: it is a miss rather than an error, and costs a bounded time."""

from __future__ import annotations

import statistics
import threading
import time

import pytest
from waiting import wait_until

from jarvisperf.cache import SmartCache

FALLBACK_SECONDS = 0.5
SLACK = 20  # a machine under load; what waits for every call takes longer still


@pytest.fixture(params=["silent_url", "refusing_url"])
def dead_url(request) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[None, "disk"], ids=["memory", "disk"])
def cache(request, dead_url, tmp_path):
    """A cache as users create it, with the short default timeouts."""
    with SmartCache(dead_url, tmp_path / "disk" if request.param else None) as cache:
        yield cache


def test_a_dead_redis_is_a_miss_not_an_error(cache):
    assert cache.get("k") is None
    assert cache.set("k", [1])
    assert cache.get("k") == [1]
    assert cache.delete("k")
    assert cache.invalidate("*") == 0
    cache.clear()
    stats = cache.get_stats()
    assert stats["redis_available"] is False
    assert stats["redis_errors"] >= 1
    assert (stats["redis_hits"], stats["redis_misses"]) == (0, 1)


def test_finding_out_takes_half_a_second_at_most(dead_url):
    started = time.monotonic()
    with SmartCache(dead_url, None) as cache:
        cache.set("k", 1)
        assert cache.get("k") == 1
    assert time.monotonic() - started < FALLBACK_SECONDS * SLACK


def test_while_it_is_down_a_call_takes_less_than_a_millisecond(dead_url):
    with SmartCache(dead_url, None, memory_items=0) as cache:
        seconds = []
        for number in range(300):
            started = time.perf_counter()
            cache.get("k")
            cache.set(f"k{number}", number)
            seconds.append((time.perf_counter() - started) / 2)
    assert statistics.median(seconds) < 0.001


def test_many_threads_find_out_together(silent_url):
    with SmartCache(silent_url, None) as cache:
        started = time.monotonic()
        threads = [threading.Thread(target=cache.get, args=(f"k{number}",)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - started < FALLBACK_SECONDS * SLACK
        assert cache.get_stats()["misses"] == 64


def test_a_host_without_an_address_is_an_outage():
    with SmartCache("redis://no-such-host.invalid:6379", None) as cache:
        assert cache.set("k", 1)
        assert cache.get("k") == 1
        assert not cache.get_stats()["redis_available"]


def test_a_socket_that_does_not_exist_is_an_outage(tmp_path):
    with SmartCache(f"unix://{tmp_path}/none.sock", None) as cache:
        assert cache.set("k", 1)
        assert not cache.get_stats()["redis_available"]


def test_an_outage_is_logged_once_and_without_the_password(silent_url, caplog):
    with SmartCache(silent_url.replace("//", "//user:secret@"), None) as cache:
        for number in range(20):
            cache.set(f"k{number}", 1)
            cache.get("other")
    assert len(caplog.messages) == 1
    assert "user:***@127.0.0.1" in caplog.messages[0]
    assert "secret" not in caplog.text


def test_where_no_thread_can_be_started_a_failure_of_redis_is_still_a_fallback(
    real_redis, namespace, monkeypatch, refuse_threads
):
    refused = refuse_threads("jarvisperf-")
    with SmartCache(real_redis.url, None, namespace=namespace) as cache:
        assert cache.set("k", 1)
        assert cache.get("k") == 1
        assert not cache.get_stats()["redis_available"]
        assert {"jarvisperf-redis-probe", "jarvisperf-listener"} <= set(refused)
        monkeypatch.undo()
        wait_until(lambda: cache.get("nothing") is None and cache.get_stats()["redis_listening"])
        assert cache.get("k") == 1


def test_a_url_may_set_its_own_timeouts(silent_url):
    started = time.monotonic()
    with SmartCache(silent_url + "?socket_timeout=0.01", None):
        assert time.monotonic() - started < FALLBACK_SECONDS * SLACK
