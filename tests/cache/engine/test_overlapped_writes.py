"""Tests that the disk writes while Redis works on the same write, and that no reply is lost or mistaken."""

from __future__ import annotations

import pytest
from waiting import wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import tier_of


@pytest.fixture
def cache(own_redis, namespace, tmp_path):
    with SmartCache(
        own_redis.url, tmp_path / "d", namespace=namespace, redis_connect_seconds=30, redis_reply_seconds=30
    ) as cache:
        cache.get("k")  # leaves an idle connection
        yield cache


@pytest.fixture
def reader(own_redis, namespace):
    """What another process sees in Redis."""
    with SmartCache(
        own_redis.url, None, namespace=namespace, memory_items=0, redis_connect_seconds=30, redis_reply_seconds=30
    ) as other:
        yield other


def on_disk_write(cache, monkeypatch, act) -> None:
    store = tier_of(cache, "disk")._store
    put = store.put

    def act_and_put(*args):
        act()
        return put(*args)

    monkeypatch.setattr(store, "put", act_and_put)


def test_redis_has_a_write_before_the_disk_has_it(cache, reader, monkeypatch):
    seen = []
    on_disk_write(cache, monkeypatch, lambda: wait_until(lambda: reader.get("k") == "v") or seen.append("v"))
    assert cache.set("k", "v")
    assert seen == ["v"]


def test_without_an_idle_connection_redis_is_written_after_the_disk(cache, reader):
    tier_of(cache, "redis")._store.link.close()
    assert cache.set("k", "v")
    assert reader.get("k") == "v"


def test_an_interrupt_while_the_disk_writes_leaves_no_reply_behind(cache, monkeypatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    cache.set("other", "value")
    with monkeypatch.context() as patch:
        on_disk_write(cache, patch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache.set("k", "v")
    store = tier_of(cache, "redis")._store
    assert store.get("nothing") is None
    assert store.get("other") is not None


def test_a_connection_that_the_server_closed_is_replaced(cache, reader, own_redis, monkeypatch):
    import redis

    with redis.Redis.from_url(own_redis.url) as admin:
        admin.client_kill_filter(_type="normal", skipme=True)
        assert cache.set("k", "v")
        on_disk_write(cache, monkeypatch, lambda: admin.client_kill_filter(_type="normal", skipme=True))
        assert cache.set("j", "v")
    assert reader.get_many(["k", "j"]) == {"k": "v", "j": "v"}
    assert cache.get_stats()["redis_errors"] == 0


def test_a_redis_that_dies_while_the_disk_writes_gets_the_value_later(redis_faults, namespace, tmp_path, monkeypatch):
    with SmartCache(
        redis_faults.url, tmp_path / "e", namespace=namespace, redis_connect_seconds=30, redis_reply_seconds=30
    ) as writer:
        wait_until(lambda: writer.get_stats()["redis_available"])
        writer.get("k")
        with monkeypatch.context() as patch:
            redis_faults.blackhole()  # or the reply might have arrived already
            on_disk_write(writer, patch, redis_faults.reset)
            assert writer.set("k", "v")  # the disk holds it
        assert not writer.get_stats()["redis_available"]
        redis_faults.heal()
        wait_until(lambda: writer.get_stats()["redis_available"])
        assert tier_of(writer, "redis")._store.get("k") is not None


def test_a_write_that_redis_rejects_is_kept_by_the_others(own_redis, namespace, tmp_path, reader):
    with SmartCache(own_redis.url, tmp_path / "d", namespace=namespace, max_value_bytes=300) as cache:
        assert cache.set("k", "v")
        assert cache.set("k", "v" * 1000)
        assert reader.get("k") is None
        assert cache.get("k") == "v" * 1000
        assert cache.get_stats()["rejected"] == 1
