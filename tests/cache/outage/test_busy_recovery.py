"""Tests that a busy process uses Redis again although it changes keys faster than it can replay the changes."""

from __future__ import annotations

import itertools

import pytest
from waiting import wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import tier_of

MANY = 200  # more invalidations than are remembered one by one


@pytest.fixture
def cache(faults, namespace):
    with SmartCache(faults.url, None, namespace=namespace, memory_items=0, redis_reply_seconds=30) as cache:
        wait_until(lambda: cache.get_stats()["redis_available"])
        yield cache


@pytest.fixture
def calls(cache, monkeypatch):
    """The store's calls for a replay. ``during`` stands for other threads: it runs in each, unless they would wait."""
    tier = tier_of(cache, "redis")

    class Calls(list):
        def during(self) -> None: ...

    made = Calls()

    def watch(name: str) -> None:
        call = getattr(tier._store, name)

        def watched(*args, **named):
            if not tier.available:
                made.append(name)
                if not tier._lock._is_owned():
                    made.during()
            return call(*args, **named)

        monkeypatch.setattr(tier._store, name, watched)

    for name in ("invalidate_all", "invalidate_tags", "put_if_newer", "bury_if_older", "begin_generation"):
        watch(name)
    return made


def is_settled(cache) -> bool:
    stats = cache.get_stats()
    return stats["redis_available"] and not stats["redis_unsettled"]


def test_many_invalidations_take_one_step_before_redis_is_used(cache, faults, calls):
    faults.reset()
    for number in range(MANY):
        cache.invalidate(f"{number}:*")
    numbers = itertools.count()
    calls.during = lambda: cache.invalidate(f"again-{next(numbers)}:*")
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert calls.count("begin_generation") == 1
    assert "invalidate_all" not in calls


def test_a_replay_that_takes_long_is_not_repeated_for_what_changed_in_the_meantime(cache, faults, calls, monkeypatch):
    monkeypatch.setattr(tier_of(cache, "redis"), "_clock", itertools.count().__next__)  # a second for each replay
    cache.set("again-1:k", "old")
    faults.reset()
    cache.invalidate("first:*")
    calls.during = lambda: cache.invalidate("again-1:*") if calls[-1] == "invalidate_all" else None
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert calls.count("invalidate_all") == 1
    assert calls.count("begin_generation") == 1
    assert cache.get("again-1:k") is None


def test_a_quick_replay_keeps_what_was_not_invalidated(cache, faults, calls, monkeypatch):
    monkeypatch.setattr(tier_of(cache, "redis"), "_clock", lambda: 0.0)
    cache.set_many({"kept": 1, "gone:k": 2, "late:k": 3})
    faults.reset()
    cache.invalidate("gone:*")
    calls.during = lambda: cache.invalidate("late:*") if len(calls) < 50 else None
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert "begin_generation" not in calls
    assert cache.get_many(["kept", "gone:k", "late:k"]) == {"kept": 1}


def test_several_patterns_are_replayed_with_one_search(cache, faults, monkeypatch):
    cache.set_many({f"{number}:k": number for number in range(30)})
    faults.reset()
    for number in range(20):
        cache.invalidate(f"{number}:*")
    link = tier_of(cache, "redis")._store.link
    searches, scan = [], link.scan
    monkeypatch.setattr(link, "scan", lambda glob: searches.append(glob) or scan(glob))
    faults.heal()
    wait_until(lambda: is_settled(cache))
    assert len(searches) == 1
    assert cache.get_many([f"{number}:k" for number in range(30)]) == {f"{n}:k": n for n in range(20, 30)}


def test_the_values_of_the_older_generation_are_removed_and_newer_ones_stay(cache, faults, client_of, namespace):
    cache.set_many({f"k{number}": "old" for number in range(50)})
    client_of.set(f"{namespace}:foreign", "by someone else")
    faults.reset()
    for number in range(MANY):
        cache.invalidate(f"k{number}*")
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])
    cache.set("k1", "new")
    cache.delete("k2")
    wait_until(lambda: is_settled(cache))
    left = {name for name in client_of.keys(f"{namespace}:*") if not client_of.get(name).startswith(b"JPM")}
    assert left == {f"{namespace}:k1".encode()}
    assert client_of.get(f"{namespace}:k2").startswith(b"JPM")
    assert cache.get("k1") == "new"


def test_a_failure_while_older_values_are_removed_is_made_up_for(cache, faults, client_of, namespace, monkeypatch):
    cache.set_many({f"k{number}": "old" for number in range(50)})
    store = tier_of(cache, "redis")._store
    failed, remove = [], store.remove_older_generations

    def fail_once():
        if not failed:
            failed.append(1)
            raise ConnectionResetError("lost")
        return remove()

    monkeypatch.setattr(store, "remove_older_generations", fail_once)
    faults.reset()
    for number in range(MANY):
        cache.invalidate(f"k{number}*")
    faults.heal()
    wait_until(lambda: failed and is_settled(cache))
    assert client_of.keys(f"{namespace}:*") == []


@pytest.fixture
def client_of(own_redis):
    import redis

    with redis.Redis.from_url(own_redis.url) as client:
        yield client
