"""Tests an absent Redis: it is a miss rather than an error, and costs a bounded time."""

from __future__ import annotations

import inspect
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import ends_within, wait_until

from jarvisperf.cache import SmartCache

FALLBACK_SECONDS = 0.5
END_SECONDS = 30.0  # what waits for a server that never answers lasts longer, and a busy machine is done much earlier
MOST_STEPS = 200  # calls and returns of functions; 88 in November 2026
WAITING = {"accept", "connect", "poll", "recv", "recv_into", "select", "send", "sendall", "sleep"}


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


def test_a_server_that_never_answers_keeps_no_call_waiting(dead_url):
    def use() -> None:
        with SmartCache(dead_url, None) as cache:
            cache.set("k", 1)
            assert cache.get("k") == 1

    ends_within(END_SECONDS, use)


def test_by_default_finding_out_may_take_half_a_second_at_most():
    limits = inspect.signature(SmartCache).parameters
    assert limits["redis_connect_seconds"].default + limits["redis_reply_seconds"].default <= FALLBACK_SECONDS
    assert limits["redis_call_seconds"].default is None  # then it is the sum of both


def test_while_it_is_down_a_call_waits_for_nothing_and_takes_few_steps(dead_url):
    steps, waits = 0, []

    def count(frame, event, called) -> None:
        nonlocal steps
        steps += 1
        if event == "c_call" and (
            called.__name__ in WAITING or (called.__name__ == "acquire" and frame.f_code.co_name == "wait")
        ):
            waits.append(called.__qualname__)

    calls = 300
    with SmartCache(dead_url, None, memory_items=0) as cache:
        cache.get("k")
        sys.setprofile(count)  # of this thread alone: probes run in another one
        try:
            for number in range(calls):
                cache.get("k")
                cache.set(f"k{number}", number)
        finally:
            sys.setprofile(None)
    assert waits == []
    assert 0 < steps / (2 * calls) < MOST_STEPS


def test_many_threads_find_out_together(silent_url):
    threads_count, wait_seconds = 256, 0.5  # one after the other, they would wait for two minutes
    with (
        SmartCache(silent_url, None, redis_connect_seconds=wait_seconds, redis_reply_seconds=wait_seconds) as cache,
        ThreadPoolExecutor(threads_count) as threads,
    ):
        ends_within(END_SECONDS, lambda: list(threads.map(cache.get, map(str, range(threads_count)))))
        assert cache.get_stats()["misses"] == threads_count


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
    def use() -> None:
        url = f"{silent_url}?socket_timeout=0.01"
        SmartCache(url, None, redis_connect_seconds=1, redis_reply_seconds=10 * END_SECONDS).close()

    ends_within(END_SECONDS, use)
