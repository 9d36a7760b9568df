"""Tests that a change the disk missed is not undone by another process that reads the disk."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from waiting import wait_until

from jarvisperf.cache.outage import below_redis
from jarvisperf.cache.outage.replay import Pending
from jarvisperf.cache.testing import tier_of


@pytest.fixture
def pair(make_cache, real_redis, tmp_path):
    """The caches of two processes on one folder; the second reads the lower tiers every time."""
    one, other = make_cache(real_redis.url, tmp_path / "d"), make_cache(real_redis.url, tmp_path / "d", memory_items=0)
    one.set("k", "old", tags=["t"])
    one.set("j", "other")
    return one, other


@pytest.fixture
def locked(pair, tmp_path):
    """A disk that can be read but not changed."""
    lock = sqlite3.connect(tmp_path / "d" / "cache.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    yield lock
    lock.close()


CHANGES = {
    "delete": lambda cache: cache.delete("k"),
    "delete_many": lambda cache: cache.delete_many(["k", "x"]),
    "set": lambda cache: cache.set("k", "new", ttl=0.2),
    "invalidate": lambda cache: cache.invalidate("k*"),
    "tag": lambda cache: cache.invalidate_tag("t"),
}


@pytest.mark.parametrize("change", CHANGES, ids=list(CHANGES))
def test_what_another_took_from_the_disk_meanwhile_goes_when_the_disk_is_told(
    pair, locked, client, namespace, monkeypatch, change
):
    monkeypatch.setattr(below_redis, "RENEW_AFTER_SECONDS", float("inf"))
    one, other = pair
    CHANGES[change](one)
    assert not one.get_stats()["local_cache_available"]
    client.unlink(f"{namespace}:k")  # like a tombstone after two minutes, or an expired value
    # It is not copied to Redis while the message about the change is in transit.
    wait_until(lambda: other.get("k") == "old" and (client.get(f"{namespace}:k") or b"").startswith(b"JPC"))
    locked.rollback()
    wait_until(lambda: one.get_stats()["local_cache_available"])
    assert other.get("k") is None
    assert other.get("j") == "other"


@pytest.mark.parametrize("many", [False, True], ids=["get", "get_many"])
def test_an_older_value_on_disk_does_not_outlive_a_newer_one_that_the_disk_could_not_take(
    make_cache, real_redis, tmp_path, clock, wall_clock, many
):
    times = {"clock": clock, "wall_clock": wall_clock}
    one, other = (make_cache(real_redis.url, tmp_path / "d", **times) for _ in range(2))
    one.set("k", "old", ttl=600)
    with contextlib.closing(sqlite3.connect(tmp_path / "d" / "cache.db", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        one.set("k", "new", ttl=60)
        clock.advance(70)
        wall_clock.advance(70)
        assert other.get_many(["k"]) == {} if many else other.get("k") is None


def test_too_many_changes_to_remember_leave_nothing_in_redis_either(pair, locked, client, namespace, monkeypatch):
    one, other = pair
    monkeypatch.setattr(tier_of(one, "disk"), "_pending", Pending(most_keys=3))
    one.delete_many(["k", *map(str, range(10))])
    client.unlink(f"{namespace}:k")
    assert other.get("k") == "old"
    locked.rollback()
    wait_until(lambda: one.get_stats()["local_cache_available"])
    wait_until(lambda: other.get("k") is None)


def test_while_the_disk_fails_its_deletions_keep_their_tombstones(pair, locked, client, namespace, monkeypatch):
    monkeypatch.setattr(below_redis, "RENEW_AFTER_SECONDS", 0.0)
    one, other = pair
    one.delete("k")
    client.unlink(f"{namespace}:k")
    wait_until(lambda: client.exists(f"{namespace}:k"))
    assert other.get("k") is None


def test_what_was_written_after_the_deletion_is_left_alone(pair, locked, monkeypatch):
    monkeypatch.setattr(below_redis, "RENEW_AFTER_SECONDS", 0.0)
    one, other = pair
    one.delete("k")
    assert other.get_or_set("k", lambda: "new") == "new"  # Redis has it, and the disk does not
    locked.rollback()
    wait_until(lambda: one.get_stats()["local_cache_available"])
    assert other.get("k") == "new"
    wait_until(lambda: one.get("k") == "new")


def test_a_computation_that_began_after_the_deletion_may_be_kept(pair, locked, monkeypatch):
    monkeypatch.setattr(below_redis, "RENEW_AFTER_SECONDS", 0.0)
    one, other = pair
    one.delete("k")

    def make() -> str:
        tier_of(one, "redis").bury(tier_of(one, "disk")._pending.snapshot().versions())
        return "new"

    assert other.get_or_set("k", make) == "new"
    assert other.get("k") == "new"


def test_redis_being_away_too_it_is_told_when_it_is_back(make_cache, redis_faults, tmp_path, namespace, client):
    cache = make_cache(redis_faults.url, tmp_path / "d")
    redis_faults.reset()
    cache.get("nothing")
    assert not cache.get_stats()["redis_available"]
    tier_of(cache, "redis").bury({"k": 5, "j": 2**60})
    tier_of(cache, "redis").put("j", b"newer", 60)
    tier_of(cache, "redis").bury({"j": 7})
    pending = tier_of(cache, "redis")._pending.snapshot()
    assert (pending.changes["k"].version, pending.changes["j"].write.blob) == (5, b"newer")
