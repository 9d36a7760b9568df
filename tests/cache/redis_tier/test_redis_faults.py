"""Tests Redis behind a faulty proxy: a fault is a miss, costs a bounded time, and leaves no old value behind."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

import pytest
import redis
from patience import PATIENT, brief_deadline
from waiting import ends_within, wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import tier_of

END_SECONDS = 30.0  # far beyond the brief deadline; without one, each fault keeps a call waiting for longer
FAULT_SECONDS = 300.0
DRIP_SECONDS = 0.1  # less than Redis may be silent, so only the deadline of the whole call ends it
LARGE = "v" * 1_000  # takes 100 s to drip


@pytest.fixture
def cache(faults, namespace):
    with SmartCache(faults.url, None, namespace=namespace, memory_items=0, **PATIENT) as cache:
        wait_until(lambda: cache.get_stats()["redis_available"])
        yield cache


@pytest.fixture
def reader(own_redis, namespace):
    """What another process sees, past the proxy."""
    with SmartCache(own_redis.url, None, namespace=namespace, memory_items=0, **PATIENT) as other:
        yield other


FAULTS = {
    "blackhole": lambda faults: faults.blackhole(),
    "stall": lambda faults: faults.stall(),
    "reset": lambda faults: faults.reset(),
    "half": lambda faults: faults.half_reply(1),
    "half of a value": lambda faults: faults.half_reply(40),
    "slow": lambda faults: faults.delay(FAULT_SECONDS),
    "drip": lambda faults: faults.drip(DRIP_SECONDS),
}


@pytest.fixture(params=FAULTS, ids=list(FAULTS))
def break_it(request, faults):
    return lambda: FAULTS[request.param](faults)


CALLS = {
    "get": lambda cache: cache.get("k"),
    "set": lambda cache: cache.set("k", "x" * 1000),
    "delete": lambda cache: cache.delete("k"),
    "get_many": lambda cache: cache.get_many([f"k{number}" for number in range(50)]),
    "set_many": lambda cache: cache.set_many({f"k{number}": number for number in range(50)}),
    "tag": lambda cache: cache.invalidate_tag("t"),
    "get_or_set": lambda cache: cache.get_or_set("new", lambda: 1),
    "touch": lambda cache: cache.touch("k"),
}


@pytest.mark.parametrize("call", CALLS, ids=list(CALLS))
def test_no_call_raises_or_goes_on_beyond_its_deadline(cache, break_it, call):
    cache.set("k", LARGE)
    with brief_deadline(cache):
        break_it()
        for _ in range(2):
            ends_within(END_SECONDS, lambda: CALLS[call](cache))


CHANGES = {
    "set": (lambda cache: cache.set("k", "new"), {None, "new"}),
    "set_many": (lambda cache: cache.set_many({"k": "new"}), {None, "new"}),
    "delete": (lambda cache: cache.delete("k"), {None}),
    "invalidate": (lambda cache: cache.invalidate("k*"), {None}),
    "tag": (lambda cache: cache.invalidate_tag("t"), {None}),
    "clear": (lambda cache: cache.clear(), {None}),
}


@pytest.mark.parametrize("change", CHANGES, ids=list(CHANGES))
def test_an_old_value_never_comes_back(cache, faults, reader, break_it, change):
    cache.set("k", "old", tags=["t"])
    do, allowed = CHANGES[change]
    with brief_deadline(cache):
        break_it()
        do(cache)
        faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert cache.get("k") in allowed
    assert reader.get("k") in allowed


def test_what_was_written_during_an_outage_is_told_to_redis(cache, faults, reader):
    faults.reset()
    cache.set("k", "new", tags=["t"])
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_stats()["redis_unsettled"] == 3
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert reader.get_many(["k", "a", "b"]) == {"k": "new", "a": 1, "b": 2}
    assert reader.invalidate_tag("t") == 1
    assert cache.get_stats()["redis_unsettled"] == 0


def test_what_others_wrote_later_is_not_overwritten_by_a_replay(cache, faults, reader):
    faults.reset()
    cache.set("k", "older")
    cache.delete("j")
    reader.set("k", "newer")
    reader.set("j", "newer")
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert [cache.get("k"), cache.get("j"), reader.get("k")] == ["newer", "newer", "newer"]


LATE = {
    "set": lambda cache: cache.set("k", "late"),
    "set with a tag": lambda cache: cache.set("k", "late", tags=["t"]),
    "set_many": lambda cache: cache.set_many({"k": "late", "j": "late"}),
}


@pytest.mark.parametrize("write", LATE, ids=list(LATE))
@pytest.mark.parametrize("change", ["delete", "set", "invalidate"])
def test_a_write_that_arrives_late_does_not_undo_what_others_did_meanwhile(cache, faults, reader, write, change):
    cache.set("k", "old")
    with brief_deadline(cache):
        faults.stall()
        LATE[write](cache)
        expected = "newer" if change == "set" else None
        reader.set("k", "newer") if change == "set" else getattr(reader, change)("k")
        faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    deadline = time.monotonic() + 0.3  # the held data is forwarded at once, and takes effect at once
    while time.monotonic() < deadline:
        assert reader.get("k") == expected
    assert cache.get("k") == expected


def test_a_write_takes_the_place_of_one_by_a_clock_that_is_ahead(own_redis, namespace):
    with (
        SmartCache(
            own_redis.url, None, namespace=namespace, memory_items=0, wall_clock=lambda: time.time() + 1e6, **PATIENT
        ) as ahead,
        SmartCache(own_redis.url, None, namespace=namespace, memory_items=0, **PATIENT) as cache,
    ):
        ahead.set_many({"k": "by the clock ahead", "j": "by the clock ahead"})
        assert cache.set("k", "last", tags=["t"])
        cache.set_many({"j": "last"})
        assert cache.get_many(["k", "j"]) == {"k": "last", "j": "last"}
        assert cache.invalidate_tag("t") == 1


def test_what_others_deleted_later_is_not_brought_back_by_a_replay(cache, faults, reader):
    faults.reset()
    cache.set("k", "older")
    reader.delete("k")
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert cache.get("k") is None
    assert reader.get("k") is None


def test_what_others_cleared_later_is_not_brought_back_by_a_replay(cache, faults, reader):
    faults.reset()
    cache.set("k", "old")
    reader.clear()
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert reader.get("k") is None


def test_more_changes_than_are_remembered_begin_a_new_generation(cache, faults, reader, monkeypatch):
    from jarvisperf.cache.outage.replay import Pending

    monkeypatch.setattr(tier_of(cache, "redis"), "_pending", Pending(most_keys=10))
    cache.set_many({f"k{number}": "old" for number in range(50)})
    assert reader.get("k49") == "old"
    faults.reset()
    for number in range(50):
        cache.delete(f"k{number}")
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert cache.get_many([f"k{number}" for number in range(50)]) == {}
    wait_until(lambda: reader.get("k49") is None)
    cache.set("k1", "new")
    assert reader.get("k1") == "new"


def test_after_more_changes_than_are_remembered_a_server_that_evicts_the_generation_brings_nothing_back(
    cache, faults, reader, monkeypatch, own_redis, namespace
):
    from jarvisperf.cache.outage.replay import Pending

    monkeypatch.setattr(tier_of(cache, "redis"), "_pending", Pending(most_keys=10))
    cache.set_many({f"k{number}": "old" for number in range(50)})
    faults.reset()
    for number in range(50):
        cache.delete(f"k{number}")
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"] and not cache.get_stats()["redis_unsettled"])
    with redis.Redis.from_url(own_redis.url) as client:
        client.unlink(f"{namespace}#generation")
    with SmartCache(own_redis.url, None, namespace=namespace, **PATIENT) as newcomer:
        assert newcomer.get_many([f"k{number}" for number in range(50)]) == {}


def test_while_it_is_down_calls_do_not_touch_the_network(cache, faults):
    with brief_deadline(cache):
        faults.blackhole()
        cache.get("k")
        made = faults.connections
        for number in range(200):
            cache.get("k")
            cache.set(f"k{number}", number)
    assert faults.connections - made < 100  # 400 if each call connects; probes get there in five minutes at most


def test_one_thread_at_a_time_probes(cache, faults):
    with brief_deadline(cache):
        faults.blackhole()
        cache.get("k")
    threads = [threading.Thread(target=lambda: [cache.get("k") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    probing = [thread for thread in threading.enumerate() if thread.name == "jarvisperf-redis-probe"]
    assert len(probing) <= 1


def test_a_fault_of_the_subscription_drops_memory_and_is_mended(faults, namespace, reader):
    with SmartCache(faults.url, None, namespace=namespace, **PATIENT) as cache:
        wait_until(lambda: cache.get_stats()["redis_listening"])
        cache.set("k", "old")
        faults.reset()
        wait_until(lambda: not cache.get_stats()["redis_listening"])
        reader.set("k", "new")
        faults.heal()
        wait_until(lambda: cache.get_stats()["redis_listening"])
        wait_until(lambda: cache.get("k") == "new")


def test_the_proxy_lets_everything_through_when_it_is_healed(faults):
    client = redis.Redis.from_url(faults.url)
    faults.blackhole()
    faults.heal()
    assert client.set("k", b"x" * 200_000)
    assert client.get("k") == b"x" * 200_000
    assert urlsplit(faults.url).hostname == "127.0.0.1"
    client.close()


def test_the_fixture_is_a_proxy_before_the_tests_redis(redis_faults, namespace):
    with SmartCache(redis_faults.url, None, namespace=namespace, **PATIENT) as cache:
        assert cache.set("k", 1)
        assert cache.get_stats()["redis_available"]
        cache.clear()
